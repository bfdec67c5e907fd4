/** Connections that do what no client does, many times: whoever else is there does not notice. */
import { once } from "node:events";
import { constants } from "node:http2";
import { connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { framed, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer } from "../../support/rpc-harness.ts";
import { HostileWorld, mountAll } from "./hostile-world.ts";
import {
  ACKNOWLEDGED,
  callHeaders,
  END_HEADERS,
  END_STREAM,
  FRAME,
  FrameSocket,
  frame,
  headerBlock,
  PADDED,
  PREFACE,
} from "./raw-frames.ts";

const START = "/TaskHubSidecarService/StartInstance";
const HELLO = "/TaskHubSidecarService/Hello";
const EMPTY = framed(new Uint8Array());
const startHeaders = headerBlock(callHeaders(START));

/** Far above what anything here should take, far below what an attack would. */
const GROWTH_MAX_BYTES = 256 * 1024 * 1024;

let world: HostileWorld;

beforeEach(async () => {
  world = await HostileWorld.open();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function times(count: number, bytes: (at: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => bytes(at)));
}

const headers = (stream: number, flags = END_HEADERS | END_STREAM) =>
  frame(FRAME.headers, stream, startHeaders, flags);
const noReason = Buffer.alloc(4);

/** What is sent, and whether the server must let go of the connection. */
const floods: readonly [string, () => Buffer, "closed" | "alive" | "either"][] = [
  [
    "20,000 calls that are reset at once",
    () =>
      times(20_000, (at) =>
        Buffer.concat([headers(2 * at + 1, END_HEADERS), frame(FRAME.reset, 2 * at + 1, noReason)]),
      ),
    "closed",
  ],
  ["50,000 pings", () => times(50_000, () => frame(FRAME.ping, 0, Buffer.alloc(8))), "either"],
  ["50,000 settings", () => times(50_000, () => frame(FRAME.settings, 0)), "either"],
  [
    "50,000 acknowledgements of nothing",
    () => times(50_000, () => frame(FRAME.settings, 0, Buffer.alloc(0), ACKNOWLEDGED)),
    "either",
  ],
  [
    "headers that go on for 5,000 frames",
    () =>
      Buffer.concat([
        frame(FRAME.headers, 1, startHeaders),
        times(5_000, (at) =>
          frame(FRAME.continuation, 1, headerBlock({ [`x-${at}`]: "v".repeat(1_000) })),
        ),
      ]),
    "closed",
  ],
  [
    "headers that go on for 50,000 empty frames",
    () =>
      Buffer.concat([
        frame(FRAME.headers, 1, startHeaders),
        times(50_000, () => frame(FRAME.continuation, 1)),
      ]),
    "closed",
  ],
  [
    "20,000 empty frames of data",
    () => Buffer.concat([headers(1, END_HEADERS), times(20_000, () => frame(FRAME.data, 1))]),
    "either",
  ],
  ["data for no stream", () => frame(FRAME.data, 0, Buffer.from("x")), "closed"],
  ["data for a stream that never was", () => frame(FRAME.data, 7, Buffer.from("x")), "closed"],
  ["a call on a stream of the server's", () => headers(2), "closed"],
  ["half of the headers, then a ping", () => frame(FRAME.headers, 1, startHeaders), "closed"],
  ["a frame of 16 MB", () => frame(FRAME.ping, 0).fill(0xff, 0, 3), "closed"],
  ["a settings frame of odd length", () => frame(FRAME.settings, 0, Buffer.alloc(5)), "closed"],
  [
    "a window that overflows",
    () => times(2, () => frame(FRAME.windowUpdate, 0, Buffer.from("7fffffff", "hex"))),
    "closed",
  ],
  ["a window that grows by nothing", () => frame(FRAME.windowUpdate, 0, noReason), "closed"],
  [
    "more padding than frame",
    () => frame(FRAME.headers, 1, Buffer.of(200, 1, 2), END_HEADERS | PADDED),
    "closed",
  ],
  [
    "headers that are no headers",
    () => frame(FRAME.headers, 1, Buffer.alloc(64, 0xff), END_HEADERS),
    "closed",
  ],
  ["a frame of a kind that nobody knows", () => frame(0xee, 0, Buffer.alloc(100)), "alive"],
  ["the farewell of a client", () => frame(FRAME.goAway, 0, Buffer.alloc(8)), "either"],
  ["a megabyte of noise", () => Buffer.alloc(1024 * 1024, "d9a1ff00837f42", "hex"), "closed"],
];

describe("a connection that sends", () => {
  it.each(floods)("%s changes nothing, and others are served", async (_what, bytes, expected) => {
    const before = await world.facts();
    const memory = process.memoryUsage().rss;
    using socket = new FrameSocket(world.server.address);
    await socket.send(bytes());
    const outcome = await socket.answered();
    if (expected !== "either") expect(outcome).toBe(expected);
    await world.expectServing();
    expect(await world.facts()).toEqual(before);
    expect(process.memoryUsage().rss - memory).toBeLessThan(GROWTH_MAX_BYTES);
  });
});

describe("a thousand connections", () => {
  const beginnings: readonly [string, Buffer][] = [
    ["nothing", Buffer.alloc(0)],
    ["half a preface", PREFACE.subarray(0, 7)],
    ["a preface", PREFACE],
    [
      "a call without a request",
      Buffer.concat([PREFACE, frame(FRAME.settings, 0), headers(1, END_HEADERS)]),
    ],
    ["half a request of HTTP/1.1", Buffer.from("POST /x HTTP/1.1\r\nHost: loc")],
  ];

  it.each(beginnings)("that send %s and are dropped leave nothing behind", async (_what, bytes) => {
    const before = await world.facts();
    const closed = Promise.withResolvers<void>();
    let count = 0;
    await using server = await openTestServer(mountAll(world.hub), {
      onConnectionClosed: () => {
        count += 1;
        if (count === 1_000) closed.resolve();
      },
    });
    for (let at = 0; at < 1_000; at += 1) {
      const { host, port } = server.address;
      const socket = connect({ host, port });
      socket.on("error", () => {});
      await once(socket, "connect");
      if (bytes.byteLength > 0) await new Promise((resolve) => socket.write(bytes, resolve));
      socket.destroy();
    }
    await closed.promise;
    await using raw = new RawHttp2(server.address);
    expect(await raw.call(HELLO, EMPTY)).toMatchObject({ grpc: status.OK });
    expect(await world.facts()).toEqual(before);
  });
});

describe("what one server takes at one time", () => {
  it("of calls on one connection is announced, and more are refused", async () => {
    await using server = await openTestServer(mountAll(world.hub), { callsPerConnectionMax: 10 });
    using socket = new FrameSocket(server.address);
    await socket.send(times(11, (at) => headers(2 * at + 1, END_HEADERS)));
    expect(await socket.answered()).toBe("alive");
    socket.socket.end();
    const received = Buffer.from(await socket.closed, "latin1");
    const refused = frame(FRAME.reset, 21, Buffer.of(0, 0, 0, constants.NGHTTP2_REFUSED_STREAM));
    expect(received.includes(refused)).toBe(true);
    const setting = Buffer.from("0003" + "0000000a", "hex");
    expect(received.includes(setting)).toBe(true);
  });

  it("of connections is bounded: one more is closed, the others are served", async () => {
    await using server = await openTestServer(mountAll(world.hub), { connectionsMax: 3 });
    const sockets = Array.from({ length: 3 }, () => new FrameSocket(server.address));
    for (const socket of sockets) expect(await socket.answered()).toBe("alive");
    using more = new FrameSocket(server.address);
    expect(await more.closed).toBe("");
    for (const socket of sockets) expect(await socket.answered()).toBe("alive");
    sockets[0]?.[Symbol.dispose]();
    for (const socket of sockets) socket[Symbol.dispose]();
    expect(LIMITS.connectionsMax).toBeGreaterThan(10_000);
  });
});
