import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { startGrpcServer } from "../../sidecar/rpc/grpc-server.ts";
import { type CallContext, mountService } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { answerOf, framed, RawHttp2 } from "../support/raw-http2.ts";
import { openTestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const WAIT = "/TaskHubSidecarService/WaitForInstanceStart";
const STREAM = "/TaskHubSidecarService/GetWorkItems";
const EMPTY = framed(new Uint8Array());
/** What every HTTP/2 connection begins with: the preface, and empty settings. */
const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from("000000040000000000", "hex"),
]);
const NO_IPV6 = ["EADDRNOTAVAIL", "EAFNOSUPPORT"];

type Address = { readonly host: string; readonly port: number };

/** `Hello` answers at once; the others show their context and wait to be told or to be ended. */
function waitingHub() {
  const entered = Promise.withResolvers<CallContext>();
  const answer = Promise.withResolvers<void>();
  const hellos: CallContext[] = [];
  async function wait(context: CallContext): Promise<void> {
    entered.resolve(context);
    const aborted = once(context.signal, "abort").then(() => {
      throw context.signal.reason;
    });
    await Promise.race([answer.promise, aborted]);
  }
  const mount = mountService(TaskHubSidecarService, {
    async hello(_request, { connection, peer, signal, taskHub, userAgent, library, workerId }) {
      hellos.push({ connection, peer, signal, taskHub, userAgent, library, workerId });
      return {};
    },
    async waitForInstanceStart(_request, context) {
      await wait(context);
      return {};
    },
    async *getWorkItems(_request, context) {
      await wait(context);
      yield {};
    },
  });
  return { mount, entered: entered.promise, answer: answer.resolve, hellos };
}

async function hello(address: Address): Promise<void> {
  using transport = new GrpcTransport(address);
  await createClient(TaskHubSidecarService, transport).hello({});
}

