/**
 * Gives the disk back what was deleted. LevelDB does so when it compacts, and it compacts where it
 * is written: data that was deleted and is never written again beside stays where it is. So the
 * ranges with much of it are compacted, piece by piece, when there is little else to do.
 *
 * What is dead is only counted in memory. What was deleted before the process ended waits for
 * LevelDB, or until more is deleted beside it.
 */
import type { Alarm, SteadyClock } from "../../foundation/clock.ts";
import { isShortOfSpace, type Space } from "../space.ts";
import type { IndexChange, StorageNumber } from "../store.ts";
import type { KeyRange } from "./bytes.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Handle } from "./handle.ts";
import { kindRange, logGenerationsRange, logKey, snapshotKey } from "./keys.ts";
import { middleOf } from "./middle-key.ts";

const MIB = 1024 * 1024;

/** Fewer dead bytes are not worth the work. */
const worthwhileBytes = MIB;
/** One call of LevelDB's: it cannot be interrupted, and closing waits for it. */
const pieceBytes = 32 * MIB;
/** A range is compacted when so much of it is dead: a part, as one over this. */
const deadPart = 4;
/** Logs with neighbouring numbers that are counted together: two to this power. */
const areaBits = 8n;
const areaLogs = 2 ** Number(areaBits);
const areasMax = 10_000;
/** An index row and its key, roughly. */
const indexRowBytes = 128;

/** Between two pieces, and while there is much else to do. */
const pauseMs = 200;
/** More commits than this within a pause are much else to do. */
const busyCommits = 20;

/** Indexes whose rows stay for long: the others are written all the time. */
const lastingIndexes = ["instance", "query", "completed"] as const;

type LastingIndex = (typeof lastingIndexes)[number];

interface DeadArea {
  bytes: number;
  logs: number;
}

export interface DeadSpaceOptions {
  readonly clock: SteadyClock;
  readonly space: Pick<Space, "level" | "freeBytes">;
}

export class DeadSpace {
  readonly #handle: Handle;
  readonly #queue: CommitQueue;
  readonly #options: DeadSpaceOptions;
  readonly #areas = new Map<bigint, DeadArea>();
  readonly #rows: Record<LastingIndex, number> = { instance: 0, query: 0, completed: 0 };
  /** Since it was looked at last. Of what was never flushed nobody knows the bytes. */
  #deadBytes = 0;
  #deletedLogs = 0;
  #running: Promise<void> | undefined;
  #pause: { readonly alarm: Alarm; readonly resolve: () => void } | undefined;
  #isStopped = false;
  /** The bytes below can be compacted. */
  #isUseful = false;

  constructor(handle: Handle, queue: CommitQueue, options: DeadSpaceOptions) {
    this.#handle = handle;
    this.#queue = queue;
    this.#options = options;
  }

