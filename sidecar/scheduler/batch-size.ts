/** How many operations of an entity fit into one message. */
import type { InstanceState } from "../engine/state.ts";
import { assert } from "../foundation/assert.ts";
import type { EntityItem, StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { eventFieldBytes } from "../wire/work-item-bytes.ts";
import { fitsWorker } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** Token, execution id, and the fields around the operations. */
const envelopeBytes = 4 * 1024;

/** The operations of a batch as events. */
export function operationsIn(items: readonly EntityItem[]): readonly StoredEvent[] {
  return items.map(({ item }) => {
    assert(item.case === "operation", "a batch has operations only");
    assert(item.value.event !== undefined, "an operation has its event");
    return item.value.event;
  });
}

/**
 * As many operations as the worker can be sent. One always fits: the largest state and the largest
 * operation together are smaller than what every worker takes.
 */
export function fittingOperations(
  { instanceId, entity }: InstanceState,
  operations: readonly StoredEvent[],
  worker: Pick<WorkerStream, "messageBytesMax">,
): readonly StoredEvent[] {
  let bytes = envelopeBytes + Buffer.byteLength(instanceId) + Buffer.byteLength(entity?.text ?? "");
  const tooMuch = operations.findIndex(({ event }) => {
    bytes += eventFieldBytes(event.length);
    return !fitsWorker(worker, bytes);
  });
  return tooMuch === -1 ? operations : operations.slice(0, Math.max(1, tooMuch));
}
