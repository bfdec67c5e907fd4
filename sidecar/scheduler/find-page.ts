/** Pages of instances, filled from the rows of an index in their order. */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { LIMITS } from "../foundation/limits.ts";
import type { RowSource } from "./row-sources.ts";

/** What one call may still cost. */
export class Work {
  rows: number;
  loads: number;
  readonly #signal: AbortSignal | undefined;

  constructor(
    rows: number = LIMITS.queryRowsMax,
    loads: number = LIMITS.queryLoadsMax,
    signal?: AbortSignal,
  ) {
    this.rows = rows;
    this.loads = loads;
    this.#signal = signal;
  }

  /** As much as it takes, as long as somebody waits for it. */
  static until(signal: AbortSignal): Work {
    return new Work(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, signal);
  }

  /**
   * Between two slices: work without a bound lets others have their turn.
   *
   * @throws the signal's reason when the call has ended
   */
  async breathe(): Promise<void> {
    if (this.#signal === undefined) return;
    this.#signal.throwIfAborted();
    await nextLoopTurn();
  }
}

export interface Found<T, C> {
  readonly item: T;
  /** Where it stands: a query may continue behind it. */
  readonly place: C;
}

export interface FoundPage<T, C> {
  readonly found: readonly Found<T, C>[];
  /** Where the next call continues; undefined: nothing is left. */
  readonly next: C | undefined;
}

export const NOTHING = { found: [], next: undefined };

export interface PageOptions<T, C, R extends C> {
  readonly source: RowSource<C, R>;
  readonly after: C | undefined;
  readonly limit: number;
  readonly work: Work;
  /**
   * Whether the page still has room for an item. Asked once for each, in order; the first that finds
   * none ends the page, unless it would be the only one. Undefined: only `limit` counts.
   */
  readonly fits?: ((item: T) => boolean) | undefined;
  /** Whether an instance is worth loading. */
  mayMatch(row: R): boolean;
  /** Undefined for an instance that does not match. */
  load(row: R): Promise<T | undefined>;
}

/** Instances loaded at once: fewer when they may be large. */
const LOADS_AT_ONCE = 32;
const LARGE_LOADS_AT_ONCE = 16;
const CHUNK_MIN = 16;
const CHUNK_MAX = 500;

/** Fills a page from rows in order, as far as work allows. */
export async function findPage<T, C, R extends C>(
  options: PageOptions<T, C, R>,
): Promise<FoundPage<T, C>> {
  const { source, limit, work, mayMatch, fits } = options;
  const loadsAtOnce = fits === undefined ? LOADS_AT_ONCE : LARGE_LOADS_AT_ONCE;
  const found: Found<T, C>[] = [];
  let place = options.after;
  // One more than wanted shows whether there is a next page.
  let chunk = Math.max(CHUNK_MIN, limit + 1);
  // Ends with the last row, with a full page, or with the work that one call may cost.
  for (;;) {
    const most = Math.min(chunk, CHUNK_MAX, Math.floor(work.rows / source.fanOut));
    if (most === 0) return { found, next: place };
    const { rows, isLast, cost } = await source.read(place, most);
    work.rows -= cost;
    for (let at = 0; at < rows.length; ) {
      const room = Math.min(loadsAtOnce, limit - found.length, work.loads);
      const batch: R[] = [];
      // Ends behind the rows that need no look, so that a full page knows if it is the last.
      for (; at < rows.length; at += 1) {
        const row = rows[at];
        if (row === undefined || !mayMatch(row)) continue;
        if (batch.length === room) break;
        batch.push(row);
      }
      work.loads -= batch.length;
      for (const each of await loadAll(options, batch)) {
        const isTooMuch = fits?.(each.item) === false && found.length > 0;
        if (isTooMuch) return { found, next: found.at(-1)?.place };
        found.push(each);
      }
      place = rows[at - 1] ?? place;
      const isFull = found.length === limit || work.loads === 0;
      if (isFull && at < rows.length) return { found, next: place };
    }
    if (isLast) return { found, next: undefined };
    if (found.length === limit || work.loads === 0) return { found, next: place };
    chunk *= 2;
    await work.breathe();
  }
}

/**
 * A page that continues only if at least one more item is there: looks for one more than wanted.
 *
 * @param find must find all that it is asked for, unless its page is full or nothing is left
 */
export async function certainPage<T, C>(
  limit: number,
  find: (limit: number) => Promise<FoundPage<T, C>>,
): Promise<FoundPage<T, C>> {
  const page = await find(limit + 1);
  if (page.found.length <= limit) return page;
  const found = page.found.slice(0, limit);
  return { found, next: found.at(-1)?.place };
}

async function loadAll<T, C, R extends C>(
  { load }: PageOptions<T, C, R>,
  batch: readonly R[],
): Promise<Found<T, C>[]> {
  const items = await Promise.all(batch.map(load));
  return batch.flatMap((place, index) => {
    const item = items[index];
    return item === undefined ? [] : [{ item, place }];
  });
}
