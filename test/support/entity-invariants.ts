/** What must hold of every entity after every step, worked out the slow way. */
import { expect } from "vitest";
import { hasBatchToRun } from "../../sidecar/engine/entity/batch.ts";
import type { EntityState } from "../../sidecar/engine/entity/entity-state.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import type { EntityItem } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";

export function checkEntity(state: InstanceState): void {
  const { entity } = state;
  expect(hasBatchToRun(state), "there is a batch").toBe(hasBatch(state));
  if (entity === undefined) return;
  expect(state.inbox, "an entity reads no events").toEqual([]);
  expect(state.markers, "and has no history").toEqual([]);
  checkIdentities(state, entity);
  const operations = [
    ...entity.queue.flatMap(({ item }) => (item.case === "operation" ? [item.value] : [])),
    ...Array.from(entity.scheduled.values(), ({ operation }) => operation),
  ];
  for (const operation of operations) {
    expect(operation?.event?.event.length, "an operation has its event").toBeGreaterThan(0);
  }
  const bytes = operations.reduce((sum, each) => sum + (each?.event?.event.length ?? 0), 0);
  expect(entity.waitingBytes, "the bytes that wait are counted").toBe(bytes);
  if (entity.lock === undefined) {
    expect(entity.queue[0]?.item.case, "a wish at the head takes the lock").not.toBe("lockWish");
    return;
  }
  const own = entity.queue.map((item) => isOfHolder(item, entity));
  const sorted = own.toSorted((left, right) => Number(right) - Number(left));
  expect(own, "operations of the holder go first").toEqual(sorted);
}

/** A worker could be given something of it. */
export function hasBatch({ entity, holds }: InstanceState): boolean {
  const head = entity?.queue[0];
  if (entity === undefined || head?.item.case !== "operation" || holds.length > 0) return false;
  return entity.lock === undefined || isOfHolder(head, entity);
}

function checkIdentities({ nextWorkId }: InstanceState, entity: EntityState): void {
  const ids = [...entity.queue.map(({ id }) => id), ...entity.scheduled.keys()];
  expect(new Set(ids).size, "what waits has identities of its own").toBe(ids.length);
  for (const id of ids) expect(id < nextWorkId).toBe(true);
}

function isOfHolder({ item }: EntityItem, { lock }: EntityState): boolean {
  const caller = item.case === "operation" ? item.value.caller : undefined;
  const holder = lock?.holder;
  return (
    caller !== undefined &&
    caller.instanceId === holder?.instanceId &&
    caller.executionId === holder.executionId
  );
}
