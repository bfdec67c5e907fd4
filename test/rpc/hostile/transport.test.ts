/** Single calls that are wrong before their message is looked at. */
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CreateInstanceRequestSchema } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { FakeSteadyClock } from "../../support/fake-clock.ts";
import { RawSocket } from "../../support/raw-http1.ts";
import { answerOf, framed, frameHeader, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer } from "../../support/rpc-harness.ts";
import { HostileWorld, internals, mountAll } from "./hostile-world.ts";
import {
  callHeaders,
  END_HEADERS,
  END_STREAM,
  FRAME,
  FrameSocket,
  frame,
  headerBlock,
} from "./raw-frames.ts";

const START = "/TaskHubSidecarService/StartInstance";
const STREAM = "/TaskHubSidecarService/GetWorkItems";
const V1 = "/taskhub.v1.ClientService/SuspendInstance";
const message = toBinary(
  CreateInstanceRequestSchema,
  create(CreateInstanceRequestSchema, { instanceId: "new", name: "Main" }),
);

let world: HostileWorld;

beforeEach(async () => {
  world = await HostileWorld.open();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

interface Call {
  readonly path?: string;
  readonly body?: Uint8Array;
  readonly headers?: Record<string, string | string[]>;
}

const gzip = { "grpc-encoding": "gzip" };
const calls: readonly [string, Call, number, keyof typeof status | undefined][] = [
  ["an unknown service", { path: "/Nope/StartInstance" }, 200, "UNIMPLEMENTED"],
  ["an unknown method", { path: "/TaskHubSidecarService/Nope" }, 200, "UNIMPLEMENTED"],
  ["a path out of the tree", { path: "/../../etc/passwd" }, 200, "UNIMPLEMENTED"],
  ["a path with a query", { path: `${START}?a=b` }, 200, "UNIMPLEMENTED"],
  ["a path that speaks", { path: "/%0d%0agrpc-status:%200" }, 200, "UNIMPLEMENTED"],
  ["a long path", { path: `/${"x".repeat(8_000)}` }, 200, "UNIMPLEMENTED"],
  ["a method of an object", { path: "/__proto__/constructor" }, 200, "UNIMPLEMENTED"],
  ["JSON", { headers: { "content-type": "application/json" } }, 415, undefined],
  ["no content type", { headers: { "content-type": "" } }, 415, undefined],
  ["GET", { headers: { ":method": "GET" } }, 405, undefined],
  ["no message", { body: Buffer.alloc(0) }, 200, "UNIMPLEMENTED"],
  ["no message to a stream", { body: Buffer.alloc(0), path: STREAM }, 200, "UNIMPLEMENTED"],
  ["half a frame header", { body: framed(message).subarray(0, 3) }, 200, "UNIMPLEMENTED"],
  ["half a message", { body: framed(message).subarray(0, 9) }, 200, "UNIMPLEMENTED"],
  [
    "two messages",
    { body: Buffer.concat([framed(message), framed(message)]) },
    200,
    "UNIMPLEMENTED",
  ],
  ["4 GiB announced", { body: frameHeader(0xffff_ffff) }, 200, "RESOURCE_EXHAUSTED"],
  [
    "64 MiB and a byte announced",
    { body: frameHeader(64 * 1024 * 1024 + 1) },
    200,
    "RESOURCE_EXHAUSTED",
  ],
  ["noise", { body: framed(Buffer.from("d9a1ff0083", "hex")) }, 200, "INVALID_ARGUMENT"],
  [
    "noise to v1",
    { body: framed(Buffer.from("d9a1ff0083", "hex")), path: V1 },
    200,
    "INVALID_ARGUMENT",
  ],
  [
    "a gzip bomb",
    { body: framed(gzipSync(Buffer.alloc(65 * 1024 * 1024)), { compressed: true }), headers: gzip },
    200,
    "RESOURCE_EXHAUSTED",
  ],
  [
    "what is no gzip",
    { body: framed(message, { compressed: true }), headers: gzip },
    200,
    "INVALID_ARGUMENT",
  ],
  [
    "half a gzip",
    { body: framed(gzipSync(message).subarray(0, 15), { compressed: true }), headers: gzip },
    200,
    "INVALID_ARGUMENT",
  ],
  [
    "zstd",
    { body: framed(message, { compressed: true }), headers: { "grpc-encoding": "zstd" } },
    200,
    "UNIMPLEMENTED",
  ],
  ["compressed in no way", { body: framed(message, { compressed: true }) }, 200, "UNIMPLEMENTED"],
  [
    "compressed as identity",
    { body: framed(message, { compressed: true }), headers: { "grpc-encoding": "identity" } },
    200,
    "UNIMPLEMENTED",
  ],
  ...["soon", "5", "S", "-1S", "1.5S", "123456789S", "1S1S", "1s", "٣S"]
    .map((timeout) => Buffer.from(timeout).toString("latin1"))
    .map((timeout): [string, Call, number, keyof typeof status] => [
      `the deadline ${JSON.stringify(timeout)}`,
      { headers: { "grpc-timeout": timeout } },
      200,
      "INVALID_ARGUMENT",
    ]),
  ["two deadlines", { headers: { "grpc-timeout": ["1S", "2S"] } }, 200, "INVALID_ARGUMENT"],
  ...["0n", "1n", "0S", "0H"].map((timeout): [string, Call, number, keyof typeof status] => [
    `the deadline ${timeout}`,
    { headers: { "grpc-timeout": timeout } },
    200,
    "DEADLINE_EXCEEDED",
  ]),
  ["an empty hub", { headers: { taskhub: "" } }, 200, "INVALID_ARGUMENT"],
  ["two hubs", { headers: { taskhub: ["a", "b"] } }, 200, "INVALID_ARGUMENT"],
  ["a hub with a tab", { headers: { taskhub: "a\tb" } }, 200, "INVALID_ARGUMENT"],
  ["a hub of 129 bytes", { headers: { taskhub: "h".repeat(129) } }, 200, "INVALID_ARGUMENT"],
  ["a header of 20 KB", { headers: { padding: "p".repeat(20_000) } }, 0, undefined],
  ["a header of 70 KB", { headers: { padding: "p".repeat(70_000) } }, 0, undefined],
];

describe("a call is refused, changes nothing and is told nothing of what is inside:", () => {
  it.each(calls)("%s", async (_what, call, http, grpc) => {
    const { path = START, body = framed(message), headers = {} } = call;
    // The limit of headers holds from the moment that the server's settings are known.
    await world.raw.call("/TaskHubSidecarService/Hello", framed(new Uint8Array()));
    const before = await world.facts();
    const memory = process.memoryUsage().rss;
    const answer = await world.raw.call(path, body, headers as Record<string, string>);
    expect([answer.http ?? 0, answer.grpc]).toEqual([http, grpc && status[grpc]]);
    expect(answer.message).not.toMatch(internals);
    expect(answer.message).not.toContain(path);
    expect(process.memoryUsage().rss - memory).toBeLessThan(256 * 1024 * 1024);
    expect(await world.facts()).toEqual(before);
    await world.expectServing();
  });

  it.each(["taskhub", "x-user-agent", "workerid", "grpc-timeout"])(
    "bytes that are no text in %s",
    async (name) => {
      const before = await world.facts();
      using socket = new FrameSocket(world.server.address);
      const block = headerBlock(callHeaders(START, { [name]: Buffer.from([0xc3, 0x28, 0xff]) }));
      await socket.send(frame(FRAME.headers, 1, block, END_HEADERS));
      await socket.send(frame(FRAME.data, 1, framed(new Uint8Array()), END_STREAM));
      await socket.answered();
      await world.expectServing();
      expect(await world.facts()).toEqual(before);
    },
  );
});

describe("a call is served once", () => {
  it("with the begin of another message behind its own", async () => {
    const body = Buffer.concat([framed(message), framed(message).subarray(0, 8)]);
    const answer = await world.raw.call(START, body);
    expect(answer.grpc).toBe(status.OK);
    expect(await world.hub.status("new")).toBe("PENDING");
    await world.expectServing();
  });

  it("with a content encoding that it does not use", async () => {
    const answer = await world.raw.call(START, framed(message), { "grpc-encoding": "zstd" });
    expect(answer.grpc).toBe(status.OK);
  });
});

describe("a request that does not arrive", () => {
  it("ends its call after a time, and no other", async () => {
    const clock = new FakeSteadyClock();
    await using server = await openTestServer(mountAll(world.hub), {
      steadyClock: clock,
      requestTimeoutMs: 60_000,
    });
    await using raw = new RawHttp2(server.address);
    const before = await world.facts();
    const slow = raw.open(START);
    const answer = answerOf(slow);
    const waiting = raw.open("/TaskHubSidecarService/WaitForInstanceCompletion");
    const waited = answerOf(waiting);
    waiting.end(framed(Buffer.from("\n\u0004live")));
    slow.write(framed(message).subarray(0, 6));
    // Behind both on the same connection.
    await raw.call("/TaskHubSidecarService/Hello", framed(new Uint8Array()));
    clock.advance(60_000);
    expect(await answer).toMatchObject({ grpc: undefined });
    expect(await world.facts()).toEqual(before);
    await world.hub.terminate("live");
    expect(await waited).toMatchObject({ grpc: status.OK });
  });

  it("ends its call at the deadline", async () => {
    const before = await world.facts();
    const slow = world.raw.open(START, { "grpc-timeout": "50m" });
    slow.write(framed(message).subarray(0, 6));
    // The answer is there; what is left of the request may come until its own time is over.
    slow.once("end", () => slow.end());
    const answer = await answerOf(slow);
    expect(answer.grpc).toBe(status.DEADLINE_EXCEEDED);
    expect(answer.message).toBe("the deadline of the call has passed");
    expect(await world.facts()).toEqual(before);
    await world.expectServing();
  });

  it.each([
    ["headers", "POST /TaskHubSidecarService/StartInstance HTTP/1.1\r\nHost: local"],
    [
      "a body",
      "POST /TaskHubSidecarService/StartInstance HTTP/1.1\r\nHost: localhost\r\n" +
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ],
  ])("closes its connection over HTTP/1.1: %s", async (_what, text) => {
    const httpTimes = { headersTimeoutMs: 100, requestTimeoutMs: 100, checkIntervalMs: 20 };
    await using server = await openTestServer(mountAll(world.hub), { httpTimes });
    const before = await world.facts();
    using raw = new RawSocket(server.address);
    await raw.write(text);
    expect(await raw.closed).toMatch(/^(HTTP\/1\.1 408 |$)/);
    expect(await world.facts()).toEqual(before);
    await world.expectServing();
  });
});
