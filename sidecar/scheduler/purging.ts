/** Deleting finished instances, as clients ask for it. */

import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { InstanceCursor, TimeRange } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Ending } from "./figures.ts";
import type { HubLog } from "./hub-log.ts";
import { PurgeRun, type PurgeRunOptions } from "./purge-run.ts";
import { purgeTree } from "./purge-tree.ts";
import { createdRows } from "./row-sources.ts";

export interface PurgingOptions extends PurgeRunOptions {
  readonly hub: HubLog;
  readonly steadyClock: Pick<SteadyClock, "nowMs">;
}

/** Which instances a purge is about. */
export interface PurgeFilter {
  readonly created: TimeRange;
  readonly endings: readonly Ending[];
}

export interface PurgeWish {
  /** Also finished descendants, whatever the filter says of them. */
  readonly recursive: boolean;
  /** Once it is aborted nothing more is purged than the slice under way. */
  readonly signal?: AbortSignal;
}

export interface FilterPurgeWish extends PurgeWish {
  /** After so much time nothing more is purged than the slice under way; undefined: no bound. */
  readonly timeoutMs: number | undefined;
}

export interface Purged {
  /** Instances that were deleted. */
  readonly deleted: number;
  /** Nothing is left that the purge was about, as of when it came by. */
  readonly isComplete: boolean;
}

export class Purging {
  readonly #options: PurgingOptions;

  constructor(options: PurgingOptions) {
    this.#options = options;
  }

  /**
   * Deletes finished instances; unknown and unfinished ones are left alone. An id that is named twice
   * counts once.
   *
   * @returns how many instances were deleted, durably
   * @throws HubError "unavailable" when messages of one of them are still on their way
   */
  async byId(instanceIds: readonly string[], { recursive, signal }: PurgeWish): Promise<number> {
    const isOver = () => signal?.aborted === true;
    const run = new PurgeRun(this.#options, { cause: Cause.PURGE, isOver });
    const ids = [...new Set(instanceIds)];
    const targets = ids.map((instanceId) => ({ instanceId, number: undefined }));
    if (recursive) for (const target of targets) await purgeTree(this.#options, run, target);
    else await run.purgeAll(targets);
    await run.endSlice();
    if (run.left > 0) throw onTheirWay(ids);
    return run.deleted;
  }

  /**
   * Deletes finished instances by the time of their creation, in slices. Each slice is durable before
   * the next begins, so a call that is cut short has done what it has done and can be repeated.
   */
  async byFilter(filter: PurgeFilter, wish: FilterPurgeWish): Promise<Purged> {
    const { store, hub, steadyClock } = this.#options;
    const { recursive, signal, timeoutMs = Number.POSITIVE_INFINITY } = wish;
    const endMs = steadyClock.nowMs() + timeoutMs;
    const isOver = () => signal?.aborted === true || steadyClock.nowMs() >= endMs;
    const run = new PurgeRun(this.#options, { cause: Cause.PURGE, isOver });
    const { number } = hub;
    await store.whenDurable(hub.position);
    if (number === undefined || filter.endings.length === 0)
      return { deleted: 0, isComplete: true };
    const source = createdRows(store, number, filter.endings, filter.created);
    const rowsAtOnce = Math.floor(LIMITS.purgeSliceMax / source.fanOut);
    let after: InstanceCursor | undefined;
    // Ends with the last row, with the time, with the call, or with the hub.
    for (;;) {
      const { rows, isLast } = await source.read(after, rowsAtOnce);
      const targets = rows.map(({ instanceId, row }) => ({ instanceId, number: row.number }));
      if (recursive) for (const target of targets) await purgeTree(this.#options, run, target);
      else await run.purgeAll(targets);
      if (isLast || hub.number !== number) break;
      if (run.isOver) run.cutShort();
      if (run.isCutShort) break;
      after = rows.at(-1) ?? after;
    }
    await run.endSlice();
    return { deleted: run.deleted, isComplete: run.left === 0 && !run.isCutShort };
  }
}

function onTheirWay(ids: readonly string[]): HubError {
  const whose = ids.length === 1 ? `instance ${JSON.stringify(ids[0])}` : "one of the instances";
  return new HubError(
    "unavailable",
    `messages of ${whose} or of its descendants are still on their way: try again`,
  );
}