async function expectRefusedConnection({ host, port }: Address): Promise<void> {
  const socket = connect(port, host);
  await expect(once(socket, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
}

/** Everything that a socket receives until it is closed. */
async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  return Buffer.concat(chunks);
}

describe("listening", () => {
  it("takes both loopback addresses at one port, or IPv4 alone where there is no IPv6", async () => {
    const { mount, hellos } = waitingHub();
    await using served = await openTestServer([mount]);
    const { addresses, ipv6Unavailable } = await served.server.listenLoopback(0);
    for (const address of addresses) await hello(address);
    const hosts = addresses.map(({ host }) => host);
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(1);
    if (ipv6Unavailable === undefined) expect(hosts).toEqual(["127.0.0.1", "::1"]);
    else
      expect([hosts, NO_IPV6]).toEqual([["127.0.0.1"], expect.arrayContaining([ipv6Unavailable])]);
    expect(hellos).toHaveLength(addresses.length);
  });

  it("fails with node's own error on a port that is taken", async () => {
    const { mount } = waitingHub();
    await using served = await openTestServer([mount]);
    const { host, port } = served.address;
    const second = startGrpcServer({ services: [mount], onInternalError: () => {} });
    await using _second = second;
    const refusal = { code: "EADDRINUSE", syscall: "listen", address: host, port };
    await expect(second.listen(host, port)).rejects.toMatchObject(refusal);
    await expect(second.listenLoopback(port)).rejects.toMatchObject(refusal);
    await hello(served.address);
  });

  it("takes neither loopback address if the port is taken on one", async ({ skip }) => {
    const taken = createServer();
    taken.listen({ host: "::1", port: 0 });
    const failure = await once(taken, "listening").catch((error: { code: string }) => error.code);
    if (typeof failure === "string" && NO_IPV6.includes(failure)) skip("no IPv6 loopback");
    const { port } = taken.address() as AddressInfo;
    const { mount } = waitingHub();
    await using served = await openTestServer([mount]);
    await expect(served.server.listenLoopback(port)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expectRefusedConnection({ host: "127.0.0.1", port });
    taken.close();
  });

  it("fails with node's own error on an address that is not here", async () => {
    const server = startGrpcServer({ services: [], onInternalError: () => {} });
    // A documentation address (RFC 5737): no machine has it.
    const refused = server.listen("192.0.2.1", 0);
    await expect(refused).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
    await server.stop({ graceMs: 0 });
  });
});

describe("a connection", () => {
  it.each(["127.0.0.1", "::1"])("over %s has one identity for its life", async (host) => {
    const { mount, hellos } = waitingHub();
    const closed: string[] = [];
    const allClosed = Promise.withResolvers<void>();
    await using served = await openTestServer([mount], {
      onConnectionClosed: (connection) => {
        closed.push(connection);
        if (closed.length === 2) allClosed.resolve();
      },
    });
    const address = await served.server.listen(host, 0).catch((error: { code: string }) => error);
    if ("code" in address) return expect(NO_IPV6).toContain(address.code);
    for (const calls of [2, 1]) {
      await using client = new RawHttp2(bracketed(address));
      for (let call = 0; call < calls; call += 1) await client.call(HELLO, EMPTY);
    }
    await allClosed.promise;
    const [first, second] = closed;
    expect(first).not.toBe(second);
    expect(hellos.map(({ connection }) => connection)).toEqual([first, first, second]);
    const peer = host === "::1" ? /^\[::1\]:\d+$/ : /^127\.0\.0\.1:\d+$/;
    expect(hellos.map((context) => context.peer)).toEqual(
      Array(3).fill(expect.stringMatching(peer)),
    );
  });

  it("that closes has aborted its calls before it is reported", async () => {
    const { mount, entered } = waitingHub();
    const reported = Promise.withResolvers<unknown>();
    await using served = await openTestServer([mount], {
      onConnectionClosed: async (connection) => {
        const context = await entered;
        reported.resolve([connection === context.connection, context.signal.aborted]);
      },
    });
    const client = new RawHttp2(served.address);
    client.open(WAIT).end(EMPTY);
    await entered;
    await client[Symbol.asyncDispose]();
    expect(await reported.promise).toEqual([true, true]);
  });

  it("that answers no ping is cut", async () => {
    const { mount } = waitingHub();
    const closed = Promise.withResolvers<string>();
    await using served = await openTestServer([mount], {
      onConnectionClosed: closed.resolve,
      keepaliveTimeMs: 5,
      keepaliveTimeoutMs: 5,
    });
    const socket = connect(served.address.port, served.address.host);
    socket.write(PREFACE);
    const [bytes] = await Promise.all([received(socket), closed.promise]);
    // A PING frame: length 8, type 6, no flags, stream 0.
    expect(bytes.includes(Buffer.from("000008060000000000", "hex"))).toBe(true);
  });
});

describe("stop", () => {
  it("lets a unary call finish, and ends streams with UNAVAILABLE at once", async () => {
    const { mount, entered, answer } = waitingHub();
    const streams = waitingHub();
    const closed: string[] = [];
    const served = await openTestServer([mount], { onConnectionClosed: (id) => closed.push(id) });
    const other = await openTestServer([streams.mount]);
    await using client = new RawHttp2(served.address);
    const call = client.open(WAIT);
    call.end(EMPTY);
    const { signal } = await entered;
    const stopped = served.server.stop({ graceMs: 60_000 });
    await expectRefusedConnection(served.address);
    expect(signal.aborted).toBe(false);
    answer();
    expect(await answerOf(call)).toMatchObject({ grpc: status.OK });
    await stopped;
    expect(closed).toHaveLength(1);

    await using streaming = new RawHttp2(other.address);
    const stream = streaming.open(STREAM);
    stream.end(EMPTY);
    const context = await streams.entered;
    await Promise.all([
      other.server.stop({ graceMs: 60_000 }),
      expect(answerOf(stream)).resolves.toMatchObject({
        grpc: status.UNAVAILABLE,
        message: "the server is stopping",
      }),
    ]);
    expect(context.signal.reason).toMatchObject({ code: "unavailable" });
    expect(other.internalErrors).toEqual([]);
  });

  it("ends what still waits after the grace with UNAVAILABLE", async () => {
    const { mount, entered } = waitingHub();
    const served = await openTestServer([mount]);
    await using client = new RawHttp2(served.address);
    const call = client.open(WAIT);
    call.end(EMPTY);
    const { signal } = await entered;
    const [answer] = await Promise.all([answerOf(call), served.server.stop({ graceMs: 1 })]);
    expect(answer).toMatchObject({ grpc: status.UNAVAILABLE, message: "the server is stopping" });
    expect(signal.reason).toMatchObject({ code: "unavailable" });
    expect(served.internalErrors).toEqual([]);
  });

  it("does not wait for a method that ignores its signal", async () => {
    const entered = Promise.withResolvers<void>();
    const mount = mountService(TaskHubSidecarService, {
      waitForInstanceStart: () => {
        entered.resolve();
        return new Promise(() => {});
      },
      getWorkItems: () => ({
        [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
      }),
    });
    const served = await openTestServer([mount]);
    await using client = new RawHttp2(served.address);
    const calls = [client.open(STREAM), client.open(WAIT)];
    for (const call of calls) call.end(EMPTY);
    await entered.promise;
    const answers = Promise.all(calls.map(answerOf));
    await served.server.stop({ graceMs: 0 });
    expect((await answers).map(({ grpc }) => grpc)).toEqual([
      status.UNAVAILABLE,
      status.UNAVAILABLE,
    ]);
  });

  it("is UNAVAILABLE to calls that come later", async () => {
    const { mount, entered, answer } = waitingHub();
    const served = await openTestServer([mount]);
    using transport = new GrpcTransport(served.address);
    const client = createClient(TaskHubSidecarService, transport);
    const waiting = client.waitForInstanceStart({});
    await entered;
    const stopped = served.server.stop({ graceMs: 60_000 });
    const late = await client.hello({}).catch((error: unknown) => ConnectError.from(error).code);
    expect(late).toBe(Code.Unavailable);
    answer();
    await waiting;
    await stopped;
  });

  it("cuts a connection that does not close by itself, and may be called again", async () => {
    const { mount } = waitingHub();
    const closed: string[] = [];
    const served = await openTestServer([mount], { onConnectionClosed: (id) => closed.push(id) });
    const socket = connect({ ...served.address, allowHalfOpen: true });
    socket.on("error", () => {});
    socket.write(PREFACE);
    await once(socket, "readable");
    await Promise.all([
      served.server.stop({ graceMs: 0 }),
      served.server.stop({ graceMs: 60_000 }),
    ]);
    await served.server[Symbol.asyncDispose]();
    expect(closed).toHaveLength(1);
    socket.destroy();
  });

  it("of a server that never listened does nothing", async () => {
    await using _server = startGrpcServer({ services: [], onInternalError: () => {} });
  });
});

function bracketed({ host, port }: Address): Address {
  return { host: host.includes(":") ? `[${host}]` : host, port };
}
