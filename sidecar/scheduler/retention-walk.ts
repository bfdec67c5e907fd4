/**
 * One pass over the finished instances of one ending, from the oldest on. What stands before its
 * cursor needs no look any more: it was purged, it ended otherwise, or it is kept and has its turn
 * again later.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { LIMITS } from "../foundation/limits.ts";
import { classOf } from "../store/instance-rows.ts";
import type { CompletedIndexRow, InstanceCursor, StorageNumber } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { addMilliseconds, addNanoseconds, earlierOf, isAfter } from "../wire/timestamp.ts";
import type { Ending } from "./figures.ts";
import type { InstanceReader } from "./instance-reader.ts";
import { PurgeRun, type PurgeRunOptions } from "./purge-run.ts";
import { comparePlaces } from "./row-sources.ts";

export interface RetentionWalkOptions extends PurgeRunOptions {
  readonly reader: InstanceReader;
  /** The process is about to end. */
  readonly isClosed: () => boolean;
}

/** How long instances of one ending are kept, as of now. */
export interface Ages {
  readonly usualMs: number | undefined;
  /** Not longer than the usual one. */
  readonly nowMs: number;
}

/** What a sweep has come to. */
export interface Swept {
  count: number;
  /** When the oldest of them had ended. */
  oldest: Timestamp | undefined;
}

export class RetentionWalk {
  readonly ending: Ending;
  readonly #options: RetentionWalkOptions;
  #cursor: InstanceCursor | undefined;
  /** Where the first one stands that is kept for the sake of its parent, and the start of its page. */
  #kept: { readonly before: InstanceCursor | undefined } | undefined;
  /** The earliest end since the slice under way began: what that has read may stand behind it. */
  #endedMeanwhile: Timestamp | undefined;
  /** When the next one had ended that has to go in its time; undefined: there is none. */
  #next: Timestamp | undefined;

  constructor(ending: Ending, options: RetentionWalkOptions) {
    this.ending = ending;
    this.#options = options;
  }

  /** When the oldest of those had ended that have to go in their time. */
  get next(): Timestamp | undefined {
    return this.#next;
  }

  /** Some that are due are kept for the sake of their parents. */
  get keepsSome(): boolean {
    return this.#kept !== undefined;
  }

  /** Looks at those again that were kept, and still at what has ended before them meanwhile. */
  reconsider(): void {
    if (this.#kept === undefined) return;
    const { before } = this.#kept;
    this.#kept = undefined;
    const isBehind =
      this.#cursor === undefined || (before && comparePlaces(this.#cursor, before) < 0);
    if (!isBehind) this.#cursor = before;
  }

  /** An instance has ended so. The clock may have been set back since the last sweep. */
  finished(completedAt: Timestamp): void {
    this.#lookBehind(completedAt);
    this.#endedMeanwhile = earliest(this.#endedMeanwhile, completedAt);
    this.#next = earliest(this.#next, completedAt);
  }

  /**
   * Purges a slice of what is due. Resolves with whether there may be more; if not, `next` says what
   * comes next.
   */
  async slice(hub: StorageNumber, ages: Ages, now: Timestamp, swept: Swept): Promise<boolean> {
    const { store } = this.#options;
    const due = { to: addNanoseconds(addMilliseconds(now, -ages.nowMs), 1n) };
    const from = this.#cursor;
    this.#endedMeanwhile = undefined;
    const rows = await store.readCompleted(hub, due, from, LIMITS.purgeSliceMax);
    const own = rows.filter(({ row }) => classOf(row.status) === this.ending);
    const isOverdue = ({ time }: CompletedIndexRow) =>
      ages.usualMs !== undefined && !isAfter(time, addMilliseconds(now, -ages.usualMs));
    const left =
      (await this.#purge(own.filter(isOverdue), Cause.RETENTION, swept)) +
      (await this.#purge(
        own.filter((row) => !isOverdue(row)),
        Cause.RETENTION_LOW_SPACE,
        swept,
      ));
    if (this.#options.isClosed()) return false;
    if (left > 0) this.#kept ??= { before: from };
    this.#cursor = rows.at(-1) ?? from;
    if (this.#endedMeanwhile !== undefined) this.#lookBehind(this.#endedMeanwhile);
    if (rows.length === LIMITS.purgeSliceMax) return true;
    await this.#findNext(hub);
    return false;
  }

  /** Goes back to what ended then, if the walk has passed it. */
  #lookBehind(time: Timestamp): void {
    if (this.#cursor === undefined || isAfter(time, this.#cursor.time)) return;
    this.#cursor = { time, instanceId: "" };
  }

  /** The next of this ending, or a row that stands before it. */
  async #findNext(hub: StorageNumber): Promise<void> {
    this.#next = undefined;
    const { purgeSliceMax: limit } = LIMITS;
    const rows = await this.#options.store.readCompleted(hub, {}, this.#cursor, limit);
    const own = rows.find(({ row }) => classOf(row.status) === this.ending);
    const found = own ?? (rows.length === limit ? rows.at(-1) : undefined);
    if (found === undefined) return;
    this.#next = earliest(this.#next, found.time);
  }

  async #purge(rows: readonly CompletedIndexRow[], cause: Cause, swept: Swept): Promise<number> {
    if (rows.length === 0) return 0;
    const isKept = (state: InstanceState) => this.#isNeeded(state);
    const run = new PurgeRun(this.#options, { cause, isOver: this.#options.isClosed, isKept });
    await run.purgeAll(rows.map(({ instanceId, row }) => ({ instanceId, number: row.number })));
    await run.endSlice();
    swept.count += run.deleted;
    const first = rows[0]?.time;
    if (run.deleted > 0 && first !== undefined) {
      swept.oldest = earliest(swept.oldest, first);
    }
    return run.left;
  }

  /**
   * A child that has not completed is what a rewind of its parent runs again. As long as its parent
   * is running, in the execution that has created it, it stays.
   */
  async #isNeeded({ status, parent }: InstanceState): Promise<boolean> {
    if (status === Status.COMPLETED || parent === undefined) return false;
    const { number, executionId } = parent;
    const isRunning = await this.#options.reader.read(
      parent.instanceId,
      (state) => state.number === number && state.executionId === executionId && !isTerminal(state),
    );
    return isRunning === true;
  }
}

function earliest(known: Timestamp | undefined, time: Timestamp): Timestamp {
  return known === undefined ? time : earlierOf(known, time);
}
