/**
 * Frozen time of a hub: spans in which its trees and windows let no timer of what they cover fire.
 * They are counted when a timer falls due, so that placing and releasing a hold touches no instance.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { HubEntry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  FreezeSpanSchema,
  type Hold,
  type HubHold,
  TimerPolicy,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import { isAfter, laterOf } from "../../wire/timestamp.ts";
import type { Environment } from "../decision.ts";
import type { FrozenSpan } from "../freeze.ts";
import { type Coverable, covers, isActive } from "./covers.ts";
import { type HubDecision, newHubEntry, nothingForHub } from "./hub-decision.ts";
import type { HubState } from "./hub-state.ts";

/** Spans in which holds of the hub froze the timers of an instance, also one that is still open. */
export function hubFreezesOf(
  state: HubState | undefined,
  subject: Coverable,
  now: Timestamp,
): readonly FrozenSpan[] {
  if (state === undefined) return [];
  const spans: FrozenSpan[] = [];
  for (const span of state.freezes) {
    const { from, to } = span;
    if (from !== undefined && to !== undefined && covers(span, subject)) spans.push({ from, to });
  }
  for (const hubHold of state.holds) {
    if (freezesNow(hubHold, now) && covers(hubHold, subject)) {
      spans.push({ from: freezeStart(hubHold), to: now });
    }
  }
  return spans;
}

/**
 * Forgets spans of frozen time that lie before the creation of all live instances.
 *
 * @param oldest creation of the oldest live instance; undefined when there is none
 */
export function decideForgetFreezes(
  state: HubState,
  oldest: Timestamp | undefined,
  environment: Environment,
): HubDecision {
  // In order of their ends: the first one that is needed keeps those behind it.
  const needed = state.freezes.findIndex(
    ({ to }) => oldest !== undefined && to !== undefined && isAfter(to, oldest),
  );
  const forgotten = needed === -1 ? state.freezes.length : needed;
  if (forgotten === 0) return nothingForHub;
  const entry = newHubEntry(environment);
  entry.freezesForgotten = forgotten;
  return { kind: "append", entry };
}

/**
 * When the last span of frozen time ended, as the clock showed it then: behind now when the clock was
 * set back meanwhile. No timer that is created from now on lies in any of them.
 */
export function freezesEnd(state: HubState | undefined): Timestamp | undefined {
  let end: Timestamp | undefined;
  for (const { to } of state?.freezes ?? []) {
    if (to !== undefined) end = end === undefined ? to : laterOf(end, to);
  }
  return end;
}

/** Timers of what it covers stand still. */
export function freezesNow(hubHold: HubHold, now: Timestamp): boolean {
  const { hold, pacedRelease } = hubHold;
  return (
    hold?.timerPolicy === TimerPolicy.FREEZE && pacedRelease === undefined && isActive(hubHold, now)
  );
}

/** Adds the span in which a hold that goes, or changes, has frozen timers. */
export function endFreeze(
  state: HubState,
  entry: HubEntry,
  hubHold: HubHold,
  now: Timestamp,
): void {
  if (!freezesNow(hubHold, now)) return;
  const { origin, selector, includeEntities } = hubHold;
  entry.freezesAdded.push(
    create(FreezeSpanSchema, {
      from: freezeStart(hubHold),
      to: now,
      includeEntities,
      ...present("origin", origin),
      ...present("selector", selector),
    }),
  );
  const kept = state.freezes.length + entry.freezesAdded.length;
  entry.freezesForgotten = Math.max(entry.freezesForgotten, kept - LIMITS.freezeSpansMax);
}

/** A hold that was replaced began to freeze then what it covers now. */
function freezeStart({ hold, startsAt }: HubHold): Timestamp {
  const since = replacedOrPlaced(hold);
  return startsAt === undefined ? since : laterOf(since, startsAt);
}

function replacedOrPlaced(hold: Hold | undefined): Timestamp {
  const since = hold?.replacedAt ?? hold?.placedAt;
  assert(since !== undefined, "a hold has its time");
  return since;
}
