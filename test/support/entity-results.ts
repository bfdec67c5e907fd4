/** What scripted workers answer batches of entity operations with, as short as what they say. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  EntityRequest,
  OperationActionSchema,
  OperationResultSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

type Result = MessageInitShape<typeof OperationResultSchema>;
type Action = MessageInitShape<typeof OperationActionSchema>;

export function succeeded(result?: string): Result {
  const value = result === undefined ? {} : { result };
  return { resultType: { case: "success", value } };
}

export function failed(errorMessage: string): Result {
  const failureDetails = { errorType: "E", errorMessage };
  return { resultType: { case: "failure", value: { failureDetails } } };
}

export function sendSignal(instanceId: string, name: string, scheduledTime?: Timestamp): Action {
  const value = { instanceId, name, ...(scheduledTime === undefined ? {} : { scheduledTime }) };
  return { id: 0, operationActionType: { case: "sendSignal", value } };
}

export function startOrchestration(
  name: string,
  more: { readonly instanceId?: string; readonly input?: string } = {},
): Action {
  return {
    id: 0,
    operationActionType: { case: "startNewOrchestration", value: { name, ...more } },
  };
}

/** The names of the operations of a batch, in order. */
export function operationsOf({ operationRequests }: EntityRequest): string[] {
  return operationRequests.map(({ eventType: type }) => {
    switch (type.case) {
      case "entityOperationSignaled":
      case "entityOperationCalled":
        return type.value.operation;
      default:
        return `not an operation: ${type.case}`;
    }
  });
}
