/** What falls due in one instance: timers and the scheduled start. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Timer } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { timerFired } from "../wire/history-event.ts";
import { compareTimestamps, isAfter } from "../wire/timestamp.ts";
import { type Decision, type Environment, newEntry, nothing } from "./decision.ts";
import type { InstanceState } from "./state.ts";

/** The earliest time at which this instance needs attention; undefined when nothing is due ever. */
export function nextDue(state: InstanceState): Timestamp | undefined {
  let earliest = state.startPending ? state.scheduledStartAt : undefined;
  for (const timer of state.timers.values()) {
    const due = dueOf(timer);
    if (earliest === undefined || isAfter(earliest, due)) earliest = due;
  }
  return earliest;
}

/** Fires what is due at `now`, the earliest first and a bounded number at once. A timer never fires early; it may fire late (trap T44). */
export function decideDue(state: InstanceState | undefined, environment: Environment): Decision {
  if (state === undefined) return nothing;
  const { now } = environment;
  const startReleased =
    state.startPending &&
    state.scheduledStartAt !== undefined &&
    !isAfter(state.scheduledStartAt, now);
  const fired = [...state.timers.values()].filter((timer) => !isAfter(dueOf(timer), now));
  if (!startReleased && fired.length === 0) return nothing;
  fired.sort((a, b) => compareTimestamps(dueOf(a), dueOf(b)) || Number(a.id - b.id));
  const entry = newEntry(environment);
  entry.startReleased = startReleased;
  for (const timer of fired.slice(0, LIMITS.timersFiredMax)) {
    assert(timer.fireAt !== undefined, "a timer has its requested time");
    entry.timersSettled.push(timer.id);
    entry.inboxAdded.push(timerFired(timer.timerId, now, timer.fireAt));
  }
  return { kind: "append", entry };
}

function dueOf(timer: Timer): Timestamp {
  assert(timer.dueAt !== undefined, "a timer has its due time");
  return timer.dueAt;
}
