import { create } from "@bufbuild/protobuf";
import { DeliverySchema, type Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  HoldScope,
  TimerPolicy,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Decision, type Environment, newEntry, nothing } from "../decision.ts";
import {
  countDelivery,
  deliveriesInWords,
  isExhausted,
  isWorthCounting,
  quarantinedBy,
  quarantineHold,
  type ReturnCommand,
} from "../delivery.ts";
import { addHold, newHold } from "../holds.ts";
import type { InstanceState } from "../state.ts";

/**
 * A turn ended without an answer, and nothing is known of how: the process has ended, or the worker
 * asked for its history. Reader-only events that waited for its commit take their place in the
 * history now: the next turn may be far away, because the instance is held.
 */
export function decideTurnLost(
  state: InstanceState | undefined,
  environment: Environment,
): Decision {
  if (state === undefined || !hasMarkersToRecord(state)) return nothing;
  const entry = newEntry(environment);
  entry.markersRecorded = true;
  return { kind: "append", entry };
}

/**
 * A worker has lost a turn, or given it back: that is counted. One that was lost too often is not
 * handed out again: the instance is held until somebody releases it.
 */
export function decideTurnReturned(
  state: InstanceState | undefined,
  command: ReturnCommand,
  environment: Environment,
): Decision {
  if (state === undefined) return nothing;
  const { outcome } = command;
  const counts = countDelivery(state.turnDeliveries, outcome);
  const entry = newEntry(environment);
  entry.markersRecorded = hasMarkersToRecord(state);
  const isCounted = isWorthCounting(state.turnDeliveries);
  if (isCounted) entry.deliveries.push(create(DeliverySchema, { workId: 0n, outcome }));
  if (isExhausted(counts, command))
    quarantine(state, entry, deliveriesInWords(counts), environment);
  const isSomething = isCounted || entry.markersRecorded || entry.holdsPlaced.length > 0;
  return isSomething ? { kind: "append", entry } : nothing;
}

/** A hold of that name that somebody else has placed does the same, and stays as it is. */
function quarantine(
  state: InstanceState,
  entry: Entry,
  what: string,
  environment: Environment,
): void {
  if (state.holds.some(({ name }) => name === quarantineHold)) return;
  const wish = {
    name: quarantineHold,
    reason: `a turn ${what}`,
    requestedBy: quarantinedBy,
    resumeCondition: undefined,
    expiresAt: undefined,
    expiryAction: ExpiryAction.UNSPECIFIED,
    timerPolicy: TimerPolicy.KEEP,
  };
  addHold(state, entry, newHold(wish, HoldScope.INSTANCE, undefined, environment), false);
}

/** Those of an instance that never ran belong behind its ExecutionStarted. */
function hasMarkersToRecord({ started, markers }: InstanceState): boolean {
  return started !== undefined && markers.length > 0;
}
