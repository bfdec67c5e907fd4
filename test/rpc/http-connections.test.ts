import { Agent } from "node:http";
import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { mountService } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { countingServer, httpClients, requestText, urlOf } from "../support/http-harness.ts";
import { jsonCall, RawSocket } from "../support/raw-http1.ts";
import { openTestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const WAIT = "/TaskHubSidecarService/WaitForInstanceStart";
const GET = "/TaskHubSidecarService/GetInstance";
const HISTORY = "/TaskHubSidecarService/StreamInstanceHistory";
const START = "/TaskHubSidecarService/StartInstance";
const JSON_TYPE = "application/json";
const NO_FIELDS = "\0\0\0\0\x02{}";
const STOPPING = "the server is stopping";

describe("a stop of the server", () => {
  it("closes idle connections at once, and a busy one when it is answered", async () => {
    const entered = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      waitForInstanceStart: async () => {
        entered.resolve();
        await answer.promise;
        return {};
      },
    });
    const closed: string[] = [];
    const served = await openTestServer([mount], { onConnectionClosed: (id) => closed.push(id) });
    using idle = new RawSocket(served.address);
    await idle.write(requestText(HELLO, "{}", JSON_TYPE));
    await idle.until("{}");
    using busy = new RawSocket(served.address);
    await busy.write(requestText(WAIT, "{}", JSON_TYPE));
    await entered.promise;
    const stopped = served.server.stop({ graceMs: 60_000 });
    await idle.closed;
    expect(closed).toEqual(["connection-1"]);
    answer.resolve();
    expect(await busy.closed).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*\{\}$/i,
    );
    await stopped;
    expect(closed).toEqual(["connection-1", "connection-2"]);
  });

  it("ends a wait with UNAVAILABLE after the grace", async () => {
    const { hub, served } = await countingServer();
    const waiting = jsonCall(served.address, WAIT, {});
    await hub.context.promise;
    await served.server.stop({ graceMs: 1 });
    const answer = await waiting;
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      503,
      { code: "unavailable", message: STOPPING },
    ]);
    expect(await hub.reason.promise).toMatchObject({ code: "unavailable" });
    expect(served.internalErrors).toEqual([]);
  });

  it.each(httpClients)("ends a stream over %s with UNAVAILABLE at once", async (_name, create) => {
    const { hub, served } = await countingServer();
    const client = createClient(TaskHubSidecarService, create(urlOf(served), new Agent()));
    const item = client.getWorkItems({})[Symbol.asyncIterator]().next();
    await hub.context.promise;
    const failed = expect(item).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: STOPPING,
    });
    await served.server.stop({ graceMs: 60_000 });
    await failed;
  });

  it("closes the connection of a stream that it has ended", async () => {
    const mount = mountService(TaskHubSidecarService, {
      streamInstanceHistory: async function* () {
        yield {};
        await new Promise(() => {});
      },
    });
    const served = await openTestServer([mount]);
    using raw = new RawSocket(served.address);
    await raw.write(requestText(HISTORY, NO_FIELDS, "application/connect+json"));
    await raw.until("200 OK");
    await served.server.stop({ graceMs: 60_000 });
    expect(await raw.closed).toContain(STOPPING);
  });

  it("returns a stream whose caller does not read at once", async () => {
    const full = Promise.withResolvers<void>();
    const returned = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      streamInstanceHistory: async function* () {
        try {
          // More than the network takes without a reader.
          full.resolve();
          const data = "x".repeat(32 * 1024 * 1024);
          yield { events: [{ eventType: { case: "genericEvent", value: { data } } }] };
        } finally {
          returned.resolve();
        }
      },
    });
    const served = await openTestServer([mount]);
    using raw = new RawSocket(served.address);
    raw.socket.pause();
    await raw.write(requestText(HISTORY, NO_FIELDS, "application/connect+json"));
    await full.promise;
    await jsonCall(served.address, HELLO, {});
    const stopped = served.server.stop({ graceMs: 60_000 });
    await returned.promise;
    raw.socket.destroy();
    await stopped;
  });

  it("lets an answer arrive that is on its way", async () => {
    const bytes = 16 * 1024 * 1024;
    const answered = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      getInstance: async () => {
        answered.resolve();
        return { exists: true, orchestrationState: { input: "x".repeat(bytes) } };
      },
    });
    const served = await openTestServer([mount]);
    using raw = new RawSocket(served.address);
    raw.socket.pause();
    await raw.write(requestText(GET, "{}", JSON_TYPE));
    await answered.promise;
    await jsonCall(served.address, HELLO, {});
    const stopped = served.server.stop({ graceMs: 60_000 });
    raw.socket.resume();
    expect((await raw.closed).length).toBeGreaterThan(bytes);
    await stopped;
  });

  it("does not wait for a method that ignores its signal", async () => {
    const entered = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      waitForInstanceStart: () => {
        entered.resolve();
        return new Promise(() => {});
      },
    });
    const served = await openTestServer([mount]);
    const waiting = jsonCall(served.address, WAIT, {});
    await entered.promise;
    await served.server.stop({ graceMs: 0 });
    expect((await waiting).status).toBe(503);
  });

  it("refuses a call that comes later on a busy connection", async () => {
    const { hub, served } = await countingServer();
    using busy = new RawSocket(served.address);
    await busy.write(requestText(WAIT, "{}", JSON_TYPE));
    await hub.context.promise;
    const stopped = served.server.stop({ graceMs: 50 });
    await busy.write(requestText(START, "{}", JSON_TYPE));
    await stopped;
    expect(await busy.closed).toContain(STOPPING);
    expect(hub.calls).toBe(1);
  });
});

describe("a connection", () => {
  it("that closes has aborted its calls before it is reported", async () => {
    const reported = Promise.withResolvers<unknown>();
    const { hub, served } = await countingServer({
      onConnectionClosed: async (connection) => {
        const context = await hub.context.promise;
        reported.resolve([connection === context.connection, context.signal.aborted]);
      },
    });
    await using _served = served;
    using raw = new RawSocket(served.address);
    await raw.write(requestText(WAIT, "{}", JSON_TYPE));
    await hub.context.promise;
    raw.socket.destroy();
    expect(await reported.promise).toEqual([true, true]);
    expect(served.internalErrors).toEqual([]);
  });

  it.each([
    ["headers", "GET / HTTP/1.1\r\n"],
    ["body", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"],
  ])("whose request stops in its %s is closed", async (_what, text) => {
    const { served } = await countingServer({
      httpTimes: { headersTimeoutMs: 20, requestTimeoutMs: 20, checkIntervalMs: 5 },
    });
    await using _served = served;
    using raw = new RawSocket(served.address);
    await raw.write(text);
    expect(await raw.closed).toContain("Connection: close");
  });

  it("without a request is closed after a while, one that waits is not", async () => {
    const { hub, served } = await countingServer({
      httpTimes: {
        headersTimeoutMs: 20,
        requestTimeoutMs: 20,
        checkIntervalMs: 5,
        keepAliveTimeoutMs: 5,
      },
    });
    await using _served = served;
    using waiting = new RawSocket(served.address);
    await waiting.write(requestText(WAIT, "{}", JSON_TYPE));
    const { signal } = await hub.context.promise;
    using idle = new RawSocket(served.address);
    await idle.write(requestText(HELLO, "{}", JSON_TYPE));
    await idle.closed;
    expect(signal.aborted).toBe(false);
  });
});
