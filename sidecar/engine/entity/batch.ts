/** What of an entity's queue a worker may get. */
import { LIMITS } from "../../foundation/limits.ts";
import type { EntityItem } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceState } from "../state.ts";
import { isHeld } from "../status.ts";
import type { EntityState } from "./entity-state.ts";
import { isOfHolder } from "./step.ts";

/**
 * The operations at the head of the queue that one batch takes, in order: the longest prefix without
 * a lock wish, of items that entries up to `throughSequence` added, bounded in number and bytes.
 * While the entity is locked only operations of the holder, which are at the head. Empty when there
 * is nothing to run.
 */
export function batchOf({ entity }: InstanceState, throughSequence: number): readonly EntityItem[] {
  const batch: EntityItem[] = [];
  if (entity === undefined) return batch;
  let bytes = 0;
  for (const item of entity.queue) {
    if (batch.length === LIMITS.entityBatchOperationsMax || !mayRun(item, entity)) break;
    const event = item.item.case === "operation" ? item.item.value.event : undefined;
    if (event === undefined || event.originSequence > throughSequence) break;
    bytes += event.event.length;
    if (batch.length > 0 && bytes > LIMITS.entityBatchBytesMax) break;
    batch.push(item);
  }
  return batch;
}

/** A batch could be handed out, apart from holds of the hub and from what is durable. */
export function hasBatchToRun(state: InstanceState): boolean {
  const { entity } = state;
  const head = entity?.queue[0];
  return entity !== undefined && head !== undefined && !isHeld(state) && mayRun(head, entity);
}

function mayRun(item: EntityItem, { lock }: EntityState): boolean {
  return item.item.case === "operation" && (lock === undefined || isOfHolder(item, lock));
}
