/** What reaches an entity: operations, wishes to lock it, and the ends of critical sections. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert, assertNever } from "../../foundation/assert.ts";
import { parseEntityId } from "../../foundation/entity-id.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { entityOperationSignaled } from "../../wire/entity-event.ts";
import {
  type EntityCaller,
  type EntityOperation,
  EntityOperationSchema,
  type EntityRelease,
  Kind,
  type Mail,
  type ScheduledOperation,
  ScheduledOperationSchema,
  Status,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import { compareTimestamps, isAfter } from "../../wire/timestamp.ts";
import { type Decision, type Environment, newEntry, nothing, refuse } from "../decision.ts";
import { type BufferLimits, defaultBufferLimits } from "../raise-event.ts";
import { type InstanceState, newState } from "../state.ts";
import { toStoredState } from "../stored-state.ts";
import { copyOperation, newEntityState } from "./entity-state.ts";
import { releaseElsewhere } from "./grants.ts";
import { advance, joinQueue, joinWish, type StepScope, stepOf } from "./step.ts";

export interface SignalCommand {
  /** In its normal spelling. */
  readonly instanceId: string;
  /** GUID text; the same one again is a repeat. */
  readonly requestId: string;
  readonly operation: string;
  readonly input: string | undefined;
  readonly scheduledAt: Timestamp | undefined;
}

/**
 * A client's signal; creates the entity's record when there is none. Only clients are refused when
 * too much waits: what orchestrations and entities send is accepted always.
 */
export function decideSignal(
  state: InstanceState | undefined,
  command: SignalCommand,
  environment: Environment,
  limits: BufferLimits = defaultBufferLimits,
): Decision {
  const { instanceId, requestId, operation, input, scheduledAt } = command;
  if (isNoEntity(state)) return refuseNoEntity(instanceId);
  const event = entityOperationSignaled(environment.now, {
    requestId,
    operation,
    ...present("input", input),
    ...present("scheduledTime", scheduledAt),
  });
  const { entity } = state ?? {};
  const { eventsMax, bytesMax } = limits;
  if (entity !== undefined && entity.queue.length + entity.scheduled.size >= eventsMax) {
    return refuse("limit-exceeded", `${waiting(instanceId)} ${eventsMax} operations waiting`);
  }
  if (entity !== undefined && entity.waitingBytes + event.event.length > bytesMax) {
    const what = `${bytesMax} bytes of operations waiting`;
    return refuse("limit-exceeded", `${waiting(instanceId)} ${what}`);
  }
  return changed(state, instanceId, environment, (scope) =>
    receive(scope, create(EntityOperationSchema, { event }), scheduledAt),
  );
}

export type EntityMail = Extract<
  Mail["body"],
  { case: "entityOperation" | "entityLockWish" | "entityRelease" }
>;

/** Mail of an orchestration or of another entity; creates the entity's record when it has to. */
export function decideEntityMail(
  state: InstanceState | undefined,
  instanceId: string,
  mail: EntityMail,
  environment: Environment,
): Decision {
  if (isNoEntity(state)) return refuseNoEntity(instanceId);
  switch (mail.case) {
    case "entityOperation": {
      const { operation, dueAt } = mail.value;
      assert(operation !== undefined, "mail with an operation has it");
      return changed(state, instanceId, environment, (scope) => receive(scope, operation, dueAt));
    }
    case "entityLockWish":
      return changed(state, instanceId, environment, (scope) => {
        joinWish(scope, scope.state.nextWorkId, mail.value);
        advance(scope);
      });
    case "entityRelease":
      return state === undefined ? nothing : decideRelease(state, mail.value, environment);
    default:
      return assertNever(mail, "mail for an entity");
  }
}

/**
 * Scheduled operations whose time has come join the queue, the earliest first and a bounded number at
 * once. Holds keep the queue from running, not from growing: these times stand still for none.
 */
export function decideEntityDue(state: InstanceState, environment: Environment): Decision {
  const { now } = environment;
  const due = [...(state.entity?.scheduled.values() ?? [])]
    .filter((operation) => !isAfter(dueOf(operation), now))
    .sort((a, b) => compareTimestamps(dueOf(a), dueOf(b)) || Number(a.id - b.id));
  if (due.length === 0) return nothing;
  return changed(state, state.instanceId, environment, (scope) => {
    for (const { id, operation } of due.slice(0, LIMITS.timersFiredMax)) {
      assert(operation !== undefined, "a scheduled operation has its operation");
      scope.step.scheduledSettled.push(id);
      joinQueue(scope, id, operation);
    }
    advance(scope);
  });
}

