/** Workers that do not read, read slowly, or whose connection is only half there. PROTOCOL.md 3.3. */

import { once } from "node:events";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GRPC_SERVER_DEFAULTS } from "../../../sidecar/rpc/grpc-server.ts";
import {
  GetWorkItemsRequestSchema,
  type WorkItem,
  WorkItemSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { framed, RawHttp2 } from "../../support/raw-http2.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";
import { openWorkers, type WorkersWorld } from "./kit/world.ts";

const TURN_LEASE = 5 * 60_000;
const INSTANCES = 40;
/** The account of what may be unsent: messages, or bytes. */
const UNSENT_ITEMS_MAX = 8;
/** Large enough that a few of them fill all windows on the way. */
const input = "x".repeat(200_000);

const shortKeepalive = { keepaliveTimeMs: 100, keepaliveTimeoutMs: 100 };

async function startAll(world: WorkersWorld): Promise<void> {
  const ids = Array.from({ length: INSTANCES }, (_, at) => `i${at}`);
  await Promise.all(ids.map((id) => world.start(id, "Main", input)));
}

function addressOf({ address }: WorkersWorld) {
  const [host = "", port = ""] = address.split(":");
  return { host, port: Number(port) };
}

/** What each stream has, the oldest stream first; and whether it is open. */
async function streams(world: WorkersWorld) {
  const { workers } = await world.v1.listWorkers({});
  return workers.map(({ inFlight, detached }) => ({ has: inFlight.length, open: !detached }));
}

/** Completes turns until only what the first stream has is left; returns how much that is. */
async function serveTheRest(world: WorkersWorld, awake: CompatWorker): Promise<number> {
  let done = 0;
  // Ends: whatever the first stream does not have comes to this one.
  for (;;) {
    const [first] = await streams(world);
    const has = first?.has ?? 0;
    if (done + has === INSTANCES) return has;
    await awake.completeNext();
    done += 1;
  }
}

async function serveAll(awake: CompatWorker): Promise<void> {
  for (;;) await awake.completeNext();
}

async function allEnded(world: WorkersWorld): Promise<void> {
  for (let at = 0; at < INSTANCES; at += 1) {
    expect((await world.end(`i${at}`)).status).toBe("COMPLETED");
  }
}

/** A stream of work items that nobody reads: HTTP/2 itself tells the server so. */
async function openUnread(world: WorkersWorld, http2: RawHttp2) {
  const arrived = world.calls.next("getWorkItems");
  const stream = http2.open("/TaskHubSidecarService/GetWorkItems");
  stream.end(framed(toBinary(GetWorkItemsRequestSchema, create(GetWorkItemsRequestSchema))));
  await Promise.all([arrived, once(stream, "response")]);
  return stream;
}

/** The messages in the bytes of a stream. */
async function* messagesIn(stream: AsyncIterable<Buffer>): AsyncGenerator<WorkItem> {
  let bytes = Buffer.alloc(0);
  for await (const more of stream) {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      yield fromBinary(WorkItemSchema, bytes.subarray(5, end));
      bytes = bytes.subarray(end);
    }
  }
}

describe("a stream that is never read", () => {
  it("gets no more than may be unsent, stays open, and others get the rest", async () => {
    await using world = await openWorkers();
    await using http2 = new RawHttp2(addressOf(world));
    const sleepy = await openUnread(world, http2);
    await startAll(world);
    const awake = await world.worker();
    const has = await serveTheRest(world, awake);
    expect(has).toBeGreaterThan(0);
    expect(has).toBeLessThanOrEqual(UNSENT_ITEMS_MAX);
    // Its leases end, and what it had goes to the other one; it still gets nothing more.
    serveAll(awake).catch(() => {});
    await world.hub.pass(TURN_LEASE);
    await allEnded(world);
    expect((await streams(world))[0]).toEqual({ has: 0, open: true });
    expect(sleepy.closed).toBe(false);
  });

  it("goes on where it was when it reads again", async () => {
    await using world = await openWorkers();
    await using http2 = new RawHttp2(addressOf(world));
    const sleepy = await openUnread(world, http2);
    await startAll(world);
    const awake = await world.worker();
    const has = await serveTheRest(world, awake);
    await awake[Symbol.asyncDispose]();
    await world.hub.settled();
    // Only turns wait for it, and no pings behind them, however long that takes.
    await world.hub.pass(TURN_LEASE - 1);
    let read = 0;
    for await (const { request } of messagesIn(sleepy)) {
      expect(request.case).toBe("orchestratorRequest");
      read += 1;
      if (read === has) await world.start("more");
      if (read === has + 1) break;
    }
  });
});

