/** What an SDK does with a batch of operations of a ledger, in both encodings. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type EntityBatchRequest,
  type EntityBatchResult,
  EntityBatchResultSchema,
  type EntityRequest,
  type OperationActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { failed, sendSignal, succeeded } from "../../support/entity-results.ts";
import { failing, type LedgerInput, ledgerOf, vanishing } from "./ledgers.ts";

/** A batch, in whatever form it came. */
export interface Batch {
  readonly instanceId: string;
  readonly entityState: string | undefined;
  readonly operations: readonly { readonly operation: string; readonly input: LedgerInput }[];
}

export function batchIn(request: EntityRequest | EntityBatchRequest): Batch {
  const { instanceId, entityState } = request;
  const operations =
    "operations" in request ? request.operations : request.operationRequests.map(operationIn);
  return {
    instanceId,
    entityState,
    operations: operations.map(({ operation, input = "{}" }) => ({
      operation,
      input: JSON.parse(input) as LedgerInput,
    })),
  };
}

/** Answers the first `count` operations of a batch. */
export function runBatch(
  { instanceId, entityState = "", operations }: Batch,
  token: string,
  count = operations.length,
): EntityBatchResult {
  const { ran, number } = ledgerOf(entityState);
  const ledger = { ran: [...ran], number };
  const actions: MessageInitShape<typeof OperationActionSchema>[] = [];
  const results = nextOf(operations, count).map(({ operation, input }) => {
    switch (operation) {
      case failing:
        return failed(input.id);
      case vanishing:
        ledger.ran = [];
        return succeeded(input.id);
      case "read":
        ledger.ran.push(`read ${input.id}`);
        return succeeded(String(ledger.number));
      case "write":
        ledger.ran.push(`write ${input.id}`);
        ledger.number = input.number ?? Number.NaN;
        return succeeded(input.id);
      case "pass": {
        const passed: LedgerInput = { id: `${instanceId} passed#${input.id.replaceAll("#", "~")}` };
        const signal = sendSignal(input.next ?? "", "add");
        if (signal.operationActionType?.case === "sendSignal") {
          signal.operationActionType.value.input = JSON.stringify(passed);
        }
        actions.push(signal);
        break;
      }
      default:
    }
    ledger.ran.push(input.id);
    return succeeded(input.id);
  });
  const text = ledger.ran.length === 0 ? undefined : JSON.stringify(ledger);
  return create(EntityBatchResultSchema, {
    completionToken: token,
    results,
    actions,
    ...(text === undefined ? {} : { entityState: text }),
  });
}

/** What deletes the state is run alone: all that ran with it would be in no ledger. */
function nextOf(operations: Batch["operations"], count: number): Batch["operations"] {
  const at = operations.findIndex(({ operation }) => operation === vanishing);
  return operations.slice(0, at === -1 ? count : Math.min(count, Math.max(1, at)));
}

function operationIn({ eventType: type }: EntityRequest["operationRequests"][number]) {
  if (type.case !== "entityOperationCalled" && type.case !== "entityOperationSignaled") {
    throw new Error(`no operation: ${type.case}`);
  }
  return type.value;
}
