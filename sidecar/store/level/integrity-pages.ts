/** Reads of LevelDB that are either whole or fail. */
import type { ReadOptions } from "../ordered/bytes.ts";

/** What is used of LevelDB's iterators. */
interface Rows<T> {
  all(): Promise<T[]>;
  next(): Promise<T | undefined>;
  nextv(size: number): Promise<T[]>;
  close(): Promise<void>;
}

/** How many rows an iterator fetches at once behind its first one. */
const FETCHED_AT_ONCE = 1_000;

/**
 * All rows of an iterator, or the first ones up to the limit.
 *
 * LevelDB steps over a block that it cannot read, and says so only when it is asked for its status,
 * which the binding does when it has run into the end of the range or into its own limit. `all()`
 * with a limit asks for exactly so many rows and never gets there: a full page would come with a
 * hole and without an error. `next()` fetches ahead, and does.
 */
export async function whole<T>(
  options: ReadOptions,
  open: (options: ReadOptions) => Rows<T>,
): Promise<readonly T[]> {
  const { limit } = options;
  if (limit === undefined || !Number.isFinite(limit) || limit <= 0) return open(options).all();
  // The limit must not be reached with the first row, nor with the last one of a full fetch.
  const ahead = (limit - 1) % FETCHED_AT_ONCE === 0 ? limit + 1 : limit;
  const iterator = open({ ...options, limit: ahead });
  const rows: T[] = [];
  try {
    for (;;) {
      const row = await iterator.next();
      if (row === undefined) break;
      rows.push(row);
      if (rows.length === 1) continue;
      // What was fetched together with this row.
      for (const each of await iterator.nextv(FETCHED_AT_ONCE - 1)) rows.push(each);
    }
  } finally {
    await iterator.close();
  }
  return rows.length > limit ? rows.slice(0, limit) : rows;
}
