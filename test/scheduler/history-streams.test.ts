/** Long histories are read from the disk as they are taken: whole, or with an error. */
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { weightOf } from "../../sidecar/scheduler/head.ts";
import { HistoryChunkSchema } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { limited, startLong, streaming, unlimited } from "../support/long-history.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, continueAsNew } from "../support/worker-actions.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

const LONG = 2_600_000;

type Chunks = AsyncGenerator<Uint8Array>;

function open(hub: TestHub, instanceId = "a", executionId?: string): Chunks {
  return hub.hub.history(instanceId, executionId, false);
}

async function rest(chunks: Chunks): Promise<Uint8Array[]> {
  const read: Uint8Array[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return read;
}

function eventsIn(chunks: readonly Uint8Array[]) {
  return chunks.flatMap((chunk) => fromBinary(HistoryChunkSchema, chunk).events);
}

/** Takes the first chunk, lets something happen, and takes the others. */
async function readAround(hub: TestHub, happens: () => Promise<unknown>) {
  const chunks = open(hub);
  const first = await chunks.next();
  await happens();
  await hub.settled();
  return eventsIn([first.value ?? new Uint8Array(), ...(await rest(chunks))]);
}

/** A finished instance with a long history. */
async function finishLong(hub: TestHub): Promise<void> {
  await startLong(hub, "a", LONG);
  await hub.raise("a", "E");
  const worker = hub.worker(unlimited);
  await worker.complete(await worker.turn("a"), [completed()]);
  await worker.close();
  await hub.pass(60_000);
}

describe.each([
  ["memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("a long history on %s", (_name, newDisk) => {
  it("is what a short one would be, in bounded chunks", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await finishLong(hub);
    const chunks = await rest(open(hub));
    const events = eventsIn(chunks);
    expect(events.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      ...Array(6).fill("eventSent"),
      "orchestratorStarted",
      "eventRaised",
      "executionCompleted",
    ]);
    // Five of its events are larger than a chunk.
    const large = chunks.filter(({ length }) => length > LIMITS.historyChunkBytes);
    expect(large.every((chunk) => eventsIn([chunk]).length === 1)).toBe(true);
    expect(large).toHaveLength(5);
  });

  it("stays whole when its instance is purged meanwhile, and is gone for the next reader", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await finishLong(hub);
    const before = await hub.history("a");
    expect(await readAround(hub, () => hub.purge("a"))).toEqual(before);
    await expect(open(hub).next()).rejects.toMatchObject({ code: "instance-not-found" });
  });

  it("stays whole when its instance continues as new meanwhile", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const turn = await worker.turn("a");
    const before = await hub.history("a");
    const executionId = await hub.hub.read("a", (state) => state.executionId);
    const during = readAround(hub, () => worker.complete(turn, [continueAsNew("2")]));
    expect(await during).toEqual(before);
    await expect(open(hub, "a", executionId).next()).rejects.toMatchObject({
      code: "instance-not-found",
    });
  });

  it("stays as it was when its instance goes on meanwhile", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await startLong(hub, "a", LONG);
    const before = await hub.history("a");
    const worker = hub.worker(streaming);
    const during = readAround(hub, async () => {
      await hub.raise("a", "E");
      await worker.complete(await worker.turn("a"), [completed()]);
    });
    expect(await during).toEqual(before);
    expect(await hub.history("a")).toHaveLength(before.length + 3);
  });
});