  /** What a log takes, roughly, that is about to be deleted. */
  sizeOfLog(number: StorageNumber, belowGeneration: number): Promise<number> {
    return this.#handle.read((bytes) => {
      this.#isUseful = bytes.compact !== undefined;
      return bytes.sizeOf?.(logGenerationsRange(number, belowGeneration)) ?? 0;
    });
  }

  /** A log was deleted, or the earlier generations of one. */
  logDeleted(number: StorageNumber, belowGeneration: number, bytes: number): void {
    const key = number >> areaBits;
    let area = this.#areas.get(key);
    if (area === undefined) {
      if (this.#areas.size >= areasMax) return;
      area = { bytes: 0, logs: 0 };
      this.#areas.set(key, area);
    }
    area.bytes += bytes;
    if (belowGeneration === 0) area.logs += 1;
    this.#deadBytes += bytes;
    this.#deletedLogs += 1;
  }

  /** A row of an index was deleted. */
  rowDeleted(index: IndexChange["index"]): void {
    if (index === "instance" || index === "query" || index === "completed") this.#rows[index] += 1;
  }

  /** Called when nothing is left that was to be deleted. */
  settle(): void {
    const isWorthwhile = this.#deadBytes >= worthwhileBytes || this.#deletedLogs >= areaLogs;
    if (!isWorthwhile || !this.#isUseful) return;
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = this.#compact().finally(() => {
      this.#running = undefined;
      // More may have been deleted meanwhile.
      this.settle();
    });
  }

  /** Resolves when nothing is being compacted. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause?.alarm.cancel();
    this.#pause?.resolve();
    await Promise.race([this.#running, this.#queue.failed]);
  }

  /** Never rejects: it is tried again when more is deleted. */
  async #compact(): Promise<void> {
    try {
      await this.#quiet();
      if (this.#isStopped) return;
      this.#deadBytes = 0;
      this.#deletedLogs = 0;
      // Until it is flushed, nobody knows the size of what was written last.
      const nowhere = logKey(0n, 0, 0);
      await this.#compactRange({ from: nowhere, to: nowhere });
      for (const range of [...(await this.#deadLogs()), ...(await this.#deadIndexes())]) {
        await this.#compactInPieces(range);
      }
    } catch {
      // Reading has failed, which whoever needs what is there will notice.
    }
  }

  /** Areas of neighbours make one range. */
  async #deadLogs(): Promise<readonly KeyRange[]> {
    const found: { from: bigint; to: bigint }[] = [];
    for (const key of [...this.#areas.keys()].sort((left, right) => (left < right ? -1 : 1))) {
      const area = this.#areas.get(key);
      const from = key << areaBits;
      const to = (key + 1n) << areaBits;
      const bytes = await this.#sizeOf({ from: logKey(from, 0, 0), to: logKey(to, 0, 0) });
      const isDead =
        area !== undefined && (area.bytes * deadPart >= bytes || area.logs * deadPart >= areaLogs);
      if (!isDead) continue;
      this.#areas.delete(key);
      const last = found.at(-1);
      if (last?.to === from) last.to = to;
      else found.push({ from, to });
    }
    return found.flatMap(({ from, to }) => [
      { from: logKey(from, 0, 0), to: logKey(to, 0, 0) },
      { from: snapshotKey(from, 0), to: snapshotKey(to, 0) },
    ]);
  }

  async #deadIndexes(): Promise<readonly KeyRange[]> {
    const found: KeyRange[] = [];
    for (const index of lastingIndexes) {
      const range = kindRange(index);
      const dead = this.#rows[index] * indexRowBytes;
      if (dead < worthwhileBytes || dead * deadPart < (await this.#sizeOf(range))) continue;
      this.#rows[index] = 0;
      found.push(range);
    }
    return found;
  }

  async #compactInPieces(range: KeyRange): Promise<void> {
    const parts = [range];
    // Ends: each round takes a part away, or makes it two that are half as long.
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const bytes = await this.#sizeOf(part);
      if (bytes === 0) continue;
      const middle = bytes > pieceBytes ? middleOf(part) : undefined;
      if (middle !== undefined) {
        parts.push({ from: middle, to: part.to }, { from: part.from, to: middle });
        continue;
      }
      await this.#quiet();
      if (this.#isStopped) return;
      // The new file is written before the old ones go.
      const { freeBytes = Number.POSITIVE_INFINITY } = this.#options.space;
      if (freeBytes > 2 * bytes) await this.#compactRange(part);
    }
  }

  /** Waits until there is little else to do, unless space is what is short. */
  async #quiet(): Promise<void> {
    const { clock, space } = this.#options;
    while (!this.#isStopped) {
      const before = this.#queue.durablePosition;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#pause = { alarm: clock.after(pauseMs, resolve), resolve };
      await promise;
      if (this.#queue.durablePosition - before <= busyCommits) return;
      if (isShortOfSpace(space.level)) return;
    }
  }

  #sizeOf(range: KeyRange): Promise<number> {
    return this.#handle.read((bytes) => bytes.sizeOf?.(range) ?? 0);
  }

  #compactRange(range: KeyRange): Promise<void> {
    return this.#handle.read((bytes) => bytes.compact?.(range));
  }
}
