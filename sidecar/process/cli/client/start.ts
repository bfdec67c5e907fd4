import { create, type JsonObject, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CreateInstanceRequest,
  CreateInstanceRequestSchema,
  CreateInstanceResponseSchema,
} from "../../../wire/gen/orchestrator_service_pb.ts";
import { InstanceStatus } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import {
  type WaitForInstanceRequestSchema,
  type WaitForInstanceResponse,
  WaitForInstanceResponseSchema,
} from "../../../wire/gen/taskhub/v1/watch_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, type ExitCode, ExitError } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { parseTags } from "./filter.ts";
import { payloadsOf } from "./get.ts";
import { holdName } from "./instance-columns.ts";
import { jsonArgument, operand } from "./operands.ts";
import { outputStyle, printDocument } from "./output.ts";
import { fieldLines } from "./table.ts";
import { parseTimeAhead } from "./times.ts";
import { statusCell, statusWord } from "./words.ts";

export interface StartFlags {
  readonly id?: string;
  readonly input?: string;
  readonly version?: string;
  readonly tag?: readonly string[];
  readonly at?: string;
  readonly wait?: boolean;
}

/** Starts an instance, and with `--wait` waits for its result. */
export const start: ClientWork<StartFlags> = async (context, flags, operands) => {
  const { compat, quick, surroundings } = context;
  const name = operand(operands, 0, "the name of the orchestrator");
  const input = await jsonArgument(flags.input, "--input", surroundings.workingDirectory);
  const request = startRequest(name, flags, input, context.nowMs());
  const answer = await compat.startInstance(request, quick);
  if (flags.wait) return await waitForResult(context, answer.instanceId);
  printDocument(
    context,
    toJson(CreateInstanceResponseSchema, answer),
    () => `${escapeControls(answer.instanceId)}\n`,
  );
  return EXIT.ok;
};

/** @throws ExitError 64 */
export function startRequest(
  name: string,
  { id = "", version, tag, at }: StartFlags,
  input: string | undefined,
  nowMs: number,
): CreateInstanceRequest {
  return create(CreateInstanceRequestSchema, {
    instanceId: id,
    name,
    tags: parseTags(tag),
    requestTime: timestampFromMs(nowMs),
    ...present("version", version),
    ...present("input", input),
    ...(at === undefined ? {} : { scheduledStartTimestamp: parseTimeAhead(at, "--at", nowMs) }),
  });
}

/** The server ends a wait a little before the command does, and tells what holds the instance. */
const answerMs = 500;
const waitMsMax = 24 * 3_600_000;

async function waitForResult(context: ClientContext, instanceId: string): Promise<ExitCode> {
  const { config, v1, patient } = context;
  const { timeoutMs } = config;
  const request: MessageInitShape<typeof WaitForInstanceRequestSchema> = {
    instanceId,
    ...(timeoutMs === undefined
      ? {}
      : { timeout: durationFromMs(Math.min(waitMsMax, Math.max(1, timeoutMs - answerMs))) }),
  };
  const answer = await v1.waitForInstance(request, patient);
  const { reached, instance } = answer;
  if (!reached) throw stillGoing(instanceId, answer);
  const { input, output, failureDetails } = await payloadsOf(context, instanceId);
  const json = toJson(WaitForInstanceResponseSchema, answer) as JsonObject;
  const document: JsonObject = {
    ...json,
    ...present("input", input),
    ...present("output", output),
    ...(failureDetails === undefined ? {} : { failure: failureDetails.errorMessage }),
  };
  printDocument(context, document, () =>
    fieldLines(
      [
        ["instance", instanceId],
        ["status", statusCell(instance?.status ?? InstanceStatus.UNSPECIFIED)],
        ["output", output ?? ""],
        ["failure", failureDetails?.errorMessage ?? ""],
      ],
      outputStyle(context),
    ),
  );
  return instance?.status === InstanceStatus.COMPLETED ? EXIT.ok : EXIT.failure;
}

function stillGoing(instanceId: string, { instance }: WaitForInstanceResponse): ExitError {
  const status = instance === undefined ? "gone" : statusWord(instance.status);
  const holds = (instance?.holds ?? []).map(holdName);
  const held = holds.length === 0 ? "" : `, held by ${holds.join(", ")}`;
  const line = `the time is up: instance ${JSON.stringify(instanceId)} is ${status}${held}`;
  return new ExitError(EXIT.timedOut, line);
}
