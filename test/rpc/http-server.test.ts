import { Agent } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { type CallContext, mountService } from "../../sidecar/rpc/service.ts";
import {
  HistoryChunkSchema,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { countingServer, httpClients, requestText, urlOf } from "../support/http-harness.ts";
import { jsonCall, RawSocket } from "../support/raw-http1.ts";
import { openTestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const WAIT = "/TaskHubSidecarService/WaitForInstanceStart";
const GET = "/TaskHubSidecarService/GetInstance";
const HISTORY = "/TaskHubSidecarService/StreamInstanceHistory";
const JSON_TYPE = "application/json";
/** An empty message in the frame of a stream, as JSON. */
const NO_FIELDS = "\0\0\0\0\x02{}";
/** JSON has no word for the year 30829. */
const UNSPEAKABLE = { timestamp: { seconds: 910_692_730_085n, nanos: 0 } };

describe("a call over HTTP/1.1", () => {
  it("has what its caller says of itself, and one identity per connection", async () => {
    const seen: Pick<CallContext, "connection" | "peer" | "taskHub" | "userAgent" | "workerId">[] =
      [];
    const closed = Promise.withResolvers<string>();
    const mount = mountService(TaskHubSidecarService, {
      async hello(_request, { connection, peer, taskHub, userAgent, workerId }) {
        seen.push({ connection, peer, taskHub, userAgent, workerId });
        return {};
      },
    });
    await using served = await openTestServer([mount], { onConnectionClosed: closed.resolve });
    using raw = new RawSocket(served.address);
    const headers = "TaskHub: orders\r\nWorkerId: w-1\r\nUser-Agent: curl/8\r\n";
    await raw.write(requestText(HELLO, "{}", JSON_TYPE, headers));
    await raw.until("{}");
    await raw.write(requestText(HELLO, "{ }", JSON_TYPE, "Connection: close\r\n"));
    await raw.closed;
    const peer = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
    const connection = await closed.promise;
    expect(seen).toEqual([
      { connection, peer, taskHub: "orders", userAgent: "curl/8", workerId: "w-1" },
      { connection, peer, taskHub: "default", userAgent: "", workerId: undefined },
    ]);
  });

  it("is told the code and the words of a failure", async () => {
    const mount = mountService(TaskHubSidecarService, {
      getInstance: async () => {
        throw new HubError("limit-exceeded", "there are too many");
      },
    });
    await using served = await openTestServer([mount]);
    const answer = await jsonCall(served.address, GET, {});
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      429,
      { code: "resource_exhausted", message: "there are too many" },
    ]);
  });

  it("is told nothing of a bug, or of an answer that cannot be encoded", async () => {
    const mount = mountService(TaskHubSidecarService, {
      getInstance: async () => {
        throw new TypeError("secret");
      },
      streamInstanceHistory: async function* () {
        yield {};
        yield toBinary(HistoryChunkSchema, create(HistoryChunkSchema, { events: [UNSPEAKABLE] }));
      },
      waitForInstanceStart: async () => ({
        orchestrationState: { createdTimestamp: UNSPEAKABLE.timestamp },
      }),
    });
    await using served = await openTestServer([mount]);
    const texts = [
      (await jsonCall(served.address, GET, {})).text,
      (await jsonCall(served.address, WAIT, {})).text,
      (
        await jsonCall(served.address, HISTORY, NO_FIELDS, {
          "content-type": "application/connect+json",
        })
      ).text,
    ];
    expect(served.internalErrors.map(({ method }) => method)).toEqual([GET, WAIT, HISTORY]);
    for (const [index, text] of texts.entries()) {
      const id = served.internalErrors[index]?.correlationId;
      expect(text).toContain(`{"code":"internal","message":"internal error ${id}"}`);
      expect(text).not.toMatch(/secret|Timestamp/);
    }
  });

  it.each(httpClients)("streams over %s, an item at a time", async (_name, createTransport) => {
    const answer = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      streamInstanceHistory: async function* () {
        yield { events: [{ eventId: 1 }] };
        await answer.promise;
        yield toBinary(
          HistoryChunkSchema,
          create(HistoryChunkSchema, { events: [{ eventId: 2 }] }),
        );
      },
    });
    await using served = await openTestServer([mount]);
    const agent = new Agent();
    const client = createClient(TaskHubSidecarService, createTransport(urlOf(served), agent));
    const chunks = client.streamInstanceHistory({})[Symbol.asyncIterator]();
    expect((await chunks.next()).value?.events[0]?.eventId).toBe(1);
    answer.resolve();
    expect((await chunks.next()).value?.events[0]?.eventId).toBe(2);
    expect((await chunks.next()).done).toBe(true);
  });

  it.each(httpClients)("over %s is over when its caller leaves", async (_name, createTransport) => {
    const { hub, served } = await countingServer();
    await using _served = served;
    const client = createClient(TaskHubSidecarService, createTransport(urlOf(served), new Agent()));
    const caller = new AbortController();
    const waiting = client.waitForInstanceStart({}, { signal: caller.signal });
    await hub.context.promise;
    caller.abort();
    await expect(waiting).rejects.toMatchObject({ code: Code.Canceled });
    expect(await hub.reason.promise).toMatchObject({ code: "cancelled" });
    expect(served.internalErrors).toEqual([]);
  });

  it.each([
    ["connect-timeout-ms", "9999999999", "application/json", "{}"],
    ["grpc-timeout", "99999999H", "application/grpc-web+json", NO_FIELDS],
  ])("waits as long as %s: %s says", async (name, value, type, body) => {
    const { hub, served } = await countingServer();
    await using _served = served;
    const waiting = jsonCall(served.address, WAIT, body, { [name]: value, "content-type": type });
    const { signal } = await hub.context.promise;
    // A timer that had wrapped round would ring within the next turns of the loop.
    await jsonCall(served.address, HELLO, {});
    await jsonCall(served.address, HELLO, {});
    expect(signal.aborted).toBe(false);
    await served.server.stop({ graceMs: 0 });
    expect((await waiting).text).toContain("stopping");
  });

  it("is not pulled from while its caller does not read, and lets go when that one leaves", async () => {
    const returned = Promise.withResolvers<void>();
    const event = { eventType: { case: "genericEvent", value: { data: "x".repeat(256 * 1024) } } };
    const chunk = create(HistoryChunkSchema, { events: [event as never] });
    let pulled = 0;
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      streamInstanceHistory: async function* () {
        try {
          for (; ; pulled += 1) yield chunk;
        } finally {
          returned.resolve();
        }
      },
    });
    await using served = await openTestServer([mount]);
    using raw = new RawSocket(served.address);
    raw.socket.pause();
    await raw.write(requestText(HISTORY, NO_FIELDS, "application/connect+json"));
    // Round trips, until nothing moved during some.
    for (let before = -1; pulled === 0 || pulled !== before; ) {
      before = pulled;
      for (let trip = 0; trip < 5; trip += 1) await jsonCall(served.address, HELLO, {});
    }
    raw.socket.resetAndDestroy();
    await returned.promise;
    expect(served.internalErrors).toEqual([]);
  });
});
