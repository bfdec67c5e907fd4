/**
 * Rewinding a failed instance: it goes on with all that has succeeded, and what has failed is done
 * again. The sidecar rewrites the history itself, because the workers of several SDKs cannot.
 *
 * @see PROTOCOL.md 4.13
 */
import { assert } from "../../foundation/assert.ts";
import { OrchestrationStatusSchema } from "../../wire/gen/orchestrator_service_pb.ts";
import {
  Kind,
  type Parent,
  Status,
  type StoredEvent,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  copyEvent,
  EventKind,
  executionRewound,
  orchestratorStarted,
  readEvent,
  storeEvent,
} from "../../wire/history-event.ts";
import { type Decision, type Environment, notFound, refuse } from "../decision.ts";
import type { InstanceState } from "../state.ts";
import { shownStatus } from "../status.ts";
import { nextTurnClock } from "../turn/begin.ts";
import { beginRewound } from "./generation.ts";
import { keptHistory } from "./kept-history.ts";

export interface RewindCommand {
  readonly instanceId: string;
  /** Recorded verbatim; absent and empty are different. */
  readonly reason: string | undefined;
}

/** @param history of the current generation, complete */
export function decideRewind(
  state: InstanceState | undefined,
  history: readonly StoredEvent[],
  { instanceId, reason }: RewindCommand,
  environment: Environment,
): Decision {
  if (state === undefined || state.kind !== Kind.ORCHESTRATION) return notFound(instanceId);
  if (state.status !== Status.FAILED) return refuseRewind(state);
  return rewindFailed(state, history, { parent: state.parent, reason }, environment);
}

export interface RewindWish {
  /** The parent as it is from now on. */
  readonly parent: Parent | undefined;
  readonly reason: string | undefined;
}

export function rewindFailed(
  state: InstanceState,
  history: readonly StoredEvent[],
  { parent, reason }: RewindWish,
  environment: Environment,
): Decision {
  assert(history.length === state.historyEvents, "a history that is rewound is complete");
  const { now, ids } = environment;
  const executionId = ids.next();
  const clock = nextTurnClock(state, now);
  const kept = keptHistory(history);
  const events = kept.events.map((event) =>
    event.kind === EventKind.executionStarted
      ? inExecution(event, executionId, parent)
      : copyEvent(event),
  );
  // For readers, like a turn of its own: workers are not shown the second.
  const newParentId = parent === state.parent ? undefined : parent?.executionId;
  const rewound = executionRewound(now, reason, state.instanceId, newParentId);
  events.push(orchestratorStarted(clock), rewound);
  const run = { executionId, parent, history: events, children: kept.children, clock, reason };
  return beginRewound(state, { ...run, inbox: [] }, environment);
}

/** The ExecutionStarted of another generation: its own new identity, and that of its parent. */
export function inExecution(
  started: StoredEvent,
  executionId: string,
  parent: Parent | undefined,
): StoredEvent {
  const event = readEvent(started);
  const { eventType } = event;
  assert(eventType.case === "executionStarted", "a stored event is of its kind");
  const { orchestrationInstance, parentInstance } = eventType.value;
  assert(orchestrationInstance !== undefined, "an instance has its ids");
  orchestrationInstance.executionId = executionId;
  const ofParent = parentInstance?.orchestrationInstance;
  if (ofParent !== undefined && parent !== undefined) ofParent.executionId = parent.executionId;
  return storeEvent(event);
}

function refuseRewind(state: InstanceState): Decision {
  const status = OrchestrationStatusSchema.value[shownStatus(state)]?.localName;
  const id = JSON.stringify(state.instanceId);
  return refuse(
    "failed-precondition",
    `instance ${id} is in the ${status} state: the precondition of a rewind is FAILED`,
  );
}
