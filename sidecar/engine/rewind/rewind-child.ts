/** What a rewound parent's mail does to the child that it waits for again. */
import { assert } from "../../foundation/assert.ts";
import { OrchestrationStatus } from "../../wire/gen/orchestrator_service_pb.ts";
import {
  Kind,
  type Parent,
  type RewindChild,
  Status,
  type StoredEvent,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../wire/history-event.ts";
import { beginChild } from "../child-start.ts";
import { type Decision, type Environment, newEntry, refuse } from "../decision.ts";
import { type Outcome, reportToParent } from "../outbox.ts";
import type { InstanceState } from "../state.ts";
import { isTerminal } from "../status.ts";
import { rewindFailed } from "./rewind.ts";

/**
 * A child that has failed is rewound too, one that is gone is created again, one that goes on reports
 * to the parent's new generation, and one that has ended otherwise reports again: what became of it
 * was not its failure.
 *
 * @param history of the receiver's current generation, complete
 */
export function decideRewindChild(
  receiver: InstanceState | undefined,
  history: readonly StoredEvent[],
  mail: RewindChild,
  environment: Environment,
): Decision {
  const { started, parent, ancestors, reason } = mail;
  assert(started !== undefined && parent !== undefined, "such mail has all that a child needs");
  const child = { started, parent, ancestors };
  if (receiver === undefined) return beginChild(undefined, child, environment);
  if (!isChildOf(receiver, parent)) {
    const isFree = isTerminal(receiver) && receiver.kind === Kind.ORCHESTRATION;
    if (isFree) return beginChild(receiver, child, environment);
    return refuse("instance-exists", "an instance with this id is already running");
  }
  if (receiver.status === Status.FAILED) {
    return rewindFailed(receiver, history, { parent, reason }, environment);
  }
  const entry = newEntry(environment);
  entry.parentRelinked = parent;
  if (isTerminal(receiver)) {
    reportToParent({ ...receiver, parent }, entry, environment, outcomeOf(receiver));
  }
  return { kind: "append", entry };
}

/** By number and action: ids are used again. */
function isChildOf({ parent: of }: InstanceState, parent: Parent): boolean {
  return of?.number === parent.number && of.taskScheduledId === parent.taskScheduledId;
}

function outcomeOf({ completed }: InstanceState): Outcome {
  assert(completed !== undefined, "a finished instance has its ExecutionCompleted");
  const { eventType } = readEvent(completed);
  assert(eventType.case === "executionCompleted", "a stored event is of its kind");
  const { orchestrationStatus, result } = eventType.value;
  switch (orchestrationStatus) {
    case OrchestrationStatus.COMPLETED:
      return { status: "completed", result };
    case OrchestrationStatus.CANCELED:
      return { status: "canceled", output: result };
    default:
      return { status: "terminated", output: result };
  }
}
