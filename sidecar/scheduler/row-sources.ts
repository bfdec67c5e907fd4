/**
 * Rows of the query indexes as one ordered sequence, read in pages. Places in a sequence are stable:
 * a page that continues behind one neither skips nor repeats what exists throughout.
 */

import type {
  CompletedIndexRow,
  HeldCursor,
  HeldIndexRow,
  IdRow,
  InstanceClass,
  InstanceCursor,
  QueryIndexes,
  QueryIndexRow,
  StorageNumber,
  Store,
  TimeRange,
} from "../store/store.ts";
import { compareTimestamps } from "../wire/timestamp.ts";

/** Rows `R`, ordered by their places `C`. */
export interface RowSource<C, R extends C> {
  /** Rows of the index that one row of the sequence may cost to read. */
  readonly fanOut: number;
  /** Rows behind `after`: at least one unless there are none, and at most `limit` * `fanOut`. */
  read(after: C | undefined, limit: number): Promise<RowPage<R>>;
}

export interface RowPage<R> {
  readonly rows: readonly R[];
  /** Nothing was behind these rows. */
  readonly isLast: boolean;
  /** Rows of the index that were read. */
  readonly cost: number;
}

export interface CreatedRow extends QueryIndexRow {
  readonly instanceClass: InstanceClass;
}

/** Orchestrations of some classes by (time of creation, instance id). */
export function createdRows(
  indexes: QueryIndexes,
  hub: StorageNumber,
  classes: readonly InstanceClass[],
  created: TimeRange,
): RowSource<InstanceCursor, CreatedRow> {
  return {
    fanOut: Math.max(1, classes.length),
    async read(after, limit) {
      // One consistent view of all classes, also while instances go from one to the other: each
      // read is as of its call, and all calls are made before anything else can happen.
      const parts = await Promise.all(
        classes.map(async (instanceClass) => {
          const rows = await indexes.readQuery(hub, instanceClass, created, after, limit);
          return rows.map((row) => ({ ...row, instanceClass }));
        }),
      );
      const cost = parts.reduce((sum, rows) => sum + rows.length, 0);
      return { ...merged(parts, limit), cost };
    },
  };
}

/** Finished orchestrations, however they ended, by (time of completion, instance id). */
export function completedRows(
  indexes: QueryIndexes,
  hub: StorageNumber,
  completed: TimeRange,
): RowSource<InstanceCursor, CompletedIndexRow> {
  return {
    fanOut: 1,
    async read(after, limit) {
      return pageOf(await indexes.readCompleted(hub, completed, after, limit), limit);
    },
  };
}

/** Holds of instances by (time of placing, storage number, name). */
export function heldRows(
  indexes: QueryIndexes,
  hub: StorageNumber,
  placed: TimeRange = {},
): RowSource<HeldCursor, HeldIndexRow> {
  return {
    fanOut: 1,
    async read(after, limit) {
      return pageOf(await indexes.readHeld(hub, placed, after, limit), limit);
    },
  };
}

/** Instances and entities whose ids begin with `prefix`, by the bytes of their ids. */
export function idRows(
  store: Pick<Store, "readIds">,
  hub: StorageNumber,
  prefix: string,
): RowSource<Pick<IdRow, "instanceId">, IdRow> {
  return {
    fanOut: 1,
    async read(after, limit) {
      return pageOf(await store.readIds(hub, prefix, after?.instanceId, limit), limit);
    },
  };
}

/** By time, then by the bytes of the instance id, as the keys are. */
export function comparePlaces(left: InstanceCursor, right: InstanceCursor): number {
  return compareTimestamps(left.time, right.time) || compareText(left.instanceId, right.instanceId);
}

/** Texts in the order of their bytes, which is not that of their code units. */
export function compareText(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function pageOf<R>(rows: readonly R[], limit: number): RowPage<R> {
  return { rows, isLast: rows.length < limit, cost: rows.length };
}

/**
 * Rows of all parts up to where the first of them stopped: behind that, rows of it may be missing.
 */
function merged(parts: readonly (readonly CreatedRow[])[], limit: number) {
  let end: CreatedRow | undefined;
  for (const rows of parts) {
    const last = rows.at(-1);
    if (rows.length < limit || last === undefined) continue;
    if (end === undefined || comparePlaces(last, end) < 0) end = last;
  }
  const bound = end;
  const known = parts.flatMap((rows) =>
    bound === undefined ? rows : rows.filter((row) => comparePlaces(row, bound) <= 0),
  );
  // Parts are in order, so this is a merge. An instance is in one class only.
  return { rows: known.sort(comparePlaces), isLast: bound === undefined };
}
