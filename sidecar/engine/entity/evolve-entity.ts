/** How entries change entities, and what orchestrations wait for from them. Decides nothing. */
import { assert } from "../../foundation/assert.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { EntityItem } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceState } from "../state.ts";
import { bytesOf, type EntityState, operationOf } from "./entity-state.ts";

/** Applies what an entry says of entity calls and critical sections of an orchestration. */
export function applyEntityWork(state: InstanceState, entry: Entry): void {
  for (const id of entry.entityCallsSettled) state.entityCalls.delete(id);
  for (const call of entry.entityCallsAdded) {
    state.entityCalls.set(call.id, call);
    useWorkId(state, call.id);
  }
  for (const id of entry.lockRequestsGranted) {
    const request = state.lockRequests.get(id);
    assert(request !== undefined, "a lock is granted to whoever waits for it");
    request.granted = true;
  }
  for (const { lockRequestId, instanceId } of entry.entitiesUnlocked) {
    const request = state.lockRequests.get(lockRequestId);
    assert(request !== undefined, "an entity is unlocked in a critical section");
    request.lockSet = request.lockSet.filter((id) => id !== instanceId);
  }
  for (const id of entry.lockRequestsSettled) state.lockRequests.delete(id);
  for (const request of entry.lockRequestsAdded) {
    // One that was left in the turn that asked for it: its grant finds nobody, and goes back.
    if (request.lockSet.length > 0) state.lockRequests.set(request.id, request);
    useWorkId(state, request.id);
  }
}

/** Applies one step of an entity, in the order of the fields of EntityStep. */
export function applyEntityStep(state: InstanceState, entry: Entry): void {
  const step = entry.entity;
  if (step === undefined) return;
  const { entity } = state;
  assert(entity !== undefined, "only an entity takes steps of entities");
  assert(step.consumed <= entity.queue.length, "a batch is of what waits in the queue");
  if (step.consumed > 0) {
    for (const item of entity.queue.splice(0, step.consumed)) {
      entity.waitingBytes -= bytesOf(operationOf(item));
    }
    state.turnDeliveries = [];
  }
  withdraw(entity, new Set(step.withdrawn));
  for (const id of step.scheduledSettled) {
    entity.waitingBytes -= bytesOf(entity.scheduled.get(id)?.operation);
    entity.scheduled.delete(id);
  }
  insert(entity.queue, step.insertedAt, step.inserted);
  for (const item of step.queued) entity.queue.push(item);
  for (const operation of step.scheduled) entity.scheduled.set(operation.id, operation);
  for (const item of [...step.inserted, ...step.queued]) {
    entity.waitingBytes += bytesOf(operationOf(item));
    useWorkId(state, item.id);
  }
  for (const { id, operation } of step.scheduled) {
    entity.waitingBytes += bytesOf(operation);
    useWorkId(state, id);
  }
  if (step.unlocked) entity.lock = undefined;
  if (step.locked !== undefined) entity.lock = step.locked;
  if (step.textChanged) entity.text = step.text;
  if (step.consumed > 0) entity.modifiedAt = entry.header?.time;
}

function withdraw(entity: EntityState, ids: ReadonlySet<bigint>): void {
  if (ids.size === 0) return;
  entity.queue = entity.queue.filter((item) => {
    if (!ids.has(item.id)) return true;
    entity.waitingBytes -= bytesOf(operationOf(item));
    return false;
  });
}

/** No spread into `splice`: there may be more items than a call may have arguments. */
function insert(queue: EntityItem[], at: number, items: readonly EntityItem[]): void {
  if (items.length === 0) return;
  const behind = queue.splice(at);
  for (const item of items) queue.push(item);
  for (const item of behind) queue.push(item);
}

function useWorkId(state: InstanceState, id: bigint): void {
  if (id >= state.nextWorkId) state.nextWorkId = id + 1n;
}
