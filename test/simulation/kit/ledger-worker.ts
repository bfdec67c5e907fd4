/** What an SDK does with a batch of operations of a ledger, and what it may get wrong. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type EntityBatchResult,
  EntityBatchResultSchema,
  type EntityRequest,
  type HistoryEvent,
  type OperationActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { failed, sendSignal, succeeded } from "../../support/entity-results.ts";
import { failing, type LedgerInput, ledgerOf } from "./ledgers.ts";

/** Answers the first `count` operations of a batch. */
export function runBatch(
  { instanceId, entityState = "", operationRequests }: EntityRequest,
  token: string,
  count = operationRequests.length,
): EntityBatchResult {
  const { ran, number } = ledgerOf(entityState);
  const ledger = { ran: [...ran], number };
  const actions: MessageInitShape<typeof OperationActionSchema>[] = [];
  const results = operationRequests.slice(0, count).map((request) => {
    const { operation, input } = operationIn(request);
    switch (operation) {
      case failing:
        return failed(input.id);
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

export function idsIn({ operationRequests }: EntityRequest): readonly string[] {
  return operationRequests.map((request) => operationIn(request).input.id);
}

function operationIn({ eventType: type }: HistoryEvent) {
  if (type.case !== "entityOperationCalled" && type.case !== "entityOperationSignaled") {
    throw new Error(`no operation: ${type.case}`);
  }
  const { operation, input = "{}" } = type.value;
  return { operation, input: JSON.parse(input) as LedgerInput };
}
