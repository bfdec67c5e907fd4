/** Finding instances, with bounded work in each call. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Coverable } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { LIMITS } from "../foundation/limits.ts";
import type {
  HeldCursor,
  HeldIndexRow,
  InstanceCursor,
  QueryIndexes,
  StorageNumber,
} from "../store/store.ts";
import type { Hold, HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { HoldFacts, type HoldLookup } from "./hold-facts.ts";
import type { CompiledFilter } from "./query-filter.ts";
import {
  type CreatedRow,
  compareText,
  createdRows,
  heldRows,
  type RowSource,
} from "./row-sources.ts";

/** What queries need of a task hub. A `TaskHub` is one. */
export interface QueryHub extends HoldLookup {
  /** Undefined while the hub does not exist. */
  readonly number: StorageNumber | undefined;
  readonly indexes: QueryIndexes;
  now(): Timestamp;
  /** Resolves when what `hubHolds` and `number` said last is durable. */
  hubSettled(): Promise<void>;
  /** What `view` makes of the state, once that is durable; undefined when there is no instance. */
  read<T>(instanceId: string, view: (state: InstanceState) => T): Promise<T | undefined>;
}

/** What one call may still cost. */
export class Work {
  rows: number;
  loads: number;

  constructor(rows: number = LIMITS.queryRowsMax, loads: number = LIMITS.queryLoadsMax) {
    this.rows = rows;
    this.loads = loads;
  }
}

/** `covering`: tree and selector holds that cover the instance now. */
export type InstanceView<T> = (state: InstanceState, covering: readonly HubHold[]) => T;

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

export interface QueryOptions<T, C> {
  readonly filter: CompiledFilter;
  readonly view: InstanceView<T>;
  readonly after: C | undefined;
  readonly limit: number;
}

/** Instances by (time of creation, instance id). */
export async function findByCreation<T>(
  hub: QueryHub,
  { filter, view, after, limit }: QueryOptions<T, InstanceCursor>,
): Promise<FoundPage<T, InstanceCursor>> {
  const { number, indexes } = hub;
  if (number === undefined || filter.classes.length === 0) return NOTHING;
  const work = new Work();
  const holds = await HoldFacts.of(hub, number, filter.asksForHolds ? work : undefined);
  const now = hub.now();
  return findPage(hub, {
    source: createdRows(indexes, number, filter.classes, filter.created),
    after,
    limit,
    work,
    instanceOf: ({ instanceId, row }) => ({ instanceId, number: row.number }),
    mayMatch: (row) => {
      if (!filter.matchesFacts(factsOf(row))) return false;
      return filter.judge(row.instanceClass, holds.about(row), now) !== "no";
    },
    show: (state) => shown(hub, filter, view, state),
  });
}

/**
 * Instances with holds of their own, the one with the oldest hold first. Each is shown once, at the
 * row of its oldest hold; a place names that hold.
 */
export async function findByHold<T>(
  hub: QueryHub,
  { filter, view, after, limit }: QueryOptions<T, HeldCursor>,
): Promise<FoundPage<T, HeldCursor>> {
  const { number, indexes } = hub;
  if (number === undefined || !filter.classes.includes("live")) return NOTHING;
  const shownNumbers = new Set<StorageNumber>();
  return findPage(hub, {
    source: heldRows(indexes, number),
    after,
    limit,
    work: new Work(),
    instanceOf: ({ number: held, row }) => ({ instanceId: row.instanceId, number: held }),
    mayMatch: (row) => !shownNumbers.has(row.number),
    show: (state, row) => {
      if (!isOldest(state.holds, row)) return undefined;
      shownNumbers.add(state.number);
      return shown(hub, filter, view, state);
    },
  });
}

const NOTHING = { found: [], next: undefined };

/** What the row of an instance says of it. */
export function factsOf({ instanceId, time: createdAt, row }: CreatedRow) {
  const { name, version, tags, parentInstanceId, completedAt } = row;
  return { instanceId, createdAt, name, version, tags, parentInstanceId, completedAt };
}

function shown<T>(
  hub: QueryHub,
  filter: CompiledFilter,
  view: InstanceView<T>,
  state: InstanceState,
): T | undefined {
  const covering = coveringOf(hub, state);
  return filter.matchesState(state, covering, hub.now()) ? view(state, covering) : undefined;
}

/** Nothing covers what is finished. */
export function coveringOf(hub: HoldLookup, state: InstanceState & Coverable): readonly HubHold[] {
  return isTerminal(state) ? [] : hub.holdsOn(state);
}

function isOldest(holds: readonly Hold[], { time, name }: HeldIndexRow): boolean {
  const isPresent = holds.some((hold) => hold.name === name);
  return (
    isPresent &&
    holds.every((hold) => {
      if (hold.placedAt === undefined) return true;
      const order = compareTimestamps(time, hold.placedAt) || compareText(name, hold.name);
      return order <= 0;
    })
  );
}

interface PageOptions<T, C, R extends C> {
  readonly source: RowSource<C, R>;
  readonly after: C | undefined;
  readonly limit: number;
  readonly work: Work;
  instanceOf(row: R): { readonly instanceId: string; readonly number: StorageNumber };
  /** Whether an instance is worth loading. */
  mayMatch(row: R): boolean;
  /** Undefined for an instance that does not match. */
  show(state: InstanceState, row: R): T | undefined;
}

/** Instances loaded at once. */
const LOADS_AT_ONCE = 32;
const CHUNK_MIN = 16;
const CHUNK_MAX = 500;

/** Fills a page from rows in order, as far as work allows. */
async function findPage<T, C, R extends C>(
  hub: QueryHub,
  options: PageOptions<T, C, R>,
): Promise<FoundPage<T, C>> {
  const { source, limit, work, mayMatch } = options;
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
      const room = Math.min(LOADS_AT_ONCE, limit - found.length, work.loads);
      const batch: R[] = [];
      // Ends behind the rows that need no look, so that a full page knows if it is the last.
      for (; at < rows.length; at += 1) {
        const row = rows[at];
        if (row === undefined || !mayMatch(row)) continue;
        if (batch.length === room) break;
        batch.push(row);
      }
      work.loads -= batch.length;
      found.push(...(await loadAll(hub, options, batch)));
      place = rows[at - 1] ?? place;
      const isFull = found.length === limit || work.loads === 0;
      if (isFull && at < rows.length) return { found, next: place };
    }
    if (isLast) return { found, next: undefined };
    if (found.length === limit || work.loads === 0) return { found, next: place };
    chunk *= 2;
  }
}

async function loadAll<T, C, R extends C>(
  hub: QueryHub,
  { instanceOf, show }: PageOptions<T, C, R>,
  batch: readonly R[],
): Promise<Found<T, C>[]> {
  const items = await Promise.all(
    batch.map(async (row) => {
      const { instanceId, number } = instanceOf(row);
      // Another life may have taken the id since the row was read.
      return hub.read(instanceId, (state) =>
        state.number === number ? show(state, row) : undefined,
      );
    }),
  );
  return batch.flatMap((place, index) => {
    const item = items[index];
    return item === undefined ? [] : [{ item, place }];
  });
}
