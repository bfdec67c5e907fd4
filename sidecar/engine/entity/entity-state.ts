/** What an entity has besides the state that every instance has. */

import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import {
  type EntityItem,
  type EntityLock,
  type EntityOperation,
  EntityOperationSchema,
  EntityStateSchema,
  type ScheduledOperation,
  type EntityState as StoredEntityState,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent, present } from "../../wire/history-event.ts";

export interface EntityState {
  /** The text that operations work on; undefined: the entity does not exist for them. */
  text: string | undefined;
  /** When a batch was last committed. */
  modifiedAt: Timestamp | undefined;
  /** In the order in which it is taken. A batch with a worker is at the head. */
  queue: EntityItem[];
  lock: EntityLock | undefined;
  /** Operations whose time has not come. */
  scheduled: Map<bigint, ScheduledOperation>;
  /** Encoded bytes of the events that wait, in the queue or for their time. Counted, not stored. */
  waitingBytes: number;
}

export function newEntityState(): EntityState {
  return {
    text: undefined,
    modifiedAt: undefined,
    queue: [],
    lock: undefined,
    scheduled: new Map(),
    waitingBytes: 0,
  };
}

export function toStoredEntity(state: EntityState): StoredEntityState {
  return create(EntityStateSchema, {
    queue: state.queue,
    scheduled: [...state.scheduled.values()],
    ...present("text", state.text),
    ...present("modifiedAt", state.modifiedAt),
    ...present("lock", state.lock),
  });
}

/** The parts are shared with `stored`, not copied. */
export function fromStoredEntity(stored: StoredEntityState): EntityState {
  const { text, modifiedAt, queue, lock, scheduled } = stored;
  const waiting = [...queue.map(operationOf), ...scheduled.map(({ operation }) => operation)];
  return {
    text,
    modifiedAt,
    queue,
    lock,
    scheduled: new Map(scheduled.map((operation) => [operation.id, operation])),
    waitingBytes: waiting.reduce((sum, operation) => sum + bytesOf(operation), 0),
  };
}

/** The operation that an item stands for, unless it is a wish to lock. */
export function operationOf({ item }: EntityItem): EntityOperation | undefined {
  return item.case === "operation" ? item.value : undefined;
}

/** Bytes of its event. In a snapshot a large event is a reference, which knows its length. */
export function bytesOf(operation: EntityOperation | undefined): number {
  const event = operation?.event;
  return event === undefined ? 0 : event.length || event.event.length;
}

/** The same operation for another entry: where its event stands in one means nothing in another. */
export function copyOperation({ event, caller }: EntityOperation): EntityOperation {
  assert(event !== undefined, "an operation has its event");
  return create(EntityOperationSchema, {
    event: copyEvent(event),
    ...present("caller", caller),
  });
}
