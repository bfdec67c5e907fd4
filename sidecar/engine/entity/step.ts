/**
 * One step of an entity in the making. What waits, and who has locked it, are read with the step as
 * far as it is made, so that one decision can let something in and let the queue go on.
 */
import { create } from "@bufbuild/protobuf";
import { assert } from "../../foundation/assert.ts";
import { normalEntityId } from "../../foundation/entity-id.ts";
import {
  type EntityStep,
  EntityStepSchema,
  type Entry,
} from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type EntityCaller,
  type EntityItem,
  EntityItemSchema,
  type EntityLock,
  EntityLockSchema,
  type EntityLockWish,
  EntityLockWishSchema,
  type EntityOperation,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import type { Environment } from "../decision.ts";
import { sendMail } from "../outbox.ts";
import type { InstanceState } from "../state.ts";
import { copyOperation, type EntityState } from "./entity-state.ts";
import { grantLock } from "./send-answer.ts";

export interface StepScope {
  /** Before the step. */
  readonly state: InstanceState;
  readonly entity: EntityState;
  readonly entry: Entry;
  /** The one of the entry. */
  readonly step: EntityStep;
  readonly environment: Environment;
}

/** The step that `entry` makes, as far as it is made. */
export function stepOf(state: InstanceState, entry: Entry, environment: Environment): StepScope {
  const { entity } = state;
  assert(entity !== undefined, "only an entity takes steps of entities");
  entry.entity ??= create(EntityStepSchema);
  return { state, entity, entry, step: entry.entity, environment };
}

/** Who has locked it after the step, as far as it is made. */
export function lockAfter({ entity, step }: Pick<StepScope, "entity" | "step">) {
  return step.locked ?? (step.unlocked ? undefined : entity.lock);
}

/** It is an operation of whoever holds the lock. */
export function isOfHolder({ item }: EntityItem, lock: EntityLock): boolean {
  if (item.case !== "operation" || item.value.caller === undefined) return false;
  return isHolder(lock, item.value.caller);
}

/** An orchestration that goes on as new holds nothing any more. */
function isHolder({ holder }: EntityLock, caller: EntityCaller): boolean {
  return (
    holder !== undefined &&
    holder.instanceId === caller.instanceId &&
    holder.executionId === caller.executionId
  );
}

/**
 * An operation joins the queue: at its end, or, when whoever holds the lock sent it, behind those of
 * the holder that wait already. What a worker has is at the head and stays there: while the entity
 * is locked it is of the holder, too.
 */
export function joinQueue(scope: StepScope, id: bigint, operation: EntityOperation): void {
  const { step } = scope;
  const item = operationItem(id, operation);
  const lock = lockAfter(scope);
  if (lock === undefined || !isOfHolder(item, lock)) {
    step.queued.push(item);
    return;
  }
  if (step.inserted.length === 0) step.insertedAt = leadingOf(scope, lock);
  step.inserted.push(item);
}

/**
 * A wish to lock joins the queue, at its end. Whoever has the lock already for the same critical
 * section, because its set names the entity twice, goes on to the next entity.
 */
export function joinWish(scope: StepScope, id: bigint, wish: EntityLockWish): void {
  const { caller } = wish;
  assert(caller !== undefined, "a wish to lock says whose it is");
  const lock = lockAfter(scope);
  const isItsOwn = lock !== undefined && isHolder(lock, caller);
  if (isItsOwn && lock.holder?.requestId === caller.requestId) return passOn(scope, wish);
  scope.step.queued.push(create(EntityItemSchema, { id, item: { case: "lockWish", value: wish } }));
}

/** Lets the queue go on: a wish that has come to its head takes the lock, when that is free. */
export function advance(scope: StepScope): void {
  if (lockAfter(scope) !== undefined) return;
  const [head] = waitingAfter(scope);
  if (head?.item.case !== "lockWish") return;
  const wish = head.item.value;
  const { step, environment } = scope;
  takeOut(scope, head);
  step.locked = create(EntityLockSchema, {
    lockedAt: environment.now,
    ...present("holder", wish.caller),
  });
  bringForward(scope, step.locked);
  passOn(scope, wish);
}

/** The wish goes to the next entity of its set, or, behind the last one, the lock is granted. */
export function passOn({ state, entry, environment }: StepScope, wish: EntityLockWish): void {
  const { caller, lockSet } = wish;
  assert(caller !== undefined, "a wish to lock says whose it is");
  for (let position = wish.position + 1; position < lockSet.length; position += 1) {
    const next = normalEntityId(lockSet[position] ?? "");
    if (next === undefined) continue;
    const value = create(EntityLockWishSchema, { caller, lockSet, position });
    return sendMail(state, entry, next, { case: "entityLockWish", value });
  }
  grantLock({ state, entry, environment }, caller, lockSet);
}

/**
 * Operations that the new holder had sent while its wish was waiting take part in its critical
 * section: behind the others they would wait for its end, and it perhaps for them.
 */
function bringForward(scope: StepScope, lock: EntityLock): void {
  const { step } = scope;
  const own = [...waitingAfter(scope)].filter((item) => isOfHolder(item, lock));
  if (own.length === 0 || leadingOf(scope, lock) === own.length) return;
  for (const item of own) {
    takeOut(scope, item);
    if (item.item.case === "operation") step.inserted.push(operationItem(item.id, item.item.value));
  }
  step.insertedAt = 0;
}

function takeOut({ step }: StepScope, { id }: EntityItem): void {
  const before = step.queued.length + step.inserted.length;
  step.queued = step.queued.filter((item) => item.id !== id);
  step.inserted = step.inserted.filter((item) => item.id !== id);
  if (step.queued.length + step.inserted.length === before) step.withdrawn.push(id);
}

/** How many operations of the holder are at the head of the queue. */
function leadingOf(scope: StepScope, lock: EntityLock): number {
  let leading = 0;
  for (const item of waitingAfter(scope)) {
    if (!isOfHolder(item, lock)) break;
    leading += 1;
  }
  return leading;
}

/** The queue after the step, as far as it is made. Whoever looks at its head pays for no more. */
function* waitingAfter({ entity, step }: StepScope): Generator<EntityItem> {
  const withdrawn = new Set(step.withdrawn);
  let place = 0;
  for (let index = step.consumed; index < entity.queue.length; index += 1) {
    const item = entity.queue[index];
    if (item === undefined || withdrawn.has(item.id)) continue;
    if (place === step.insertedAt) yield* step.inserted;
    place += 1;
    yield item;
  }
  if (place <= step.insertedAt) yield* step.inserted;
  yield* step.queued;
}

function operationItem(id: bigint, operation: EntityOperation): EntityItem {
  const item = { case: "operation", value: copyOperation(operation) } as const;
  return create(EntityItemSchema, { id, item });
}
