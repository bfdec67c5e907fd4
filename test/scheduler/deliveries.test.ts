/** Deliveries that end without an answer: what is counted, what it costs, and what it outlives. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  type DeliveryCount,
  DeliveryOutcomeSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { Item, ScriptedWorker } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const GRACE = 10_000;
const TURN_LEASE = 5 * 60_000;

/** What the log says of deliveries: of the turn, and of each activity by its task id. */
async function counted(hub: TestHub, instanceId = "a"): Promise<Record<string, string[]>> {
  await hub.settled();
  const stored = await hub.stored(instanceId);
  if (stored === undefined) throw new Error("there is no such instance");
  const { turnDeliveries, activities } = stored.state;
  const counts: Record<string, string[]> = {};
  if (turnDeliveries.length > 0) counts.turn = turnDeliveries.map(shown);
  for (const { taskId, deliveries } of activities.values()) {
    if (deliveries.length > 0) counts[`activity ${taskId}`] = deliveries.map(shown);
  }
  return counts;
}

function shown({ outcome, count }: DeliveryCount): string {
  return `${DeliveryOutcomeSchema.value[outcome]?.localName} ${count}`;
}

/** Entries in the log of an instance. */
async function entries(hub: TestHub, instanceId = "a"): Promise<number> {
  await hub.settled();
  return (await hub.stored(instanceId))?.state.sequence ?? 0;
}

/** The whole connection of the worker is gone. */
async function cut(hub: TestHub, worker: ScriptedWorker): Promise<void> {
  hub.hubs.connectionClosed(worker.connection);
  await worker.close();
}

/** The sidecar stops as on SIGTERM, waits for nobody, and a new one starts. */
async function stop(hub: TestHub): Promise<void> {
  await hub.hubs.drain(AbortSignal.abort());
  await hub.settled();
  await hub.crash();
}

async function startWithActivity(hub: TestHub, worker: ScriptedWorker): Promise<void> {
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
}

describe("a delivery of a turn that ends without an answer is counted by its reason:", () => {
  it("the stream was lost, the lease ran out, or the worker gave it back", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const first = hub.worker({ connection: "first" });
    await first.turn();
    await cut(hub, first);
    expect(await counted(hub)).toEqual({ turn: ["STREAM_LOST 1"] });
    const worker = hub.worker();
    await worker.turn();
    await hub.pass(TURN_LEASE);
    expect(await counted(hub)).toEqual({ turn: ["STREAM_LOST 1", "LEASE_EXPIRED 1"] });
    await hub.pass(1_000);
    worker.abandon(await worker.turn());
    await hub.pass(800);
    worker.abandon(await worker.turn());
    expect(await counted(hub)).toEqual({
      turn: ["STREAM_LOST 1", "LEASE_EXPIRED 1", "ABANDONED 2"],
    });
  });

  it("until a turn commits: then it begins again", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn());
    await hub.pass(200);
    await worker.complete(await worker.turn());
    expect(await counted(hub)).toEqual({});
  });

  it("not when the answer comes within the grace", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn();
    await worker.close();
    await hub.pass(GRACE - 1);
    await worker.complete(turn);
    expect(await counted(hub)).toEqual({});
  });

  it("not when the worker asks for the same turn with its history", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    for (const delay of [0, 0, 200]) {
      await hub.pass(delay);
      await worker.complete(await worker.turn(), [], { requiresHistory: true });
    }
    expect(await counted(hub)).toEqual({});
    expect(await entries(hub)).toBe(1);
    await hub.pass(399);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("not when the sidecar stops or dies while a worker has it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.worker().turn();
    await stop(hub);
    expect(await counted(hub)).toEqual({});
    await hub.worker().turn();
    await hub.crash();
    expect(await counted(hub)).toEqual({});
  });
});

describe("a delivery of an activity that ends without a result is counted by its reason:", () => {
  it("the stream was lost, or the worker gave it back, each activity for itself", async () => {
    await using hub = await openHub();
    const first = hub.worker({ connection: "first" });
    await startWithActivity(hub, first);
    first.abandon(await first.activity("a", 1));
    await first.activity("a", 2);
    await cut(hub, first);
    expect(await counted(hub)).toEqual({
      "activity 1": ["ABANDONED 1"],
      "activity 2": ["STREAM_LOST 1"],
    });
  });

  it("not when the sidecar stops while a worker has it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startWithActivity(hub, worker);
    await worker.activity("a", 1);
    await stop(hub);
    expect(await counted(hub)).toEqual({});
  });
});

