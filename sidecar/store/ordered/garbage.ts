/**
 * Deletes in the background what garbage rows name: a slice of keys at a time, on the one commit
 * road.
 *
 * A garbage row goes together with the last of its keys or later, so whatever ends the process, the
 * next opening finds the row and goes on. Keys go in ascending order, the oldest generation first:
 * of a dead log, the *dead* entry goes last, so that rebuilding the indexes from logs never revives
 * anything.
 */
import { create } from "@bufbuild/protobuf";
import { LIMITS } from "../../foundation/limits.ts";
import { type GarbageRow, GarbageRowSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { CommitPosition, StorageNumber } from "../store.ts";
import type { KeyRange, Write } from "./bytes.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { DeadSpace } from "./dead-space.ts";
import { encodeIndexChange } from "./encoded-commit.ts";
import type { Handle } from "./handle.ts";
import { readGarbage, readInstances } from "./index-reader.ts";
import {
  garbageKey,
  logGenerationsRange,
  rangeBehind,
  readyKey,
  snapshotGenerationsRange,
} from "./keys.ts";
import { hubQueryRanges } from "./query-keys.ts";

/** Garbage rows or instances read at once. */
const PAGE = 100;

export class GarbageCollector {
  readonly #handle: Handle;
  readonly #queue: CommitQueue;
  readonly #deadSpace: DeadSpace;
  /** The changes of the next slice. */
  #slice: Write[] = [];
  /** Logs whose last key is in the slice or gone: their garbage rows may go with it. */
  #finished: StorageNumber[] = [];
  /**
   * Logs whose garbage row was written while this one read its page: what it has read may be out of
   * date.
   */
  readonly #noticed = new Map<StorageNumber, CommitPosition>();
  #woken = Promise.withResolvers<void>();
  #stopping = false;
  readonly #running: Promise<void>;

  /** Begins at once with what an earlier run left. */
  constructor(handle: Handle, queue: CommitQueue, deadSpace: DeadSpace) {
    this.#handle = handle;
    this.#queue = queue;
    this.#deadSpace = deadSpace;
    this.#running = this.#run();
  }

  /** A garbage row was appended. */
  notice(number: StorageNumber, position: CommitPosition): void {
    this.#noticed.set(number, position);
    void this.#queue.whenDurable(position).then(() => this.#woken.resolve());
  }

  /** Stops between two slices. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#woken.resolve();
    // After a failure the loop waits for ever for a position that will not become durable.
    await Promise.race([this.#running, this.#queue.failed]);
  }

  /** Never rejects: nobody else would hear that the garbage cannot be read. */
  async #run(): Promise<void> {
    try {
      while (!this.#stopping) {
        this.#woken = Promise.withResolvers<void>();
        await this.#sweep();
        this.#deadSpace.settle();
        await this.#woken.promise;
      }
    } catch (error) {
      this.#queue.fail(error);
    }
  }

  /** Hubs come last, so that no instance outlives the log that says that its hub is gone. */
  async #sweep(): Promise<void> {
    const hubs: GarbageRow[] = [];
    let rows: readonly GarbageRow[] = [];
    do {
      // A row that is on its way is not among those read now: its notice must outlive this page.
      for (const [number, position] of this.#noticed) {
        if (position <= this.#queue.durablePosition) this.#noticed.delete(number);
      }
      const last = rows.at(-1)?.number;
      rows = await this.#handle.read((bytes) => readGarbage(bytes, last, PAGE));
      for (const row of rows) {
        if (row.hub) hubs.push(row);
        else await this.#collectLog(row.number, row.belowGeneration);
      }
      await this.#flush();
    } while (rows.length === PAGE && !this.#stopping);
    for (const hub of hubs) await this.#collectHub(hub.number);
  }

  /**
   * The instances become garbage of their own, a page at a time; then go the rows that only queries
   * of the hub would read, and the hub's own log.
   */
  async #collectHub(hub: StorageNumber): Promise<void> {
    while (!this.#stopping) {
      const instances = await this.#handle.read((bytes) => readInstances(bytes, hub, PAGE));
      if (instances.length === 0) break;
      for (const { key, number } of instances) {
        const row = create(GarbageRowSchema, { number });
        this.#slice.push({ type: "del", key }, { type: "del", key: readyKey(number) });
        this.#slice.push(encodeIndexChange({ index: "garbage", row }));
      }
      await this.#flush();
      for (const { number } of instances) await this.#collectLog(number, 0);
      await this.#flush();
    }
    for (const range of hubQueryRanges(hub)) await this.#collectRange(range);
    await this.#collectLog(hub, 0);
    await this.#flush();
  }

  async #collectLog(number: StorageNumber, belowGeneration: number): Promise<void> {
    const bytes = await this.#deadSpace.sizeOfLog(number, belowGeneration);
    // Snapshots first: one whose log is gone would claim a past that nothing proves.
    await this.#collectRange(snapshotGenerationsRange(number, belowGeneration));
    await this.#collectRange(logGenerationsRange(number, belowGeneration));
    if (this.#stopping) return;
    this.#deadSpace.logDeleted(number, belowGeneration, bytes);
    this.#finished.push(number);
  }

  async #collectRange(range: KeyRange): Promise<void> {
    let rest = range;
    while (!this.#stopping) {
      const room = LIMITS.garbageSliceMax - this.#slice.length;
      const from = rest;
      const keys = await this.#handle.read((bytes) => bytes.keys(from, { limit: room }));
      for (const key of keys) this.#slice.push({ type: "del", key });
      if (keys.length < room) return;
      rest = rangeBehind(range, keys.at(-1));
      await this.#flush();
    }
  }

  /** Resolves when the slice is durable, so that the next reads do not see its keys any more. */
  async #flush(): Promise<void> {
    const rows = this.#slice;
    for (const number of this.#finished) {
      if (!this.#noticed.has(number)) rows.push({ type: "del", key: garbageKey(number) });
    }
    this.#slice = [];
    this.#finished = [];
    if (rows.length === 0) return;
    await this.#queue.whenDurable(this.#queue.append(() => ({ appends: [], rows })));
  }
}