describe("whoever reads a long history", () => {
  it("is not told of what is not durable yet", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const turn = await worker.turn("a");
    hub.bytes.hold();
    void worker.complete(turn, [completed()]);
    const reading = watch(open(hub).next());
    await hub.settled();
    expect(reading.state).toBe("pending");
    hub.bytes.release();
    expect(eventsIn(await rest(open(hub))).at(-1)?.eventType.case).toBe("executionCompleted");
  });

  it("is told when its generation ends before it can be read", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const turn = await worker.turn("a");
    hub.bytes.hold();
    const raising = hub.raise("a", "F");
    await hub.settled();
    const reading = watch(open(hub).next());
    await hub.settled();
    void worker.complete(turn, [continueAsNew("2")]);
    hub.bytes.release();
    await raising;
    await hub.settled();
    expect(reading.error).toMatchObject({ code: "instance-not-found" });
  });

  it("is given up when nothing is taken any more, and told so", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    const chunks = open(hub);
    await chunks.next();
    await hub.pass(LIMITS.historyIdleMs - 1);
    await chunks.next();
    await hub.pass(LIMITS.historyIdleMs);
    await expect(rest(chunks)).rejects.toMatchObject({ code: "deadline-exceeded" });
  });

  it("waits while too many others read, those that do not go on not counted", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    const others = Array.from({ length: LIMITS.historyStreamsMax }, () => open(hub));
    for (const other of others) await other.next();
    const reading = watch(open(hub).next());
    const next = watch(open(hub).next());
    await hub.settled();
    expect([reading.state, next.state]).toEqual(["pending", "pending"]);
    await others[0]?.return(undefined);
    await hub.settled();
    expect([reading.state, next.state]).toEqual(["done", "pending"]);
    await hub.pass(LIMITS.historyIdleMs);
    expect(next.state).toBe("done");
  });

  it("is told when the instance is gone by the time it is its turn", async () => {
    await using hub = await openHub();
    await finishLong(hub);
    const others = Array.from({ length: LIMITS.historyStreamsMax }, () => open(hub));
    for (const other of others) await other.next();
    const reading = watch(open(hub).next());
    await hub.settled();
    await hub.purge("a");
    for (const other of others) await other.return(undefined);
    await hub.settled();
    expect(reading.error).toMatchObject({ code: "instance-not-found" });
  });
});

describe("a long history takes no memory", () => {
  const weight = (hub: TestHub) => {
    const head = hub.hub.scanned.peek("a");
    return head === undefined ? 0 : weightOf(head);
  };

  it("while workers fetch it and others read it", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.crash();
    const worker = hub.worker(streaming);
    for (let count = 0; count < 3; count += 1) {
      await hub.raise("a", "E");
      const turn = await worker.turn("a");
      expect(weight(hub)).toBeLessThan(100_000);
      await hub.history("a", true);
      await hub.history("a");
      await worker.complete(turn);
      expect(weight(hub)).toBeLessThan(100_000);
    }
    expect(hub.hub.scanned.violations().size).toBe(0);
  });

  it("once a worker that fetches it has ended its turn", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    expect(weight(hub)).toBeGreaterThan(LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const whole = await hub.history("a");
    await worker.complete(await worker.turn("a"));
    expect(weight(hub)).toBeLessThan(100_000);
    expect((await hub.history("a")).slice(0, whole.length)).toEqual(whole);
    // A worker that does not fetch it has it loaded again.
    await worker.close();
    await hub.pass(60_000);
    await hub.raise("a", "F");
    const turn = await hub.worker(limited).turn("a");
    expect(turn.request.pastEvents).toEqual(await hub.history("a", true));
    expect(weight(hub)).toBeGreaterThan(LONG);
    expect(hub.hub.scanned.violations().size).toBe(0);
  });

  it("when it is loaded without a snapshot", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    const { number = 0n, generation = 0 } =
      (await hub.hub.read("a", (state) => ({ ...state }))) ?? {};
    const row = undefined;
    const index = [{ index: "snapshot", number, generation, row }] as const;
    await hub.store.whenDurable(hub.store.append({ appends: [], index }));
    await hub.crash();
    expect(await hub.store.readSnapshot(number, generation)).toBeUndefined();
    await hub.status("a");
    expect(weight(hub)).toBeLessThan(100_000);
    expect(hub.hub.scanned.violations().size).toBe(0);
    expect(eventsIn(await rest(open(hub)))).toHaveLength(8);
  });
});
