/** Actions that only these checks need, beside those of test/support/worker-actions.ts. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CompleteOrchestrationActionSchema,
  type CreateSubOrchestrationActionSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type RewindOrchestrationActionSchema,
  type ScheduleTaskActionSchema,
  type SendEntityMessageActionSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

type ActionType = NonNullable<
  MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"]
>;
type EntityMessage = NonNullable<
  MessageInitShape<typeof SendEntityMessageActionSchema>["EntityMessageType"]
>;

export function action(id: number, orchestratorActionType: ActionType): OrchestratorAction {
  return create(OrchestratorActionSchema, { id, orchestratorActionType });
}

export function task(
  id: number,
  value: MessageInitShape<typeof ScheduleTaskActionSchema>,
): OrchestratorAction {
  return action(id, { case: "scheduleTask", value });
}

export function child(
  id: number,
  value: MessageInitShape<typeof CreateSubOrchestrationActionSchema>,
): OrchestratorAction {
  return action(id, { case: "createSubOrchestration", value });
}

export function end(
  value: MessageInitShape<typeof CompleteOrchestrationActionSchema>,
  id = 999,
): OrchestratorAction {
  return action(id, { case: "completeOrchestration", value });
}

export function nextGeneration(
  value: MessageInitShape<typeof CompleteOrchestrationActionSchema>,
): OrchestratorAction {
  const orchestrationStatus = OrchestrationStatus.CONTINUED_AS_NEW;
  return end({ orchestrationStatus, ...value });
}

export function rewindTo(
  value: MessageInitShape<typeof RewindOrchestrationActionSchema>,
): OrchestratorAction {
  return action(-1, { case: "rewindOrchestration", value });
}

export function entityMessage(id: number, EntityMessageType: EntityMessage): OrchestratorAction {
  return action(id, { case: "sendEntityMessage", value: { EntityMessageType } });
}

export function signalEntity(
  id: number,
  targetInstanceId: string,
  operation: string,
  more: { readonly input?: string; readonly requestId?: string } = {},
): OrchestratorAction {
  const requestId = crypto.randomUUID();
  const value = { requestId, targetInstanceId, operation, ...more };
  return entityMessage(id, { case: "entityOperationSignaled", value });
}

export function callEntity(
  id: number,
  targetInstanceId: string,
  operation: string,
  requestId: string = crypto.randomUUID(),
): OrchestratorAction {
  const value = { requestId, targetInstanceId, operation };
  return entityMessage(id, { case: "entityOperationCalled", value });
}

export function lockEntities(
  id: number,
  lockSet: readonly string[],
  criticalSectionId: string,
  parentInstanceId: string,
): OrchestratorAction {
  const value = { criticalSectionId, lockSet: [...lockSet], position: 0, parentInstanceId };
  return entityMessage(id, { case: "entityLockRequested", value });
}

export function unlockEntity(
  id: number,
  targetInstanceId: string,
  criticalSectionId: string,
  parentInstanceId: string,
): OrchestratorAction {
  const value = { criticalSectionId, parentInstanceId, targetInstanceId };
  return entityMessage(id, { case: "entityUnlockSent", value });
}
