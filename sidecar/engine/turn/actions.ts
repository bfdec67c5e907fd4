/** What one action of a turn becomes: an event of the history, and outstanding work or mail. */
import { create } from "@bufbuild/protobuf";
import { assert } from "../../foundation/assert.ts";
import { isEntityId } from "../../foundation/entity-id.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import type {
  CreateSubOrchestrationAction,
  CreateTimerAction,
  OrchestratorAction,
  ScheduleTaskAction,
  SendEventAction,
  TerminateOrchestrationAction,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ActivitySchema,
  ChildSchema,
  PendingTerminateSchema,
  RaisedEventSchema,
  StartChildSchema,
  type StoredEvent,
  TerminateMailSchema,
  TimerSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  eventRaised,
  eventSent,
  present,
  subOrchestrationCreated,
  subOrchestrationFailed,
  taskScheduled,
  timerCreated,
} from "../../wire/history-event.ts";
import { laterOf } from "../../wire/timestamp.ts";
import { childIdProblem, childStart } from "../child-start.ts";
import type { Environment } from "../decision.ts";
import { sendMail } from "../outbox.ts";
import type { InstanceState } from "../state.ts";
import { sendEntityMessage } from "./entity-actions.ts";
import { sendLegacyEntityMessage } from "./legacy-entity-actions.ts";

export interface ActionScope {
  readonly state: InstanceState;
  readonly entry: Entry;
  readonly environment: Environment;
  /** Events that the instance sent to itself in this turn. */
  readonly toSelf: StoredEvent[];
  readonly ending: "goes-on" | "completes" | "terminated" | "continues-as-new";
}

/** Applies one action that is not a completion. `refusedAnswer` has let it pass. */
export function applyAction(scope: ActionScope, action: OrchestratorAction): void {
  const { orchestratorActionType: type } = action;
  switch (type.case) {
    case "scheduleTask":
      return scheduleTask(scope, action.id, type.value);
    case "createTimer":
      return createTimer(scope, action.id, type.value);
    case "createSubOrchestration":
      return createSubOrchestration(scope, action.id, type.value);
    case "sendEvent":
      return sendEvent(scope, action.id, type.value);
    case "terminateOrchestration":
      return terminateOrchestration(scope, type.value);
    case "sendEntityMessage":
      return sendEntityMessage(scope, action.id, type.value);
    default:
      assert(false, `action ${type.case} was let pass`);
  }
}

/** Identity of the next outstanding work that the entry adds. */
export function nextWorkId({ state, entry }: ActionScope): bigint {
  const added =
    entry.activitiesAdded.length +
    entry.timersAdded.length +
    entry.childrenAdded.length +
    entry.entityCallsAdded.length +
    entry.lockRequestsAdded.length;
  return state.nextWorkId + BigInt(added);
}

function scheduleTask(scope: ActionScope, id: number, action: ScheduleTaskAction): void {
  // A terminated instance starts nothing new.
  if (scope.ending === "terminated") return;
  const { state, entry, environment } = scope;
  // An identity of its own: Python retries under the same action id (trap T2).
  entry.activitiesAdded.push(
    create(ActivitySchema, {
      id: nextWorkId(scope),
      taskId: id,
      executionId: state.executionId,
      historyIndex: entry.history.length,
      name: action.name,
      ...present("version", action.version),
    }),
  );
  entry.history.push(taskScheduled(id, environment.now, action));
}

function createTimer(scope: ActionScope, id: number, action: CreateTimerAction): void {
  // Timers end with their generation.
  if (scope.ending === "terminated" || scope.ending === "continues-as-new") return;
  const { entry, environment } = scope;
  const fireAt = action.fireAt ?? environment.now;
  entry.timersAdded.push(
    create(TimerSchema, {
      id: nextWorkId(scope),
      timerId: id,
      fireAt,
      dueAt: fireAt,
      countedTo: laterOf(environment.now, environment.freezesEnd ?? environment.now),
    }),
  );
  entry.history.push(timerCreated(id, environment.now, fireAt));
}

function createSubOrchestration(
  scope: ActionScope,
  id: number,
  action: CreateSubOrchestrationAction,
): void {
  if (scope.ending === "terminated") return;
  const { state, entry, environment } = scope;
  const { now } = environment;
  const instanceId = action.instanceId || defaultChildId(state.instanceId, id);
  const problem = childIdProblem(instanceId);
  if (problem !== undefined) {
    // Nobody could ever name such a child again: the task that waits for it fails instead.
    const details = permanentFailure(
      "InvalidInstanceId",
      `the instance id of the child ${problem}`,
    );
    entry.history.push(subOrchestrationCreated(id, now, instanceId, action));
    entry.inboxAdded.push(subOrchestrationFailed(id, now, details));
    return;
  }
  const start = childStart(state, id, instanceId, action, environment);
  const { started, parent, ancestors, detached } = start;
  const value = create(StartChildSchema, { started, parent, ancestors });
  entry.childrenAdded.push(
    create(ChildSchema, { id: nextWorkId(scope), taskScheduledId: id, instanceId, detached }),
  );
  entry.history.push(subOrchestrationCreated(id, now, instanceId, action));
  sendMail(state, entry, instanceId, { case: "startChild", value });
}

/** Go leaves the child's id empty. */
function defaultChildId(parentId: string, actionId: number): string {
  return `${parentId}:${(actionId >>> 0).toString(16).padStart(4, "0")}`;
}

function sendEvent(scope: ActionScope, id: number, action: SendEventAction): void {
  const { state, entry, environment } = scope;
  const { now } = environment;
  const targetId = action.instance?.instanceId ?? "";
  entry.history.push(eventSent(id, now, targetId, action.name, action.data));
  if (isEntityId(targetId)) {
    sendLegacyEntityMessage(scope, id, action);
    return;
  }
  const event = eventRaised(now, action.name, action.data);
  if (targetId === state.instanceId) {
    scope.toSelf.push(event);
    return;
  }
  sendMail(state, entry, targetId, {
    case: "raisedEvent",
    value: create(RaisedEventSchema, { event }),
  });
}

function terminateOrchestration(scope: ActionScope, action: TerminateOrchestrationAction): void {
  const { state, entry } = scope;
  const output = present("output", action.reason);
  if (action.instanceId === state.instanceId) {
    if (scope.ending === "completes" || scope.ending === "terminated") return;
    // The first output wins.
    if ((state.pendingTerminate ?? entry.pendingTerminate) !== undefined) return;
    entry.pendingTerminate = create(PendingTerminateSchema, { recurse: action.recurse, ...output });
    return;
  }
  const value = create(TerminateMailSchema, { recurse: action.recurse, ...output });
  sendMail(state, entry, action.instanceId, { case: "terminate", value });
}
