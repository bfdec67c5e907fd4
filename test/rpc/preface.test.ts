import { once } from "node:events";
import type { Socket } from "node:net";
import { duplexPair } from "node:stream";
import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { type Protocol, protocolOf, sniff } from "../../sidecar/rpc/preface.ts";
import { mountService } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { RawSocket } from "../support/raw-http1.ts";
import { openTestServer } from "../support/rpc-harness.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = "\0\0\0\x04\0\0\0\0\0";
const TIMEOUT_MS = 10_000;

const hub = mountService(TaskHubSidecarService, { hello: async () => ({}) });

/** Both ends of a stream, and what the sniffer says of one of them. */
function sniffed(clock = new FakeSteadyClock()) {
  const [client, server] = duplexPair();
  const socket = server as unknown as Socket;
  const found: Protocol[] = [];
  const decided = Promise.withResolvers<Protocol>();
  sniff(socket, { clock, timeoutMs: TIMEOUT_MS }, (protocol) => {
    found.push(protocol);
    decided.resolve(protocol);
  });
  return { client, socket, clock, found, decided: decided.promise };
}

describe("the first bytes", () => {
  const rows: [string, Protocol | undefined][] = [
    ["", undefined],
    ["P", undefined],
    ["PRI * HTTP/2.", undefined],
    ["PRI * HTTP/2.0", "http/2"],
    [PREFACE, "http/2"],
    ["PO", "http/1.1"],
    ["PRI * HTTP/1.1\r\n", "http/1.1"],
    ["GET / HTTP/1.1\r\n", "http/1.1"],
    ["\r\n", "http/1.1"],
    ["\x16\x03\x01", "http/1.1"],
  ];

  it.each(rows)("%j mean %s", (text, protocol) => {
    expect(protocolOf(Buffer.from(text, "latin1"))).toBe(protocol);
  });
});

describe("a sniffed connection", () => {
  it.each([PREFACE, "GET / HTTP/1.1\r\n\r\n", "PRI is no method HTTP/1.1\r\n"])(
    "has all its bytes in order: %j",
    async (text) => {
      const { client, socket, decided, found, clock } = sniffed();
      for (const byte of text) {
        client.write(byte, "latin1");
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.end();
      await decided;
      let received = "";
      for await (const chunk of socket) received += chunk.toString("latin1");
      expect(received).toBe(text);
      expect(found).toHaveLength(1);
      expect(clock.alarms).toBe(0);
    },
  );

  it("is destroyed when it has not said enough in time, also if it trickles", async () => {
    const { client, socket, clock, found } = sniffed();
    const closed = once(socket, "close");
    clock.advance(TIMEOUT_MS - 1);
    client.write("PRI");
    await once(socket, "readable");
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    await closed;
    expect(found).toEqual([]);
    expect(clock.alarms).toBe(0);
  });
});

describe("one port", () => {
  it("takes a preface that comes byte by byte", async () => {
    await using served = await openTestServer([hub]);
    using raw = new RawSocket(served.address);
    for (const byte of PREFACE) {
      await raw.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await raw.write(SETTINGS);
    // An acknowledgement of settings: length 0, type 4, flag 1, stream 0.
    expect(await raw.until("\0\0\0\x04\x01\0\0\0\0")).not.toContain("HTTP/1.1");
  });

  it("takes a preface and settings in one chunk", async () => {
    await using served = await openTestServer([hub]);
    using raw = new RawSocket(served.address);
    await raw.write(PREFACE + SETTINGS);
    await raw.until("\0\0\0\x04\x01\0\0\0\0");
  });

  it("closes a silent connection, and keeps one that is silent after its preface", async () => {
    const clock = new FakeSteadyClock();
    const closed: string[] = [];
    await using served = await openTestServer([hub], {
      steadyClock: clock,
      prefaceTimeoutMs: TIMEOUT_MS,
      onConnectionClosed: (connection) => closed.push(connection),
    });
    using transport = new GrpcTransport(served.address);
    const client = createClient(TaskHubSidecarService, transport);
    await client.hello({});
    using silent = new RawSocket(served.address);
    await silent.write("P");
    // The connection was accepted, with its alarm, before a later one is served.
    using later = new RawSocket(served.address);
    await later.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await later.until("ok");
    expect(clock.alarms).toBe(1);
    clock.advance(TIMEOUT_MS);
    expect(await silent.closed).toBe("");
    await client.hello({});
    expect(closed).toHaveLength(1);
  });

  it("forgets a connection that closes before it said enough", async () => {
    const clock = new FakeSteadyClock();
    const closed = Promise.withResolvers<string>();
    await using served = await openTestServer([hub], {
      steadyClock: clock,
      onConnectionClosed: closed.resolve,
    });
    using raw = new RawSocket(served.address);
    await raw.write("PRI");
    raw.socket.end();
    expect(await closed.promise).toBe("connection-1");
    expect(clock.alarms).toBe(0);
  });

  it("answers what is neither protocol with 400", async () => {
    await using served = await openTestServer([hub]);
    for (const bytes of ["\x16\x03\x01\0\xa5\x01\0", "PRIME\r\n", "\0\0\0\0"]) {
      using raw = new RawSocket(served.address);
      await raw.write(bytes);
      expect(await raw.closed).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(served.internalErrors).toEqual([]);
  });

  it("lets go of connections whose protocol is not known at a stop", async () => {
    const served = await openTestServer([hub]);
    using silent = new RawSocket(served.address);
    await silent.write("PRI");
    using later = new RawSocket(served.address);
    await later.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await later.until("ok");
    await served.server.stop({ graceMs: 60_000 });
    expect(await silent.closed).toBe("");
  });
});
