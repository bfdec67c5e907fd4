/** Streams whose callers do not read: what they hold, and what is left for the others. */
import { once } from "node:events";
import { type ClientHttp2Stream, constants } from "node:http2";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { RequestBudget } from "../../../sidecar/rpc/request-budget.ts";
import { mountService } from "../../../sidecar/rpc/service.ts";
import { MemoryBudget } from "../../../sidecar/scheduler/memory-budget.ts";
import {
  TaskHubSidecarService,
  WorkItemSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { EMPTY, KIB, PATHS } from "../../support/budget-world.ts";
import { answerOf, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../../support/rpc-harness.ts";

const ITEM_BYTES = 100 * KIB;
const BUDGET_BYTES = 1024 * KIB;
/** What HTTP/2 and the client's own stream take of one that nobody reads. */
const WINDOW_ITEMS = 2;

const item = toBinary(
  WorkItemSchema,
  create(WorkItemSchema, { completionToken: "t".repeat(ITEM_BYTES - 4) }),
);

/** Every stream of work items has so many as it names in `taskhub`; they count what they gave. */
class Streams implements AsyncDisposable {
  readonly outbound = new MemoryBudget(BUDGET_BYTES);
  readonly pulled = new Map<string, number>();
  readonly served: TestServer;
  readonly raw: RawHttp2;

  static async open(): Promise<Streams> {
    const outbound = new MemoryBudget(BUDGET_BYTES);
    const pulled = new Map<string, number>();
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      async *getWorkItems(_request, { taskHub }) {
        const items = Number(taskHub.split("-")[1]);
        for (let at = 0; at < items; at += 1) {
          pulled.set(taskHub, at + 1);
          yield item;
        }
      },
    });
    const budgets = { requests: new RequestBudget(), outbound };
    const served = await openTestServer([mount], { budgets });
    return new Streams(served, outbound, pulled);
  }

  constructor(served: TestServer, outbound: MemoryBudget, pulled: Map<string, number>) {
    this.served = served;
    this.outbound = outbound;
    this.pulled = pulled;
    this.raw = new RawHttp2(served.address);
  }

  /** @param items how many there are to send */
  async unread(name: string, items = 1_000, headers = {}): Promise<ClientHttp2Stream> {
    const stream = this.raw.open(PATHS.workItems, { taskhub: `${name}-${items}`, ...headers });
    stream.end(EMPTY);
    await once(stream, "response");
    await this.still();
    return stream;
  }

  /** Round trips, until nothing moved during some of them. */
  async still(): Promise<void> {
    await using other = new RawHttp2(this.served.address);
    for (let quiet = 0, before = ""; quiet < 3; ) {
      const now = `${this.outbound.bytes} ${[...this.pulled.values()]}`;
      quiet = now === before ? quiet + 1 : 0;
      before = now;
      await other.call(PATHS.hello, EMPTY);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.raw[Symbol.asyncDispose]();
    await this.served[Symbol.asyncDispose]();
  }
}

describe("streams that nobody reads", () => {
  it("fill the budget, and then have one message each", async () => {
    await using streams = await Streams.open();
    await streams.unread("alone");
    // Eight would be 800 KiB; they are all that one stream may have.
    expect(streams.outbound.bytes).toBe(8 * ITEM_BYTES);
    for (let at = 0; at < 10; at += 1) await streams.unread(`n${at}`);
    for (let at = 1; at < 10; at += 1) {
      expect(streams.pulled.get(`n${at}-1000`)).toBeLessThanOrEqual(1 + WINDOW_ITEMS);
    }
    expect(streams.outbound.bytes).toBeGreaterThanOrEqual(BUDGET_BYTES);
    expect(streams.outbound.bytes).toBeLessThanOrEqual(BUDGET_BYTES + 10 * ITEM_BYTES);
  });

  it("do not stop one that is read, nor one another when they are read again", async () => {
    await using streams = await Streams.open();
    const unread: ClientHttp2Stream[] = [];
    for (let at = 0; at < 4; at += 1) unread.push(await streams.unread(`n${at}`, 40));
    expect(streams.outbound.isFull).toBe(true);
    const read = await streams.unread("read", 100);
    const answer = await answerOf(read);
    expect(answer).toMatchObject({ grpc: status.OK });
    expect(answer.body.byteLength).toBe(100 * (ITEM_BYTES + 5));
    expect(streams.outbound.isFull).toBe(true);
    for (const { body, grpc } of await Promise.all(unread.map(answerOf))) {
      expect({ grpc, bytes: body.byteLength }).toEqual({
        grpc: status.OK,
        bytes: 40 * (ITEM_BYTES + 5),
      });
    }
    expect(streams.outbound.bytes).toBe(0);
  });
});

describe("what a stream has unsent is given back when", () => {
  const ends: readonly [string, (streams: Streams, stream: ClientHttp2Stream) => unknown][] = [
    ["it is cancelled", (_, stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ["its connection is cut", ({ raw }) => raw.session.destroy()],
    ["it is read to its end", (_, stream) => answerOf(stream)],
    ["the server stops", ({ served }) => served[Symbol.asyncDispose]()],
  ];

  // With five items all are handed over, and the method is over; with forty it waits for room.
  it.each(ends.flatMap(([how, end]) => [5, 40].map((items) => [how, items, end] as const)))(
    "%s: %d items",
    async (_how, items, end) => {
      await using streams = await Streams.open();
      const stream = await streams.unread("unread", items);
      expect(streams.outbound.bytes).toBeGreaterThan(2 * ITEM_BYTES);
      await end(streams, stream);
      for (let turns = 0; turns < 5_000 && streams.outbound.bytes !== 0; turns += 1) {
        await nextLoopTurn();
      }
      expect(streams.outbound.bytes).toBe(0);
      expect(streams.served.internalErrors).toEqual([]);
    },
  );
});