describe("a loss", () => {
  it("costs one entry, and the first one no time", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const first = hub.worker({ connection: "first" });
    await first.turn();
    const other = hub.worker({ connection: "other" });
    const before = await entries(hub);
    await cut(hub, first);
    expect(await other.waiting()).toEqual(["turn a"]);
    expect(await entries(hub)).toBe(before + 1);
  });

  it("is nothing that readers see: the time of the last update stays", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const worker = hub.worker();
    const updated = () => hub.hub.read("a", ({ updatedAt }) => updatedAt);
    const before = await updated();
    await worker.turn();
    hub.clock.advance(1_000);
    await hub.pass(TURN_LEASE);
    expect(await counted(hub)).toEqual({ turn: ["LEASE_EXPIRED 1"] });
    expect(await updated()).toEqual(before);
  });

  it(`is not counted behind ${LIMITS.deliveriesCountedMax} others, and comes back all the same`, async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    for (let at = 0; at <= LIMITS.deliveriesCountedMax; at += 1) {
      worker.abandon(await worker.turn());
      await hub.pass(30_000);
    }
    expect(await counted(hub)).toEqual({ turn: [`ABANDONED ${LIMITS.deliveriesCountedMax}`] });
    expect(await entries(hub)).toBe(1 + LIMITS.deliveriesCountedMax);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

describe("after a restart", () => {
  it("a turn is handed out at once, and waits as long as before when it is lost again", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const worker = hub.worker();
    for (const delay of [200, 400, 800]) {
      worker.abandon(await worker.turn());
      await hub.pass(delay);
    }
    await hub.crash();
    const after = hub.worker();
    after.abandon(await after.turn());
    await hub.pass(1_599);
    expect(await after.waiting()).toEqual([]);
    await hub.pass(1);
    expect(await after.waiting()).toEqual(["turn a"]);
  });

  it("an activity is handed out at once, and waits as long as before when it is lost again", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ connection: "first" });
    await startWithActivity(hub, worker);
    await worker.activity("a", 1);
    await cut(hub, worker);
    const second = hub.worker({ connection: "second" });
    await second.activity("a", 1);
    await cut(hub, second);
    await hub.crash();
    const third = hub.worker({ connection: "third" });
    await third.activity("a", 1);
    await cut(hub, third);
    const last = hub.worker();
    await hub.pass(1_999);
    expect(await last.waiting()).not.toContain("activity a 1");
    await hub.pass(1);
    expect(await last.waiting()).toContain("activity a 1");
  });
});

describe("a storm of abandons", () => {
  /** A worker that gives back whatever it gets, for so long. */
  async function storm(hub: TestHub, worker: ScriptedWorker, ms: number): Promise<number> {
    let abandons = 0;
    for (let passed = 0; passed < ms; passed += 200) {
      await hub.settled();
      for (const item of worker.items.splice(0)) {
        worker.abandon(item);
        abandons += 1;
      }
      await hub.pass(200);
    }
    return abandons;
  }

  it("over 1,000 instances costs one entry an abandon, and ever fewer of them", async () => {
    await using hub = await openHub();
    const filters = { orchestrations: [{ name: "Main" }] };
    const ids = Array.from({ length: 1_000 }, (_, at) => `a${at}`);
    await Promise.all(ids.map((id) => hub.start(id)));
    const worker = hub.worker({ filters });
    // 200 ms, 400 ms, 800 ms, …: at most 7 in the first 15 s, though 75 rounds were asked for.
    const abandons = await storm(hub, worker, 15_000);
    expect(abandons).toBe(7_000);
    await hub.settled();
    let written = 0;
    for (const id of ids) written += await entries(hub, id);
    expect(written).toBe(1_000 + abandons);
  });

  it("does not keep others from being served", async () => {
    await using hub = await openHub();
    const stormy = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    const calm = hub.worker({ filters: { orchestrations: [{ name: "Other" }] } });
    await Promise.all(Array.from({ length: 100 }, (_, at) => hub.start(`a${at}`)));
    for (let at = 0; at < 10; at += 1) {
      await storm(hub, stormy, 400);
      await hub.start(`other ${at}`, { name: "Other" });
      await calm.complete(await calm.turn(`other ${at}`), [completed()]);
      expect(await hub.status(`other ${at}`)).toBe("COMPLETED");
    }
  });

  it("ends when a worker comes that takes the work", async () => {
    await using hub = await openHub();
    const stormy = hub.worker();
    const ids = ["a", "b", "c"];
    for (const id of ids) await hub.start(id);
    await storm(hub, stormy, 2_000);
    const good = hub.worker();
    await hub.settled();
    const taken = new Set<string>();
    // An item is preferred to go to a stream that has not given it back: once round is enough.
    for (let round = 0; round < 2; round += 1) {
      await hub.pass(30_000);
      const items: readonly Item[] = [...good.items.splice(0)];
      for (const item of items) {
        if (item.kind === "turn") await good.complete(item, [completed()]);
        taken.add(item.instanceId);
      }
      for (const item of stormy.items.splice(0)) stormy.abandon(item);
    }
    expect([...taken].toSorted()).toEqual(ids);
  });
});
