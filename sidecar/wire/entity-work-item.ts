/** Batches of entity operations as finished bytes, in both encodings. See work-item-bytes.ts. */
import { assert } from "../foundation/assert.ts";
import {
  EntityBatchRequestSchema,
  EntityOperationCalledEventSchema,
  EntityOperationSignaledEventSchema,
  EntityRequestSchema,
  OperationRequestSchema,
  WorkItemSchema,
} from "./gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "./gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "./history-event.ts";
import { delimitedFields, Splice } from "./splice.ts";

/** `v1` is for workers of before 2025. */
export const ENTITY_BATCH_FORMS = ["v2", "v1"] as const;

export type EntityBatchForm = (typeof ENTITY_BATCH_FORMS)[number];

export interface BatchContents {
  readonly token: string;
  readonly instanceId: string;
  readonly executionId: string;
  /** Undefined: the entity does not exist for its operations. */
  readonly text: string | undefined;
  /** EntityOperationSignaled and EntityOperationCalled, in order. */
  readonly operations: readonly StoredEvent[];
}

const workItem = WorkItemSchema.field;
const request = EntityRequestSchema.field;
const batchRequest = EntityBatchRequestSchema.field;
const operationRequest = OperationRequestSchema.field;

export function batchWorkItem(batch: BatchContents, form: EntityBatchForm): Uint8Array {
  const item = new Splice();
  if (form === "v2") item.add(workItem.entityRequestV2.number, inSecondForm(batch));
  else item.add(workItem.entityRequest.number, inFirstForm(batch));
  return item.add(workItem.completionToken.number, batch.token).finish();
}

function inSecondForm({ instanceId, executionId, text, operations }: BatchContents): Splice {
  const message = new Splice();
  message.add(request.instanceId.number, instanceId);
  message.add(request.executionId.number, executionId);
  if (text !== undefined) message.add(request.entityState.number, stringValue(text));
  for (const { event } of operations) message.add(request.operationRequests.number, event);
  return message;
}

function inFirstForm({ instanceId, text, operations }: BatchContents): Splice {
  const message = new Splice();
  message.add(batchRequest.instanceId.number, instanceId);
  if (text !== undefined) message.add(batchRequest.entityState.number, stringValue(text));
  for (const operation of operations) {
    message.add(batchRequest.operations.number, operationOf(operation));
  }
  return message;
}

/** What an event says of its operation, under the field numbers of OperationRequest. */
function operationOf({ event, kind }: StoredEvent): Splice {
  const fields = fieldsOf.get(kind);
  assert(fields !== undefined, "a batch has operations only");
  const message = new Splice();
  for (const [field, bytes] of delimitedFields(event)) {
    if (field !== kind) continue;
    for (const [number, value] of delimitedFields(bytes)) {
      const as = fields.get(number);
      if (as !== undefined) message.add(as, value);
    }
  }
  return message;
}

const fieldsOf: ReadonlyMap<number, ReadonlyMap<number, number>> = new Map(
  (
    [
      [EventKind.entityOperationSignaled, EntityOperationSignaledEventSchema.field],
      [EventKind.entityOperationCalled, EntityOperationCalledEventSchema.field],
    ] as const
  ).map(([kind, field]) => [
    kind,
    new Map([
      [field.requestId.number, operationRequest.requestId.number],
      [field.operation.number, operationRequest.operation.number],
      [field.input.number, operationRequest.input.number],
    ]),
  ]),
);

/** A google.protobuf.StringValue. */
function stringValue(text: string): Splice {
  return new Splice().add(1, text);
}
