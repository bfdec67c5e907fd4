/**
 * The one road to the disk: what is appended while a flush runs becomes the next group, one flush
 * for all.
 */
import { assert } from "../../foundation/assert.ts";
import { type SteadyClock, systemSteadyClock } from "../../foundation/clock.ts";
import { asError } from "../../foundation/errors.ts";
import { type StoreMonitor, silentMonitor } from "../monitor.ts";
import { endlessSpace, type Space } from "../space.ts";
import type { CommitPosition } from "../store.ts";
import type { Write } from "./bytes.ts";
import { CommitGroup } from "./commit-group.ts";
import type { EncodedCommit } from "./encoded-commit.ts";
import { groupRecordPut, type RecoveredGroups } from "./group-records.ts";
import { GroupTrail } from "./group-trail.ts";
import type { Handle } from "./handle.ts";
import { Reopening, type ReopeningOptions } from "./reopening.ts";
import { StorageNumbers } from "./storage-numbers.ts";

export interface CommitQueueOptions {
  /** Where the groups of earlier runs ended. */
  readonly recovered: RecoveredGroups;
  /** Group records are kept until so many bytes were written behind them. */
  readonly trailBytes: number;
  /**
   * Calls back when the next group may leave; until then commits join it. By default
   * `setImmediate`: whatever one turn of the event loop reads from all its sockets leaves together.
   * Measured against `queueMicrotask`, which sends the first call off alone: no slower with one
   * commit in flight (0.11 ms), as fast with 64.
   */
  readonly schedule?: (flush: () => void) => void;
  /** How the bytes are opened again after a write error; without it every error is final. */
  readonly reopening?: ReopeningOptions;
  readonly space?: Space;
  readonly monitor?: StoreMonitor;
  readonly clock?: SteadyClock;
}

export class CommitQueue {
  readonly numbers: StorageNumbers;
  readonly failed: Promise<Error>;
  readonly #resolveFailed: (cause: Error) => void;
  readonly #handle: Handle;
  readonly #reopening: Reopening | undefined;
  readonly #monitor: StoreMonitor;
  readonly #clock: SteadyClock;
  readonly #schedule: (flush: () => void) => void;
  readonly #trail: GroupTrail;
  /** Oldest first. The first is in flight when `#flying`; only the last takes commits. */
  readonly #groups: CommitGroup[] = [];
  #flying = false;
  #scheduled = false;
  #hasFailed = false;
  #lastPosition: CommitPosition = 0;
  #durablePosition: CommitPosition = 0;
  #groupSequence: number;

  constructor(handle: Handle, options: CommitQueueOptions) {
    const { recovered, reopening, space = endlessSpace, monitor = silentMonitor } = options;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#resolveFailed = resolve;
    this.#handle = handle;
    this.#reopening = reopening && new Reopening(handle, reopening, space, monitor);
    this.#monitor = monitor;
    this.#clock = options.clock ?? systemSteadyClock;
    this.#schedule = options.schedule ?? setImmediate;
    this.numbers = new StorageNumbers(recovered.nextStorageNumber);
    this.#groupSequence = recovered.newest;
    this.#trail = new GroupTrail(options.trailBytes, recovered.oldest, recovered.newest);
  }

  get durablePosition(): CommitPosition {
    return this.#durablePosition;
  }

  /** Bytes of commits that are not durable yet. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const group of this.#groups) bytes += group.bytes;
    return bytes;
  }

  append(encode: () => EncodedCommit): CommitPosition {
    this.#lastPosition += 1;
    if (this.#hasFailed) return this.#lastPosition;
    try {
      const commit = encode();
      this.#openGroup(commit).add(commit, this.#lastPosition);
    } catch (error) {
      // A bug of the caller's, whose state has gone on already. Half of its commit may be in the
      // group, which must never leave.
      this.fail(error);
      throw error;
    }
    this.#scheduleFlush();
    return this.#lastPosition;
  }

  whenDurable(position: CommitPosition): Promise<void> {
    assert(position <= this.#lastPosition, `position ${position} was never given out`);
    if (position <= this.#durablePosition) return Promise.resolve();
    // Positions that were appended behind a failure have no group, and stay pending like all
    // unfinished ones.
    const group = this.#groups.find((candidate) => position <= candidate.lastPosition);
    return group?.durable ?? new Promise<void>(() => {});
  }

  /** Everything appended so far is durable, or the queue has failed. */
  async drained(): Promise<void> {
    await Promise.race([this.whenDurable(this.#lastPosition), this.failed]);
  }

  /** Nothing becomes durable any more, and nothing may be acknowledged from then on. */
  fail(cause: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const error = asError(cause);
    this.#resolveFailed(error);
    this.#handle.giveUp(error);
  }

  #openGroup(commit: EncodedCommit): CommitGroup {
    const last = this.#groups.at(-1);
    const lastIsFlying = this.#flying && this.#groups.length === 1;
    if (last !== undefined && !lastIsFlying && last.hasRoomFor(commit)) return last;
    const group = new CommitGroup();
    this.#groups.push(group);
    return group;
  }

  #scheduleFlush(): void {
    if (this.#scheduled || this.#flying || this.#groups.length === 0) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  /** Writes the oldest group. Never rejects. */
  async #flush(): Promise<void> {
    const group = this.#groups[0];
    assert(group !== undefined && !this.#flying, "a flush without a group, or two at once");
    if (this.#hasFailed) return;
    this.#flying = true;
    const reserved = this.numbers.reservation();
    const { writes, bytes } = this.#close(group, reserved);
    const beganAtMs = this.#clock.nowMs();
    try {
      await this.#write(writes, this.#groupSequence);
    } catch (error) {
      this.fail(error);
      return;
    }
    // A failure elsewhere, while this write ran: it landed, but nothing may be acknowledged from
    // then on.
    if (this.#hasFailed) return;
    this.#flying = false;
    this.#groups.shift();
    this.numbers.reserve(reserved);
    const commits = group.lastPosition - this.#durablePosition;
    this.#durablePosition = group.lastPosition;
    group.resolveDurable();
    const durationMs = this.#clock.nowMs() - beganAtMs;
    this.#monitor.flushed({ commits, writes: writes.length, bytes, durationMs });
    this.#scheduleFlush();
  }

  /**
   * Writes one group, whatever it takes. What was decided stays decided: the disk is behind, and is
   * brought up by the very same writes.
   */
  async #write(writes: readonly Write[], sequence: number): Promise<void> {
    // Ends with the group on the disk; more than two rounds only while the disk is full.
    for (;;) {
      try {
        await this.#handle.write(writes);
        return;
      } catch (error) {
        if (this.#reopening === undefined || this.#hasFailed) throw error;
        if (await this.#reopening.landed(asError(error), sequence)) return;
      }
    }
  }

  /** The group's own writes, old group records to delete, and the record that closes the group. */
  #close(group: CommitGroup, nextStorageNumber: bigint): { writes: Write[]; bytes: number } {
    const { writes, puts, crc32, bytes: groupBytes } = group.seal();
    this.#groupSequence += 1;
    const sequence = this.#groupSequence;
    const record = groupRecordPut({ sequence, puts, crc32, nextStorageNumber });
    writes.push(...this.#trail.takeTrimmable(), record);
    const bytes = groupBytes + record.key.length + record.value.length;
    this.#trail.add(bytes);
    return { writes, bytes };
  }
}
