/** What a worker gets for one turn. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, orchestratorStarted, readEvent } from "../../wire/history-event.ts";
import { addMilliseconds, isAfter, laterOf } from "../../wire/timestamp.ts";
import type { InstanceState } from "../state.ts";

export interface BegunTurn {
  readonly executionId: string;
  readonly clock: Timestamp;
  readonly started: StoredEvent;
  /** The head of the inbox, in order; behind `started` they are the new events of the turn. */
  readonly taken: readonly StoredEvent[];
}

/**
 * Takes a bounded prefix of the inbox, of events that entries up to `throughSequence` added. The
 * inbox itself stays as it is until the turn commits.
 *
 * @param bytesMax of the events; the first one is taken whatever it has
 */
export function beginTurn(
  state: InstanceState,
  now: Timestamp,
  throughSequence: number,
  bytesMax: number = LIMITS.turnEventBytesMax,
): BegunTurn {
  const taken: StoredEvent[] = [];
  let bytes = 0;
  let clock = nextTurnClock(state, now);
  for (const event of state.inbox) {
    if (taken.length === LIMITS.turnEventsMax || event.originSequence > throughSequence) break;
    bytes += event.event.length;
    if (taken.length > 0 && bytes > bytesMax) break;
    taken.push(event);
    // Later than its timers: for the Java SDK one that is due at the very time has not fired.
    if (event.kind === EventKind.timerFired) {
      clock = laterOf(clock, addMilliseconds(fireAtOf(event), 1));
    }
  }
  return { executionId: state.executionId, clock, started: orchestratorStarted(clock), taken };
}

/**
 * Strictly later than every earlier turn: replay derives GUIDs and timer times from it (trap T12).
 */
export function nextTurnClock(state: InstanceState, now: Timestamp): Timestamp {
  if (state.turnClock === undefined) return now;
  const earliest = addMilliseconds(state.turnClock, 1);
  return isAfter(earliest, now) ? earliest : now;
}

function fireAtOf(stored: StoredEvent): Timestamp {
  const { eventType } = readEvent(stored);
  assert(eventType.case === "timerFired", "a stored event is of its kind");
  assert(eventType.value.fireAt !== undefined, "a TimerFired event has its due time");
  return eventType.value.fireAt;
}
