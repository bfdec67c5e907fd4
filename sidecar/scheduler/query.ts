/** Finding instances, with bounded work in each call. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Coverable } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import type {
  CompletedIndexRow,
  HeldCursor,
  HeldIndexRow,
  InstanceCursor,
  QueryIndexes,
  StorageNumber,
  TimeRange,
} from "../store/store.ts";
import type { Hold, HubHold, Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { type FoundPage, findPage, NOTHING, Work } from "./find-page.ts";
import { HoldFacts, type HoldLookup } from "./hold-facts.ts";
import type { CompiledFilter } from "./query-filter.ts";
import {
  type CreatedRow,
  compareText,
  completedRows,
  createdRows,
  heldRows,
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

/** `covering`: tree and selector holds that cover the instance now. */
export type InstanceView<T> = (state: InstanceState, covering: readonly HubHold[]) => T;

export interface QueryOptions<T, C> {
  readonly filter: CompiledFilter;
  readonly view: InstanceView<T>;
  readonly after: C | undefined;
  readonly limit: number;
}

/** What a page may cost and hold besides. */
export interface PageBounds<T> {
  /** Without it, what one call may cost: a page may then be short although there is more. */
  readonly work?: Work;
  /** @see PageOptions.fits */
  readonly fits?: (item: T) => boolean;
}

/** Instances by (time of creation, instance id). */
export async function findByCreation<T>(
  hub: QueryHub,
  { filter, view, after, limit }: QueryOptions<T, InstanceCursor>,
  { work = new Work(), fits }: PageBounds<T> = {},
): Promise<FoundPage<T, InstanceCursor>> {
  const { number, indexes } = hub;
  if (number === undefined || filter.classes.length === 0) return NOTHING;
  const holds = await HoldFacts.of(hub, number, filter.asksForHolds ? work : undefined);
  const now = hub.now();
  return findPage({
    source: createdRows(indexes, number, filter.classes, filter.created),
    after,
    limit,
    work,
    fits,
    mayMatch: (row) => {
      if (!filter.matchesFacts(factsOf(row))) return false;
      return filter.judge(row.instanceClass, holds.about(row), now) !== "no";
    },
    load: ({ instanceId, row }) =>
      inLife(hub, instanceId, row.number, (state) => shown(hub, filter, view, state)),
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
  return findPage({
    source: heldRows(indexes, number),
    after,
    limit,
    work: new Work(),
    mayMatch: (row) => !shownNumbers.has(row.number),
    load: (row) =>
      inLife(hub, row.row.instanceId, row.number, (state) => {
        if (!isOldest(state.holds, row)) return undefined;
        shownNumbers.add(state.number);
        return shown(hub, filter, view, state);
      }),
  });
}

/**
 * Finished instances, however they ended, by (time of completion, instance id): their ids, from the
 * rows alone.
 */
export async function findFinished(
  { number, indexes }: Pick<QueryHub, "number" | "indexes">,
  { statuses, completed, after, limit, work }: FinishedOptions,
): Promise<FoundPage<string, InstanceCursor>> {
  if (number === undefined) return NOTHING;
  return findPage<string, InstanceCursor, CompletedIndexRow>({
    source: completedRows(indexes, number, completed),
    after,
    limit,
    work,
    mayMatch: ({ row }) => statuses.has(row.status),
    load: async ({ instanceId }) => instanceId,
  });
}

export interface FinishedOptions {
  /** How they may have ended. */
  readonly statuses: ReadonlySet<Status>;
  readonly completed: TimeRange;
  readonly after: InstanceCursor | undefined;
  readonly limit: number;
  readonly work: Work;
}

/** Another life may have taken the id since the row was read. */
function inLife<T>(
  hub: QueryHub,
  instanceId: string,
  number: StorageNumber,
  view: (state: InstanceState) => T | undefined,
): Promise<T | undefined> {
  return hub.read(instanceId, (state) => (state.number === number ? view(state) : undefined));
}

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