describe("a worker that reads one byte a second", () => {
  it("gets no more than fits between, and others get the rest", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    await world.worker({ address: proxy.address });
    proxy.link.shape("toClient", { pieceBytes: 1, gapMs: 1_000 });
    await startAll(world);
    const awake = await world.worker();
    const has = await serveTheRest(world, awake);
    expect(has).toBeGreaterThan(0);
    expect(has).toBeLessThanOrEqual(UNSENT_ITEMS_MAX);
  });

  it("answers no ping in time: it is cut, and what it had goes to others at once", async () => {
    await using world = await openWorkers({ server: shortKeepalive });
    const proxy = await world.proxy();
    await world.worker({ address: proxy.address });
    proxy.link.shape("toClient", { pieceBytes: 1, gapMs: 1_000 });
    await startAll(world);
    const awake = await world.worker();
    serveAll(awake).catch(() => {});
    await allEnded(world);
  });
});

describe("a worker whose connection is half-open", () => {
  it("is found by the server's own pings: its turn goes to another one", async () => {
    await using world = await openWorkers({ server: shortKeepalive });
    const proxy = await world.proxy();
    const lost = await world.worker({ address: proxy.address });
    await world.start("a");
    await lost.turn();
    const other = await world.worker();
    proxy.link.vanish();
    expect((await other.turn()).request.instanceId).toBe("a");
    await proxy.link.endedByServer;
  });

  it("is found by the server's own pings: its activity, which has no expiry, too", async () => {
    await using world = await openWorkers({ server: shortKeepalive });
    const proxy = await world.proxy();
    const lost = await world.worker({ address: proxy.address });
    await world.start("a");
    await lost.complete(await lost.turn(), [scheduleTask(1)]);
    await lost.activity();
    const other = await world.worker();
    proxy.link.vanish();
    expect((await other.activity()).request.taskId).toBe(1);
  });

  it("is not found by mistake: one that answers pings keeps its activity", async () => {
    await using world = await openWorkers({ server: shortKeepalive });
    const proxy = await world.proxy();
    const slow = await world.worker({ address: proxy.address });
    proxy.link.shape("toServer", { delayMs: 5 });
    await world.start("a");
    await slow.complete(await slow.turn(), [scheduleTask(1)]);
    const activity = await slow.activity();
    const pinged = proxy.link.bytes("toServer") + 10 * PING_BYTES;
    await proxy.link.reached("toServer", pinged);
    await slow.finish(activity, { result: "1" });
    await slow.complete(await slow.turn(), [completed("done")]);
    expect((await world.end("a")).output).toBe("done");
  });

  it("is found within a minute, and long before SDKs give a silent server up", () => {
    const { keepaliveTimeMs, keepaliveTimeoutMs } = GRPC_SERVER_DEFAULTS;
    expect(keepaliveTimeMs + keepaliveTimeoutMs).toBeLessThanOrEqual(60_000);
  });
});

/** A PING frame with its header. */
const PING_BYTES = 17;

describe("a worker behind a network that delivers its bytes in odd pieces", () => {
  it.each([1, 3, 7, 16_385])("of %i bytes gets and answers everything", async (pieceBytes) => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    const worker = await world.worker({ address: proxy.address });
    proxy.link.shape("toClient", { pieceBytes });
    proxy.link.shape("toServer", { pieceBytes });
    const text = "payload ".repeat(200);
    await world.start("a", "Main", text);
    const turn = await worker.turn();
    expect(turn.request.newEvents[1]?.eventType.value).toMatchObject({ input: text });
    await worker.complete(turn, [scheduleTask(1, "Work", { input: text })]);
    const activity = await worker.activity();
    expect(activity.request.input).toBe(text);
    await worker.finish(activity, { result: text });
    await worker.complete(await worker.turn(), [completed(text)]);
    expect(await world.end("a")).toEqual({ status: "COMPLETED", output: text });
  });
});
