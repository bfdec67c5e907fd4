/** Turns whose history is fetched, as .NET does it: T34, PROTOCOL.md 2.2, 3.3 and 4.4. */
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { encode } from "../../../sidecar/wire/encode.ts";
import {
  type HistoryChunk,
  HistoryChunkSchema,
  TaskHubSidecarService,
  WorkerCapability,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { CompatWorker, CompatWorkerOptions, TurnItem } from "../../support/compat-worker.ts";
import { type CompatWorld, failureOf, openCompat, readAll } from "../../support/compat-world.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { RawClient } from "../../support/raw-client.ts";
import { openTestServer, transports } from "../../support/rpc-harness.ts";
import { openHub } from "../../support/scheduler-harness.ts";
import { completed, continueAsNew, sendEvent } from "../../support/worker-actions.ts";

const dotnet = {
  maxConcurrentOrchestrationWorkItems: 100,
  maxConcurrentActivityWorkItems: 100,
  maxConcurrentEntityWorkItems: 100,
  capabilities: [WorkerCapability.HISTORY_STREAMING],
};

/** A worker with an instance that has so many events of 30 KB behind it, and one that waits. */
async function startLong(
  world: CompatWorld,
  events: number,
  options: CompatWorkerOptions,
): Promise<CompatWorker> {
  await world.start("a");
  const worker = await world.worker(options);
  const data = "x".repeat(30_000);
  const sent = Array.from({ length: events }, (_, at) => sendEvent(at, "nobody", `E${at}`, data));
  await worker.complete(await worker.turn(), sent);
  await world.client.raiseEvent({ instanceId: "a", name: "Go" });
  return worker;
}

/** What a .NET worker asks for when it has got such a turn. */
function fetchPast(
  { client }: CompatWorld,
  { request: { instanceId, executionId } }: TurnItem,
): Promise<HistoryChunk[]> {
  const wish = { instanceId, executionId, forWorkItemProcessing: true };
  return readAll(client.streamInstanceHistory(wish));
}

describe.each(transports)("over $name, a worker that streams histories", ({ serve }) => {
  it("gets a long one in chunks, as it was when its turn was handed out", async () => {
    await using world = await openCompat(serve);
    const worker = await startLong(world, 60, dotnet);
    const turn = await worker.turn();
    const { request } = turn;
    expect(request).toMatchObject({ requiresHistoryStreaming: true, pastEvents: [] });
    expect(request.newEvents.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "eventRaised",
    ]);
    expect(request.entityParameters?.entityMessageReorderWindow).toBeDefined();
    await world.client.raiseEvent({ instanceId: "a", name: "Later" });
    await world.client.suspendInstance({ instanceId: "a" });
    await world.client.resumeInstance({ instanceId: "a" });
    const chunks = await fetchPast(world, turn);
    expect(chunks.length).toBeGreaterThan(6);
    for (const chunk of chunks) {
      const { length } = encode(HistoryChunkSchema, chunk);
      expect(length).toBeLessThanOrEqual(LIMITS.historyChunkBytes);
    }
    const kinds = chunks.flatMap(({ events }) => events.map(({ eventType }) => eventType.case));
    expect(kinds).toEqual([
      "orchestratorStarted",
      "executionStarted",
      ...Array(60).fill("eventSent"),
    ]);
    await worker.complete(turn, [completed('"done"')]);
    expect(await world.status("a")).toBe("COMPLETED");
    const all = await world.kinds("a");
    expect(all.slice(-5)).toEqual([
      "orchestratorStarted",
      "eventRaised",
      "executionSuspended",
      "executionResumed",
      "executionCompleted",
    ]);
  });

  it("gets the history of its execution and of no other", async () => {
    await using world = await openCompat(serve);
    const worker = await startLong(world, 60, dotnet);
    const turn = await worker.turn();
    const ids = ["nonsense", "x".repeat(100_000), "__proto__", "\u0000", "🙂"];
    const forWorkItemProcessing = true;
    for (const executionId of ids) {
      const failure = await failureOf(world.history("a", { executionId, forWorkItemProcessing }));
      expect(["NotFound", "InvalidArgument"]).toContain(failure.code);
    }
    await worker.complete(turn, [continueAsNew("2")]);
    await worker.turn();
    expect((await failureOf(fetchPast(world, turn))).code).toBe("NotFound");
    expect(world.internalErrors).toEqual([]);
  });

  it("is no other for capabilities that are not known", async () => {
    await using world = await openCompat(serve);
    const capabilities = [0, 2, 3, 4, 77, -1, 2_147_483_647] as WorkerCapability[];
    const { request } = await (await startLong(world, 60, { capabilities })).turn();
    expect(request.requiresHistoryStreaming).toBe(false);
    expect(request.pastEvents).toHaveLength(62);
  });

  it("gets a turn that others cannot be sent, while they get the rest", async () => {
    await using world = await openCompat(serve);
    const oneAtOnce = { ...dotnet, maxConcurrentOrchestrationWorkItems: 1 };
    const streaming = await startLong(world, 150, oneAtOnce);
    const turn = await streaming.turn();
    expect(turn.request.requiresHistoryStreaming).toBe(true);
    const other = await world.worker({});
    await world.start("b");
    expect((await other.completeNext()).request.instanceId).toBe("b");
    expect((await fetchPast(world, turn)).flatMap(({ events }) => events)).toHaveLength(152);
  });
});

describe("a reader", () => {
  it("is answered in whole what is larger than gRPC's limit, which is its own to set", async () => {
    await using hub = await openHub();
    const largest = "x".repeat(LIMITS.payloadBytesMax);
    await hub.start("a", { input: largest });
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [completed(largest)]);
    await using served = await openTestServer([compatibleService(hub.hubs, countedIds("c"))]);
    const address = `${served.address.host}:${served.address.port}`;
    const { getInstance } = TaskHubSidecarService.method;
    const request = { instanceId: "a", getInputsAndOutputs: true };
    using client = new RawClient(address);
    const { orchestrationState: state } = await client.unary(getInstance, request);
    expect([state?.input === largest, state?.output === largest]).toEqual([true, true]);
    using limited = new RawClient(address, { "grpc.max_receive_message_length": 4 * 1024 * 1024 });
    const refused = limited.unary(getInstance, request);
    await expect(refused).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((await limited.unary(getInstance, { instanceId: "a" })).exists).toBe(true);
  });
});

describe("a worker with gRPC's limit for messages", () => {
  it("is not sent a turn above it (T34): its instance fails, and says what to do", async () => {
    const [inMemory] = transports;
    if (inMemory === undefined) throw new Error("there is no transport");
    await using world = await openCompat(inMemory.serve);
    await startLong(world, 150, {});
    const { orchestrationState } = await world.client.waitForInstanceCompletion({
      instanceId: "a",
      getInputsAndOutputs: true,
    });
    expect(orchestrationState?.failureDetails).toMatchObject({
      errorType: "HistoryTooLarge",
      errorMessage: expect.stringMatching(/at most 4128768 bytes.*continue as new.*streams/),
    });
    expect((await world.kinds("a")).slice(-2)).toEqual([
      "orchestratorStarted",
      "executionCompleted",
    ]);
  });
});
