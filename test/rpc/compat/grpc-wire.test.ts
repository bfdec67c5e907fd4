/** What only real gRPC can show: bytes that no library would send, and when headers come. */
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { RawClient } from "../../support/raw-client.ts";
import { framed, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../../support/rpc-harness.ts";
import { openHub, type TestHub } from "../../support/scheduler-harness.ts";

const { method } = TaskHubSidecarService;
const invalidUtf8 = Buffer.from([0xc3, 0x28]);

let hub: TestHub;
let served: TestServer;
let raw: RawHttp2;
let client: RawClient;
let connectionLost: PromiseWithResolvers<void>;

beforeEach(async () => {
  hub = await openHub();
  connectionLost = Promise.withResolvers();
  served = await openTestServer([compatibleService(hub.hubs, countedIds("c"))], {
    onConnectionClosed: (connection) => {
      hub.hubs.connectionClosed(connection);
      connectionLost.resolve();
    },
  });
  raw = new RawHttp2(served.address);
  client = new RawClient(`${served.address.host}:${served.address.port}`);
});

afterEach(async () => {
  client[Symbol.dispose]();
  await raw[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

/** A length-delimited field with a number below 16. */
function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.byteLength]), content]);
}

const name = field(2, Buffer.from("Main"));
const requests: [string, string, Buffer][] = [
  ["StartInstance", "the id", Buffer.concat([field(1, invalidUtf8), name])],
  ["StartInstance", "the name", field(2, invalidUtf8)],
  ["StartInstance", "the input", Buffer.concat([name, field(4, field(1, invalidUtf8))])],
  ["StartInstance", "half a surrogate pair", field(1, Buffer.from([0xed, 0xa0, 0x80]))],
  ["GetInstance", "the id", field(1, invalidUtf8)],
  ["WaitForInstanceStart", "the id", field(1, invalidUtf8)],
  ["WaitForInstanceCompletion", "the id", field(1, invalidUtf8)],
  ["RaiseEvent", "the id", Buffer.concat([field(1, invalidUtf8), name])],
  ["TerminateInstance", "the id", field(1, invalidUtf8)],
  ["SuspendInstance", "the id", field(1, invalidUtf8)],
  ["ResumeInstance", "the id", field(1, invalidUtf8)],
  ["PurgeInstances", "the id", field(1, invalidUtf8)],
  ["StreamInstanceHistory", "the id", field(1, invalidUtf8)],
  ["CompleteActivityTask", "the id", field(1, invalidUtf8)],
  ["CompleteOrchestratorTask", "the id", field(1, invalidUtf8)],
  ["AbandonTaskActivityWorkItem", "the token", field(1, invalidUtf8)],
  ["AbandonTaskOrchestratorWorkItem", "the token", field(1, invalidUtf8)],
];

describe("over gRPC", () => {
  it.each(requests)(
    "%s with invalid UTF-8 in %s is INVALID_ARGUMENT",
    async (path, _what, body) => {
      const answer = await raw.call(`/TaskHubSidecarService/${path}`, framed(body));
      expect(answer).toMatchObject({ http: 200, grpc: status.INVALID_ARGUMENT });
      expect(answer.message).toMatch(/^the request is not a valid \w+ message$/);
      await hub.settled();
      expect(hub.store.durablePosition).toBe(0);
      await client.unary(method.hello, {});
      expect(served.internalErrors).toEqual([]);
    },
  );

  it("GetWorkItems sends its headers at once, before there is work", async () => {
    using stream = client.serverStream(method.getWorkItems, {});
    await stream.headers;
    expect(hub.store.durablePosition).toBe(0);
    await client.unary(method.startInstance, { instanceId: "a", name: "Main" });
    expect((await stream.next())?.request).toMatchObject({ value: { instanceId: "a" } });
  });

  it("a dropped connection gives its work back without a grace", async () => {
    const worker = new RawClient(`${served.address.host}:${served.address.port}`);
    await client.unary(method.startInstance, { instanceId: "a", name: "Main" });
    const lost = worker.serverStream(method.getWorkItems, {});
    expect(await lost.next()).toBeDefined();
    using stream = client.serverStream(method.getWorkItems, {});
    await stream.headers;
    lost.cancel();
    worker[Symbol.dispose]();
    await connectionLost.promise;
    // Time has to be asked for: the clock of the test stands still.
    await hub.pass(0);
    expect((await stream.next())?.request).toMatchObject({ value: { instanceId: "a" } });
  });

  it("a wait that is refused because of its deadline starts nothing", async () => {
    const deadline = new Date(Date.now() - 1);
    const call = client.unary(
      method.startInstance,
      { instanceId: "a", name: "Main" },
      { deadline },
    );
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const after = await client.unary(method.getInstance, { instanceId: "a" });
    expect(after.exists).toBe(false);
  });
});
