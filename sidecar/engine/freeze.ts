/**
 * Timers that stand still. While at least one hold with the policy FREEZE is in place, of whatever
 * scope, no timer of what it covers fires; afterwards due times are later by that time, counted once
 * however many holds there were. Events and history go on showing the time that was asked for.
 *
 * Each timer knows up to when freezes are part of its due time. Holds of the instance itself are
 * counted when the last of them goes; holds of the hub, which touch no instance, when a timer falls
 * due.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import { type Entry, TimerMoveSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Timer } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  addNanoseconds,
  compareTimestamps,
  isAfter,
  laterOf,
  nanosecondsBetween,
} from "../wire/timestamp.ts";
import type { InstanceState } from "./state.ts";

/** A span of time in which timers stood still. */
export interface FrozenSpan {
  readonly from: Timestamp;
  readonly to: Timestamp;
}

/** The due time of a timer, with the freezes that it does not know of yet. */
export function thawedDue(
  timer: Timer,
  state: InstanceState,
  spans: readonly FrozenSpan[],
): Timestamp {
  const { dueAt, countedTo = state.createdAt } = timer;
  assert(dueAt !== undefined, "a timer has its due time");
  const frozen = frozenNanoseconds(spans, countedTo);
  return frozen === 0n ? dueAt : addNanoseconds(dueAt, frozen);
}

/** Adds to an entry that the due times of all timers have moved. */
export function moveTimers(
  state: InstanceState,
  entry: Entry,
  spans: readonly FrozenSpan[],
  now: Timestamp,
): void {
  const settled = new Set(entry.timersSettled);
  const countedTo = countedThrough(spans, now);
  for (const timer of state.timers.values()) {
    if (settled.has(timer.id)) continue;
    const dueAt = thawedDue(timer, state, spans);
    entry.timersMoved.push(create(TimerMoveSchema, { id: timer.id, dueAt, countedTo }));
  }
}

/**
 * Up to when all of these are counted. The clock may have been set back since one of them ended: it
 * is over all the same, and counts as a whole and once.
 */
export function countedThrough(spans: readonly FrozenSpan[], now: Timestamp): Timestamp {
  return spans.reduce((latest, { to }) => laterOf(latest, to), now);
}

/** How much of the time behind `from` lies in at least one of the spans. */
function frozenNanoseconds(spans: readonly FrozenSpan[], from: Timestamp): bigint {
  let frozen = 0n;
  let counted = from;
  for (const span of spans.toSorted((left, right) => compareTimestamps(left.from, right.from))) {
    const begin = laterOf(span.from, counted);
    if (!isAfter(span.to, begin)) continue;
    frozen += nanosecondsBetween(begin, span.to);
    counted = span.to;
  }
  return frozen;
}
