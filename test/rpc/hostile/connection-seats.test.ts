/** What one connection can take of the waits and streams, and what a refused caller is told. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import { boundWaits, stays } from "../../../sidecar/rpc/connection-seats.ts";
import { mountService } from "../../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { httpTransports } from "../../support/http-harness.ts";
import { RawClient } from "../../support/raw-client.ts";
import { jsonCall } from "../../support/raw-http1.ts";
import { openTestServer } from "../../support/rpc-harness.ts";
import { openHub } from "../../support/scheduler-harness.ts";
import { mountAll } from "./hostile-world.ts";

const { method } = TaskHubSidecarService;

/** A service on which everything waits until its caller leaves. */
function waitingService() {
  const arrivals: (() => void)[] = [];
  const arrived = () => arrivals.shift()?.();
  const untilOver = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const mount = mountService(TaskHubSidecarService, {
    hello: async () => ({}),
    async waitForInstanceStart(_request, { signal }) {
      arrived();
      return await untilOver(signal);
    },
    async *getWorkItems(_request, { signal }) {
      arrived();
      await untilOver(signal);
      yield {};
    },
  });
  return { mount, next: () => new Promise<void>((resolve) => arrivals.push(resolve)) };
}

describe("waits and streams of one connection", () => {
  it("are bounded together; other connections and calls that do not stay are served", async () => {
    const { mount, next } = waitingService();
    await using served = await openTestServer(boundWaits([mount], { perConnection: 2 }));
    const address = `${served.address.host}:${served.address.port}`;
    using greedy = new RawClient(address);
    using other = new RawClient(address);
    const arrivals = [next(), next(), next(), next()];
    const waiting = greedy.unary(method.waitForInstanceStart, {});
    waiting.catch(() => {});
    await arrivals[0];
    using stream = greedy.serverStream(method.getWorkItems, {});
    await arrivals[1];
    const message = /^more than 2 waits and streams are open on this connection$/;
    const refused = { code: status.RESOURCE_EXHAUSTED, details: expect.stringMatching(message) };
    await expect(greedy.unary(method.waitForInstanceStart, {})).rejects.toMatchObject(refused);
    using more = greedy.serverStream(method.getWorkItems, {});
    await expect(more.next()).rejects.toMatchObject(refused);
    await greedy.unary(method.hello, {});
    using elsewhere = other.serverStream(method.getWorkItems, {});
    await arrivals[2];
    // One that leaves makes room.
    stream.cancel();
    await expect(stream.next()).rejects.toMatchObject({ code: status.CANCELLED });
    await greedy.unary(method.hello, {});
    using again = greedy.serverStream(method.getWorkItems, {});
    await arrivals[3];
    expect(served.internalErrors).toEqual([]);
    elsewhere.cancel();
    again.cancel();
  });

  it("are bounded in the bytes of their requests, each and together", async () => {
    const { mount, next } = waitingService();
    const limits = { requestBytes: 100, allRequestsBytes: 150 };
    await using served = await openTestServer(boundWaits([mount], limits));
    using client = new RawClient(`${served.address.host}:${served.address.port}`);
    const wait = (bytes: number) =>
      client.unary(method.waitForInstanceStart, { instanceId: "i".repeat(bytes) });
    await expect(wait(101)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    const arrived = next();
    wait(90).catch(() => {});
    await arrived;
    await expect(wait(90)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: "requests of waits and streams are together over 150 bytes",
    });
  });

  it("are all calls that last as long as their caller likes", async () => {
    await using hub = await openHub();
    const staying = mountAll(hub).flatMap(({ service, methods }) =>
      service.methods
        .filter((each) => methods.has(each.localName) && stays(each))
        .map(({ name }) => name),
    );
    expect(staying).toEqual([
      "WaitForInstanceStart",
      "WaitForInstanceCompletion",
      "GetWorkItems",
      "StreamInstanceHistory",
      "WaitForQuiescence",
      "WatchInstance",
      "WatchInstances",
      "WaitForInstance",
      "ExportTaskHub",
      "Watch",
      "ServerReflectionInfo",
      "ServerReflectionInfo",
    ]);
  });
});

const refusals = [
  ["limit-exceeded", Code.ResourceExhausted],
  ["unavailable", Code.Unavailable],
] as const;

describe.each(refusals)("a call that is refused as %s", (code, connectCode) => {
  const mount = mountService(TaskHubSidecarService, {
    hello: async () => {
      throw new HubError(code, "too much");
    },
    // biome-ignore lint/correctness/useYield: it is refused before its first item
    async *getWorkItems() {
      throw new HubError(code, "too much");
    },
  });

  /** Half a second to one and a half, so that those who were refused together come back apart. */
  function expectHint(text: unknown): void {
    expect(String(text)).toMatch(/^\d+$/);
    expect(Number(text)).toBeGreaterThanOrEqual(500);
    expect(Number(text)).toBeLessThanOrEqual(1_500);
  }

  it("is told over gRPC when to come back", async () => {
    await using served = await openTestServer([mount]);
    using client = new RawClient(`${served.address.host}:${served.address.port}`);
    const error = await client.unary(method.hello, {}).then(
      () => expect.fail("the call was answered"),
      (reason: { code: number; metadata: { get(name: string): unknown[] } }) => reason,
    );
    expect(error.code).toBe(connectCode);
    expectHint(error.metadata.get("retry-after-ms")[0]);
    using stream = client.serverStream(method.getWorkItems, {});
    await expect(stream.next()).rejects.toSatisfy((reason: typeof error) => {
      expectHint(reason.metadata.get("retry-after-ms")[0]);
      return true;
    });
  });

  it("is told over HTTP/1.1 when to come back", async () => {
    await using served = await openTestServer([mount]);
    const answer = await jsonCall(served.address, "/TaskHubSidecarService/Hello", {});
    expectHint(answer.headers["retry-after-ms"]);
  });

  it.each(httpTransports)("is told over $name, also as a stream", async ({ serve }) => {
    await using served = await serve(mount);
    const client = createClient(TaskHubSidecarService, served.transport);
    for (const call of [
      () => client.hello({}),
      () => client.getWorkItems({})[Symbol.asyncIterator]().next(),
    ]) {
      const error = await call().then(
        () => expect.fail("the call was answered"),
        (reason: unknown) => ConnectError.from(reason),
      );
      expect(error.code).toBe(connectCode);
      expectHint(error.metadata.get("retry-after-ms"));
    }
  });
});

describe("a call that is refused for another reason", () => {
  it("is not invited to come back", async () => {
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => {
        throw new HubError("invalid-argument", "wrong");
      },
    });
    await using served = await openTestServer([mount]);
    const answer = await jsonCall(served.address, "/TaskHubSidecarService/Hello", {});
    expect(answer.headers["retry-after-ms"]).toBeUndefined();
    using client = new RawClient(`${served.address.host}:${served.address.port}`);
    await expect(client.unary(method.hello, {})).rejects.toSatisfy(
      (reason: { metadata: { get(name: string): unknown[] } }) =>
        reason.metadata.get("retry-after-ms").length === 0,
    );
  });
});