/** When the first of its scheduled operations joins the queue; undefined when none is scheduled. */
export function nextOperationDue({ entity }: InstanceState): Timestamp | undefined {
  let earliest: Timestamp | undefined;
  for (const operation of entity?.scheduled.values() ?? []) {
    const due = dueOf(operation);
    if (earliest === undefined || isAfter(earliest, due)) earliest = due;
  }
  return earliest;
}

/** An entry of the entity with one step, which begins its record when there is none. */
function changed(
  state: InstanceState | undefined,
  instanceId: string,
  environment: Environment,
  change: (scope: StepScope) => void,
): Decision {
  const entry = newEntry(environment);
  if (state !== undefined) {
    change(stepOf(state, entry, environment));
    return { kind: "append", entry };
  }
  const begun = newEntity(instanceId, environment);
  entry.base = toStoredState(begun);
  change(stepOf(begun, entry, environment));
  return { kind: "begin", entry, ended: undefined };
}

function newEntity(instanceId: string, { now, ids }: Environment): InstanceState {
  const id = parseEntityId(instanceId);
  assert(id !== undefined, "an entity has an id of its form");
  return newState({
    kind: Kind.ENTITY,
    instanceId,
    name: id.name,
    tags: {},
    status: Status.RUNNING,
    createdAt: now,
    updatedAt: now,
    executionId: ids.next(),
    entity: newEntityState(),
  });
}

function receive(scope: StepScope, operation: EntityOperation, dueAt: Timestamp | undefined): void {
  const { state, step, environment } = scope;
  const id = state.nextWorkId;
  if (dueAt === undefined || !isAfter(dueAt, environment.now)) {
    return joinQueue(scope, id, operation);
  }
  const value = { id, dueAt, operation: copyOperation(operation) };
  step.scheduled.push(create(ScheduledOperationSchema, value));
}

/**
 * The end of a critical section: its lock goes, and wishes for it. Releasing twice is legal, and what
 * somebody else holds stays locked.
 *
 * A wish that has come from other entities may have locked them behind the releases that were meant
 * for them. Without it no grant would ever come back from here, so they are told.
 */
function decideRelease(
  state: InstanceState,
  release: EntityRelease,
  environment: Environment,
): Decision {
  const { entity } = state;
  assert(entity !== undefined, "what is released is an entity");
  const wishes = entity.queue.flatMap(({ id, item }) => {
    const isOver = item.case === "lockWish" && isReleased(item.value.caller, release);
    return isOver ? [{ id, wish: item.value }] : [];
  });
  const unlocks = isReleased(entity.lock?.holder, release);
  if (!unlocks && wishes.length === 0) return nothing;
  return changed(state, state.instanceId, environment, (scope) => {
    for (const { id, wish } of wishes) {
      scope.step.withdrawn.push(id);
      const { caller, lockSet, position } = wish;
      if (caller !== undefined) releaseElsewhere(scope, caller, lockSet.slice(0, position));
    }
    scope.step.unlocked = unlocks;
    advance(scope);
  });
}

function isReleased(caller: EntityCaller | undefined, release: EntityRelease): boolean {
  const { instanceId, executionId, criticalSectionId } = release;
  return (
    caller !== undefined &&
    caller.instanceId === instanceId &&
    (executionId === "" || caller.executionId === executionId) &&
    (criticalSectionId === "" || caller.requestId === criticalSectionId)
  );
}

/** An orchestration may have an id of this form from before there were entities. */
function isNoEntity(state: InstanceState | undefined): boolean {
  return state !== undefined && state.entity === undefined;
}

function refuseNoEntity(instanceId: string): Decision {
  return refuse("failed-precondition", `instance ${JSON.stringify(instanceId)} is no entity`);
}

function waiting(instanceId: string): string {
  return `entity ${JSON.stringify(instanceId)} has`;
}

function dueOf({ dueAt }: ScheduledOperation): Timestamp {
  assert(dueAt !== undefined, "a scheduled operation has its time");
  return dueAt;
}
