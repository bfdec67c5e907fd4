/**
 * What an orchestration sends to entities. Each message becomes an event of the history, and mail;
 * what is waited for becomes outstanding work.
 *
 * @see PROTOCOL.md 6.5, 6.6
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import { normalEntityId } from "../../foundation/entity-id.ts";
import {
  entityLockGranted,
  entityOperationCalled,
  entityOperationSignaled,
  entitySent,
} from "../../wire/entity-event.ts";
import type {
  EntityOperationCalledEvent,
  EntityOperationSignaledEvent,
  SendEntityMessageAction,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { EntityUnlockedSchema } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityCallerSchema,
  EntityCallSchema,
  EntityLockWishSchema,
  EntityOperationMailSchema,
  EntityOperationSchema,
  LockRequestSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import { sendRelease } from "../entity/leave.ts";
import { legacyLockGranted } from "../entity/legacy-answers.ts";
import { sendMail } from "../outbox.ts";
import { type ActionScope, nextWorkId } from "./actions.ts";

/** Applies one action. `refusedAnswer` has let it pass: its entity ids are well-formed. */
export function sendEntityMessage(
  scope: ActionScope,
  id: number,
  { EntityMessageType: message }: SendEntityMessageAction,
): void {
  assert(message.case !== undefined, "an entity message that says nothing was let pass");
  scope.entry.history.push(entitySent(id, scope.environment.now, message));
  switch (message.case) {
    case "entityOperationSignaled":
      return signal(scope, operationIn(message.value));
    case "entityOperationCalled":
      return call(scope, id, { ...operationIn(message.value), legacy: false });
    case "entityLockRequested": {
      const { criticalSectionId, lockSet } = message.value;
      return lock(scope, id, { criticalSectionId, lockSet: lockSet.map(entity), legacy: false });
    }
    case "entityUnlockSent": {
      const { criticalSectionId, targetInstanceId = "" } = message.value;
      return unlock(scope, { target: entity(targetInstanceId), criticalSectionId });
    }
  }
}

function operationIn(
  event: EntityOperationSignaledEvent | EntityOperationCalledEvent,
): SentOperation {
  const { targetInstanceId = "", requestId, operation, input, scheduledTime } = event;
  return {
    target: entity(targetInstanceId),
    requestId,
    operation,
    input,
    scheduledAt: scheduledTime,
  };
}

function entity(text: string): string {
  const id = normalEntityId(text);
  assert(id !== undefined, "an entity id without its form was let pass");
  return id;
}

/** An operation that an orchestration sends, in whatever encoding. */
export interface SentOperation {
  /** In its normal spelling, as all of these. */
  readonly target: string;
  readonly requestId: string;
  readonly operation: string;
  readonly input: string | undefined;
  readonly scheduledAt: Timestamp | undefined;
}

export function signal(scope: ActionScope, sent: SentOperation): void {
  const event = entityOperationSignaled(scope.environment.now, {
    requestId: sent.requestId,
    operation: sent.operation,
    ...present("input", sent.input),
    ...present("scheduledTime", sent.scheduledAt),
  });
  sendOperation(scope, sent, create(EntityOperationSchema, { event }));
}

export interface SentCall extends SentOperation {
  /** It is answered in the encoding in which it was asked. */
  readonly legacy: boolean;
}

export function call(scope: ActionScope, id: number, sent: SentCall): void {
  const { state, entry, environment } = scope;
  const { target, requestId, legacy } = sent;
  const event = entityOperationCalled(environment.now, {
    requestId,
    operation: sent.operation,
    parentInstanceId: state.instanceId,
    parentExecutionId: state.executionId,
    ...present("input", sent.input),
    ...present("scheduledTime", sent.scheduledAt),
  });
  entry.entityCallsAdded.push(
    create(EntityCallSchema, {
      id: nextWorkId(scope),
      eventId: id,
      requestId,
      targetInstanceId: target,
      legacy,
    }),
  );
  const caller = callerOf(scope, requestId, legacy);
  sendOperation(scope, sent, create(EntityOperationSchema, { event, caller }));
}

function sendOperation(
  { state, entry }: ActionScope,
  { target, scheduledAt }: SentOperation,
  operation: ReturnType<typeof create<typeof EntityOperationSchema>>,
): void {
  const value = create(EntityOperationMailSchema, { operation, ...present("dueAt", scheduledAt) });
  sendMail(state, entry, target, { case: "entityOperation", value });
}

export interface SentLockWish {
  readonly criticalSectionId: string;
  readonly lockSet: readonly string[];
  readonly legacy: boolean;
}

export function lock(scope: ActionScope, id: number, sent: SentLockWish): void {
  const { state, entry, environment } = scope;
  const { criticalSectionId, legacy } = sent;
  const lockSet = [...new Set(sent.lockSet)];
  const [first] = lockSet;
  if (first === undefined) {
    const granted = legacy ? legacyLockGranted : entityLockGranted;
    entry.inboxAdded.push(granted(environment.now, criticalSectionId));
    return;
  }
  entry.lockRequestsAdded.push(
    create(LockRequestSchema, {
      id: nextWorkId(scope),
      eventId: id,
      criticalSectionId,
      lockSet,
      legacy,
    }),
  );
  const caller = callerOf(scope, criticalSectionId, legacy);
  const value = create(EntityLockWishSchema, { caller, lockSet });
  sendMail(state, entry, first, { case: "entityLockWish", value });
}

export interface SentUnlock {
  readonly target: string;
  readonly criticalSectionId: string;
}

/** Unlocking twice, or what was never locked, is legal and changes nothing. */
export function unlock(scope: ActionScope, { target, criticalSectionId }: SentUnlock): void {
  const { state, entry } = scope;
  sendRelease(state, entry, target, criticalSectionId);
  for (const added of entry.lockRequestsAdded) {
    if (added.criticalSectionId !== criticalSectionId) continue;
    added.lockSet = added.lockSet.filter((each) => each !== target);
  }
  for (const request of state.lockRequests.values()) {
    if (request.criticalSectionId !== criticalSectionId) continue;
    if (entry.lockRequestsSettled.includes(request.id)) continue;
    const gone = entry.entitiesUnlocked.filter(({ lockRequestId }) => lockRequestId === request.id);
    const left = request.lockSet.filter((each) => !gone.some((one) => one.instanceId === each));
    if (!left.includes(target)) continue;
    if (left.length === 1) entry.lockRequestsSettled.push(request.id);
    else {
      const { id: lockRequestId } = request;
      entry.entitiesUnlocked.push(
        create(EntityUnlockedSchema, { lockRequestId, instanceId: target }),
      );
    }
    return;
  }
}

function callerOf({ state }: ActionScope, requestId: string, legacy: boolean) {
  const { instanceId, executionId } = state;
  return create(EntityCallerSchema, { instanceId, executionId, requestId, legacy });
}
