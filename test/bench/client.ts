/**
 * The load client: starts orchestrations, a fixed number of them in flight, and waits for each to
 * complete.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CreateInstanceRequestSchema,
  CreateInstanceResponseSchema,
  GetInstanceRequestSchema,
  GetInstanceResponseSchema,
  OrchestrationStatus,
  QueryInstancesRequestSchema,
  QueryInstancesResponseSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { ClientCommand, LoadResult } from "./load-commands.ts";
import { answerCommands } from "./load-process.ts";
import { PAYLOAD } from "./orchestrator.ts";
import { percentile } from "./percentile.ts";
import { RawCalls } from "./raw-calls.ts";
import { pageInstances } from "./results.ts";

const nothing = Buffer.alloc(0);
let calls: RawCalls | undefined;

answerCommands<ClientCommand, LoadResult>(async (command) => {
  switch (command.do) {
    case "connect":
      calls?.close();
      calls = new RawCalls(command.port);
      return load(1, 1, 10_000, hello);
    case "orchestrate":
      return load(command.inFlight, command.count, command.startUntilMs, orchestrate);
    case "hello":
      return load(command.inFlight, Infinity, command.durationMs, hello);
    case "pages":
      return load(1, Infinity, command.durationMs, pager(command.walks));
    case "receive":
      return receive();
  }
});

/** Runs `one` again and again, `inFlight` at a time; everything that was begun is finished. */
async function load(
  inFlight: number,
  count: number,
  startUntilMs: number,
  one: () => Promise<void>,
): Promise<LoadResult> {
  const latencies: number[] = [];
  let started = 0;
  const begin = performance.now();
  const lane = async () => {
    while (started < count && performance.now() - begin < startUntilMs) {
      started += 1;
      const from = performance.now();
      await one();
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const elapsedMs = performance.now() - begin;
  latencies.sort((left, right) => left - right);
  const p50Ms = percentile(latencies, 0.5);
  return { count: latencies.length, elapsedMs, p50Ms, p99Ms: percentile(latencies, 0.99) };
}

async function hello(): Promise<void> {
  await connected().unary("hello", nothing);
}

async function orchestrate(): Promise<void> {
  const request = create(CreateInstanceRequestSchema, { name: "Load", input: PAYLOAD });
  const started = await connected().unary(
    "startInstance",
    Buffer.from(toBinary(CreateInstanceRequestSchema, request)),
  );
  const { instanceId } = fromBinary(CreateInstanceResponseSchema, started);
  const wait = create(GetInstanceRequestSchema, { instanceId, getInputsAndOutputs: true });
  const ended = await connected().unary(
    "waitForInstanceCompletion",
    Buffer.from(toBinary(GetInstanceRequestSchema, wait)),
  );
  const { orchestrationState } = fromBinary(GetInstanceResponseSchema, ended);
  if (
    orchestrationState?.orchestrationStatus !== OrchestrationStatus.COMPLETED ||
    orchestrationState.output !== PAYLOAD
  ) {
    throw new Error(`instance ${instanceId} did not end as it should`);
  }
}

/** Asks for pages of instances: the first one, or each behind the last one, round and round. */
function pager(walks: boolean): () => Promise<void> {
  let continuationToken = "";
  return async () => {
    const query = { maxInstanceCount: pageInstances, continuationToken };
    const request = create(QueryInstancesRequestSchema, { query });
    const bytes = Buffer.from(toBinary(QueryInstancesRequestSchema, request));
    const answered = await connected().unary("queryInstances", bytes);
    const page = fromBinary(QueryInstancesResponseSchema, answered);
    if (page.orchestrationState.length !== pageInstances) throw new Error("a page is not full");
    if (walks) continuationToken = page.continuationToken ?? "";
  };
}

/** Takes one stream of messages to its end. */
async function receive(): Promise<LoadResult> {
  const begin = performance.now();
  let count = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = connected().stream("streamInstanceHistory", nothing);
  stream.on("data", () => {
    count += 1;
  });
  stream.on("end", resolve);
  stream.on("error", reject);
  await promise;
  return { count, elapsedMs: performance.now() - begin, p50Ms: 0, p99Ms: 0 };
}

function connected(): RawCalls {
  if (calls === undefined) throw new Error("not connected");
  return calls;
}
