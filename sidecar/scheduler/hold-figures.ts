/**
 * Figures of holds by their name, for metrics. They are read from the index of holds when somebody
 * asks, a page at a time, so that nothing has to be kept for a million suspended instances.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { quarantineHold } from "../engine/delivery.ts";
import { heldSince, isActive } from "../engine/hub/covers.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import { ExpiryAction, type Hold, type HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { isAfter, nanosecondsBetween } from "../wire/timestamp.ts";
import type { HeldBackTable } from "./held-back.ts";

/** Upper bounds of ages, in seconds. */
export const HOLD_AGE_BUCKETS = [60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000] as const;

/** Names above the limit are counted together under this one. */
const OTHER = "other";
const namesMax = 50;
const page = 1_000;

/** Figures of all holds of one name. */
export interface HoldFigures {
  /** For trees and windows: instances whose work they hold back. */
  instances: number;
  oldestSeconds: number;
  /** Instances by age, one count for each bucket, not cumulative, and one for what is older. */
  readonly ages: number[];
  /** Holds whose expiry has passed. */
  overdue: number;
  bufferedEvents: number;
}

export interface HoldFiguresSource {
  readonly number: StorageNumber | undefined;
  readonly store: Pick<Store, "readHeld">;
  readonly hubHolds: readonly HubHold[];
  readonly now: Timestamp;
  heldBack(): Pick<HeldBackTable, "by">;
}

/** By name of the hold; at most 52 of them. */
export async function holdFigures(
  source: HoldFiguresSource,
): Promise<ReadonlyMap<string, HoldFigures>> {
  const figures = new Map<string, HoldFigures>();
  const { number, store, hubHolds, now } = source;
  const heldBack = hubHolds.length === 0 ? undefined : source.heldBack();
  for (const hubHold of hubHolds) {
    if (hubHold.hold === undefined || heldBack === undefined) continue;
    if (!isActive(hubHold, now)) continue;
    const { instancesHeldBack, bufferedEvents } = heldBack.by(hubHold);
    const counted = { instances: instancesHeldBack, bufferedEvents };
    add(figures, hubHold.hold, heldSince(hubHold), now, counted);
  }
  if (number === undefined) return figures;
  let rows = await store.readHeld(number, {}, undefined, page);
  // Ends with the last hold: each page continues behind the one before.
  while (rows.length > 0) {
    for (const { row } of rows) {
      if (row.hold === undefined) continue;
      const counted = { instances: 1, bufferedEvents: row.bufferedEvents };
      add(figures, row.hold, row.hold.placedAt, now, counted);
    }
    if (rows.length < page) break;
    rows = await store.readHeld(number, {}, rows.at(-1), page);
  }
  return figures;
}

function add(
  all: Map<string, HoldFigures>,
  { name, expiresAt, expiryAction }: Hold,
  since: Timestamp | undefined,
  now: Timestamp,
  counted: { readonly instances: number; readonly bufferedEvents: number },
): void {
  // However many names there are, this one is looked for.
  const isShown = all.has(name) || all.size < namesMax || name === quarantineHold;
  const key = isShown ? name : OTHER;
  let figures = all.get(key);
  if (figures === undefined) {
    const ages = new Array<number>(HOLD_AGE_BUCKETS.length + 1).fill(0);
    figures = { instances: 0, oldestSeconds: 0, ages, overdue: 0, bufferedEvents: 0 };
    all.set(key, figures);
  }
  const age = since === undefined ? 0 : Number(nanosecondsBetween(since, now)) / 1e9;
  const found = HOLD_AGE_BUCKETS.findIndex((bound) => age <= bound);
  const bucket = found === -1 ? HOLD_AGE_BUCKETS.length : found;
  figures.instances += counted.instances;
  figures.bufferedEvents += counted.bufferedEvents;
  figures.ages[bucket] = (figures.ages[bucket] ?? 0) + counted.instances;
  figures.oldestSeconds = Math.max(figures.oldestSeconds, age);
  const isOverdue = expiresAt !== undefined && !isAfter(expiresAt, now);
  if (isOverdue && expiryAction === ExpiryAction.KEEP) figures.overdue += 1;
}
