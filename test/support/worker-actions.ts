/** Actions that scripted workers answer turns with, as short as what they say. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type HistoryEvent,
  HistoryEventSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type SendEntityMessageActionSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

type ActionType = NonNullable<
  MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"]
>;

function action(id: number, orchestratorActionType: ActionType): OrchestratorAction {
  return create(OrchestratorActionSchema, { id, orchestratorActionType });
}

export interface TaskOptions {
  readonly input?: string;
  readonly version?: string;
}

export function scheduleTask(
  id: number,
  name = "Work",
  options: TaskOptions = {},
): OrchestratorAction {
  return action(id, { case: "scheduleTask", value: { name, ...options } });
}

export function createTimer(id: number, fireAt: Timestamp): OrchestratorAction {
  return action(id, { case: "createTimer", value: { fireAt } });
}

export function startChild(id: number, instanceId: string, name = "Child"): OrchestratorAction {
  return action(id, { case: "createSubOrchestration", value: { instanceId, name } });
}

export function sendEvent(
  id: number,
  instanceId: string,
  name: string,
  data?: string,
): OrchestratorAction {
  const value = { instance: { instanceId }, name, ...(data === undefined ? {} : { data }) };
  return action(id, { case: "sendEvent", value });
}

export function terminateOther(id: number, instanceId: string, reason: string) {
  return action(id, { case: "terminateOrchestration", value: { instanceId, reason } });
}

/** An operation for an entity, a wish to lock some, or the end of it. */
export function entityMessage(
  id: number,
  EntityMessageType: NonNullable<
    MessageInitShape<typeof SendEntityMessageActionSchema>["EntityMessageType"]
  >,
): OrchestratorAction {
  return action(id, { case: "sendEntityMessage", value: { EntityMessageType } });
}

const completionId = 999;

export function completed(result?: string): OrchestratorAction {
  const orchestrationStatus = OrchestrationStatus.COMPLETED;
  const value = { orchestrationStatus, ...(result === undefined ? {} : { result }) };
  return action(completionId, { case: "completeOrchestration", value });
}

export function failed(errorMessage: string): OrchestratorAction {
  const orchestrationStatus = OrchestrationStatus.FAILED;
  const failureDetails = { errorType: "Error", errorMessage };
  const value = { orchestrationStatus, failureDetails };
  return action(completionId, { case: "completeOrchestration", value });
}

/** `carryover` are the names of events that the next generation gets first. */
export function continueAsNew(
  input: string,
  carryover: readonly string[] = [],
): OrchestratorAction {
  const orchestrationStatus = OrchestrationStatus.CONTINUED_AS_NEW;
  const carryoverEvents: HistoryEvent[] = carryover.map((name) =>
    create(HistoryEventSchema, {
      eventId: -1,
      eventType: { case: "eventRaised", value: { name } },
    }),
  );
  const value = { orchestrationStatus, result: input, carryoverEvents };
  return action(completionId, { case: "completeOrchestration", value });
}
