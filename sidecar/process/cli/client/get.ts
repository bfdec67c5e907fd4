import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type OrchestrationState,
  OrchestrationStateSchema,
} from "../../../wire/gen/orchestrator_service_pb.ts";
import {
  type GetSuspensionResponse,
  GetSuspensionResponseSchema,
} from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { customStatusText, holdSentence } from "./instance-columns.ts";
import { operand } from "./operands.ts";
import { outputStyle, printDocument } from "./output.ts";
import { type Cell, fieldLines } from "./table.ts";
import { showTime } from "./times.ts";
import { plural, statusCell } from "./words.ts";

/** Everything about one instance: from v1 what holds it, from the published service the payloads. */
export const get: ClientWork<object> = async (context, _flags, operands) => {
  const { v1, quick } = context;
  const instanceId = operand(operands, 0, "the instance id");
  const state = await payloadsOf(context, instanceId);
  const suspension = await v1.getSuspension({ instanceId }, quick);
  printDocument(context, documentOf(state, suspension), () =>
    fieldLines(fieldsOf(state, suspension), outputStyle(context)),
  );
  return EXIT.ok;
};

/**
 * The state with input, output and failure.
 *
 * @throws ExitError 2 when the instance does not exist
 */
export async function payloadsOf(
  { compat, quick }: ClientContext,
  instanceId: string,
): Promise<OrchestrationState> {
  const request = { instanceId, getInputsAndOutputs: true };
  const { orchestrationState } = await compat.getInstance(request, quick);
  if (orchestrationState !== undefined) return orchestrationState;
  throw new ExitError(EXIT.notFound, `instance ${JSON.stringify(instanceId)} does not exist`);
}

/** Whether an error says that there is no such instance. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.NotFound;
}

function documentOf(state: OrchestrationState, suspension: GetSuspensionResponse): JsonObject {
  const payloads = toJson(OrchestrationStateSchema, state) as JsonObject;
  const { input, output, failureDetails } = payloads;
  const held = toJson(GetSuspensionResponseSchema, suspension) as JsonObject;
  return {
    ...held,
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(failureDetails === undefined ? {} : { failureDetails }),
  };
}

function fieldsOf(
  { input, output, failureDetails }: OrchestrationState,
  suspension: GetSuspensionResponse,
): readonly (readonly [string, Cell | string])[] {
  const { instance, inFlight, bufferedEvents, activitiesHeldBack, quiescent } = suspension;
  if (instance === undefined) return [];
  const tags = Object.entries(instance.tags).map(([key, value]) => `${key}=${value}`);
  const waiting = bufferedEvents?.count ?? 0;
  return [
    ["instance", instance.instanceId],
    ["name", instance.name],
    ["version", instance.version ?? ""],
    ["status", statusCell(instance.status)],
    ["created", showTime(instance.createdAt)],
    ["updated", showTime(instance.updatedAt)],
    ["scheduled", showTime(instance.scheduledStartAt)],
    ["completed", showTime(instance.completedAt)],
    ["execution", instance.executionId],
    ["parent", instance.parentInstanceId],
    ["tags", tags.join(", ")],
    ["custom status", customStatusText(instance.customStatus)],
    ...instance.holds.map(
      (hold) => ["held by", { text: holdSentence(hold), paint: "yellow" } as Cell] as const,
    ),
    ["held back", activitiesHeldBack === 0 ? "" : plural(activitiesHeldBack, "activity task")],
    ["in flight", inFlight.length === 0 ? "" : plural(inFlight.length, "work item")],
    ["waiting", waiting === 0 ? "" : plural(waiting, "external event")],
    ["stopped", quiescent ? "yes: nothing of it is with a worker" : ""],
    ["input", input ?? ""],
    ["output", output ?? ""],
    ["failure", failureDetails === undefined ? "" : failureText(failureDetails)],
  ];
}

function failureText({ errorType, errorMessage }: { errorType: string; errorMessage: string }) {
  return { text: `${errorType}: ${errorMessage}`, paint: "red" } as const;
}
