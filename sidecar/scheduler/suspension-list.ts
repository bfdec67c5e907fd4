/** Holds of every scope, the oldest first: from the rows of instances and the holds of the hub. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import type { HeldIndexRow, StorageNumber } from "../store/store.ts";
import { type Hold, HoldScope, type HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { addNanoseconds, compareTimestamps } from "../wire/timestamp.ts";
import { Work } from "./find-page.ts";
import type { QueryHub } from "./query.ts";
import { compareText, heldRows, type RowPage } from "./row-sources.ts";

/** Where a hold stands in the order of all holds of a hub. */
export interface SuspensionPlace {
  readonly time: Timestamp;
  readonly scope: HoldScope;
  /** Storage number of the instance or of the origin of the tree; 0 for a window. */
  readonly number: StorageNumber;
  readonly name: string;
}

/** One hold of an instance, or of the hub. */
export type ListedHold =
  | { readonly of: "instance"; readonly hold: Hold; readonly row: HeldIndexRow }
  | { readonly of: "hub"; readonly hold: Hold; readonly hubHold: HubHold };

export interface SuspensionOptions {
  /** Undefined does not filter. */
  readonly scope: HoldScope | undefined;
  /** Only holds that were placed before this time. */
  readonly placedBefore: Timestamp | undefined;
  readonly matches: (listed: ListedHold) => boolean;
  readonly after: SuspensionPlace | undefined;
  readonly limit: number;
}

export interface SuspensionPage {
  readonly holds: readonly ListedHold[];
  readonly next: SuspensionPlace | undefined;
}

interface Placed {
  readonly place: SuspensionPlace;
  readonly listed: ListedHold;
}

export async function listSuspensions(
  hub: QueryHub,
  options: SuspensionOptions,
): Promise<SuspensionPage> {
  const { after, limit, matches } = options;
  const ofHub = hubHoldsBehind(hub, options);
  const work = new Work();
  const found: ListedHold[] = [];
  let place = after;
  // Ends with the last hold, with a full page, or with the rows that one call may cost.
  for (;;) {
    const wanted = Math.min(limit - found.length + 1, CHUNK_MAX, work.rows);
    if (wanted === 0) return { holds: found, next: place };
    const page = await readRows(hub, options, place, wanted);
    work.rows -= page.cost;
    const end = page.isLast ? undefined : page.rows.at(-1);
    const rows = page.rows.map(placedRow);
    // Holds of the hub behind the last row come when what is before them is known.
    const known = ofHub.filter((each) => isWithin(each.place, place, end && placedRow(end).place));
    const merged = [...rows, ...known].sort((a, b) => comparePlaces(a.place, b.place));
    for (const { place: at, listed } of merged) {
      // What follows a full page says whether it is the last one.
      if (matches(listed)) {
        if (found.length === limit) return { holds: found, next: place };
        found.push(listed);
      }
      place = at;
    }
    if (page.isLast) return { holds: found, next: undefined };
  }
}

const CHUNK_MAX = 500;

async function readRows(
  hub: QueryHub,
  { scope, placedBefore }: SuspensionOptions,
  after: SuspensionPlace | undefined,
  limit: number,
): Promise<RowPage<HeldIndexRow>> {
  const isWanted = scope === undefined || scope === HoldScope.INSTANCE;
  if (hub.number === undefined || !isWanted) return { rows: [], isLast: true, cost: 0 };
  // Behind a hold of the hub come the rows of the next moment: instances come first in each.
  const isRow = after?.scope === HoldScope.INSTANCE;
  const from = after === undefined || isRow ? undefined : addNanoseconds(after.time, 1n);
  const source = heldRows(hub.indexes, hub.number, { from, to: placedBefore });
  return source.read(isRow ? after : undefined, limit);
}

function hubHoldsBehind(
  { hubHolds }: QueryHub,
  { scope, placedBefore, after }: SuspensionOptions,
): Placed[] {
  const placed = hubHolds.flatMap((hubHold): Placed[] => {
    const { hold, origin } = hubHold;
    if (hold?.placedAt === undefined) return [];
    const listedScope = origin === undefined ? HoldScope.SELECTOR : HoldScope.TREE;
    if (scope !== undefined && scope !== listedScope) return [];
    if (placedBefore && compareTimestamps(hold.placedAt, placedBefore) >= 0) return [];
    const number = origin?.number ?? 0n;
    const place = { time: hold.placedAt, scope: listedScope, number, name: hold.name };
    return [{ place, listed: { of: "hub", hold, hubHold } }];
  });
  return placed.filter(({ place }) => isWithin(place, after, undefined));
}

function placedRow(row: HeldIndexRow): Placed {
  const { hold } = row.row;
  assert(hold !== undefined, "a held row has its hold");
  const { time, number, name } = row;
  const place = { time, scope: HoldScope.INSTANCE, number, name };
  return { place, listed: { of: "instance", hold, row } };
}

/** Behind `after` and at `end` or before. */
function isWithin(
  place: SuspensionPlace,
  after: SuspensionPlace | undefined,
  end: SuspensionPlace | undefined,
): boolean {
  if (after !== undefined && comparePlaces(place, after) <= 0) return false;
  return end === undefined || comparePlaces(place, end) <= 0;
}

/** By time, then instances before trees before windows, then by number and the bytes of the name. */
function comparePlaces(left: SuspensionPlace, right: SuspensionPlace): number {
  return (
    compareTimestamps(left.time, right.time) ||
    left.scope - right.scope ||
    Number(left.number - right.number) ||
    compareText(left.name, right.name)
  );
}
