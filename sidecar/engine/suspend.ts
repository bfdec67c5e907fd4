/** Holds of one instance. The compatible RPCs own the hold with the empty name. */
import { create } from "@bufbuild/protobuf";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  HoldSchema,
  HoldScope,
  MarkerSchema,
  type StoredEvent,
  TimerPolicy,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionResumed, executionSuspended, present } from "../wire/history-event.ts";
import { type Decision, type Environment, newEntry, notFound, nothing } from "./decision.ts";
import type { InstanceState } from "./state.ts";
import { isHeld, isTerminal } from "./status.ts";

const compatibleHold = "";

export interface HoldCommand {
  readonly instanceId: string;
  readonly reason: string | undefined;
  /** A worker has a turn of the instance right now. */
  readonly turnInFlight: boolean;
}

/**
 * Places the hold. Only the first hold of an instance leaves an event: a second one breaks SDKs
 * (trap T5).
 */
export function decideSuspend(
  state: InstanceState | undefined,
  command: HoldCommand,
  environment: Environment,
): Decision {
  if (state === undefined) return notFound(command.instanceId);
  if (isTerminal(state)) return nothing;
  if (state.holds.some((hold) => hold.name === compatibleHold)) return nothing;
  const entry = newEntry(environment);
  entry.holdsPlaced.push(
    create(HoldSchema, {
      name: compatibleHold,
      requestedBy: environment.principal,
      placedAt: environment.now,
      timerPolicy: TimerPolicy.KEEP,
      scope: HoldScope.INSTANCE,
      ...present("reason", command.reason),
    }),
  );
  if (!isHeld(state)) {
    noteInHistory(state, entry, executionSuspended(environment.now, command.reason), command);
  }
  return { kind: "append", entry };
}

/** Releases the hold. Only the release of the last one leaves an event (trap T4). */
export function decideResume(
  state: InstanceState | undefined,
  command: HoldCommand,
  environment: Environment,
): Decision {
  if (state === undefined) return notFound(command.instanceId);
  if (!state.holds.some((hold) => hold.name === compatibleHold)) return nothing;
  const entry = newEntry(environment);
  entry.holdsReleased.push(compatibleHold);
  if (state.holds.length === 1) {
    noteInHistory(state, entry, executionResumed(environment.now, command.reason), command);
  }
  return { kind: "append", entry };
}

/**
 * Suspended and Resumed are for readers of the history only; no SDK worker ever gets them. They are
 * appended at once, or wait for the turn in flight, or for the first turn, and never overtake an
 * earlier one that waits.
 *
 * @see PROTOCOL.md 4.10
 */
function noteInHistory(
  state: InstanceState,
  entry: Entry,
  event: StoredEvent,
  { turnInFlight }: HoldCommand,
): void {
  const neverRan = state.started === undefined;
  if (!neverRan && !turnInFlight && state.markers.length === 0) {
    entry.history.push(event);
    return;
  }
  const behindExecutionStarted =
    neverRan && !turnInFlight && state.markers.every((marker) => marker.behindExecutionStarted);
  entry.markersAdded.push(create(MarkerSchema, { event, behindExecutionStarted }));
}
