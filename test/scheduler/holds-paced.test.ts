/** Paced release: instance by instance, canaries first, and never faster than it was asked for. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  hold,
  holdHub,
  holdTree,
  hubHolds,
  type Pace,
  release,
  releaseHub,
  releaseTree,
} from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask, startChild } from "../support/worker-actions.ts";

const rate = (instancesPerSecond: number, canaries = 0): Pace => ({ instancesPerSecond, canaries });

/** So many instances that wait for their first turn behind a window. */
async function held(hub: TestHub, count: number): Promise<void> {
  await holdHub(hub);
  for (let i = 0; i < count; i += 1) await hub.start(`i${i}`);
}

/** How many of them a worker has after each step of time. */
async function course(hub: TestHub, steps: number, ms: number): Promise<number[]> {
  const worker = hub.worker();
  // Leases of turns may end meanwhile, and the turns come again.
  const count = async () => new Set(await worker.waiting()).size;
  const counts = [await count()];
  for (let step = 0; step < steps; step += 1) {
    await hub.pass(ms);
    counts.push(await count());
  }
  return counts;
}

describe("a paced release", () => {
  it("lets instances through at its rate, the first one at once, and then ends", async () => {
    await using hub = await openHub();
    await held(hub, 4);
    await releaseHub(hub, rate(2));
    expect(await course(hub, 5, 500)).toEqual([1, 2, 3, 4, 4, 4]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("of 0.001 lets one through in 1,000 seconds", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await releaseHub(hub, rate(0.001));
    expect(await course(hub, 4, 500_000)).toEqual([1, 1, 2, 2, 3]);
  });

  it("of many each second stays near its rate", async () => {
    await using hub = await openHub();
    await held(hub, 60);
    await releaseHub(hub, rate(100));
    const counts = await course(hub, 6, 100);
    for (const [step, count] of counts.entries()) {
      expect(count).toBeLessThanOrEqual(step * 10 + 11);
      expect(count).toBeGreaterThanOrEqual(Math.min(60, step * 10 - 10));
    }
  });

  it("does not make up for time in which nothing waited", async () => {
    await using hub = await openHub();
    await holdHub(hub);
    await hub.start("first");
    await releaseHub(hub, rate(1, 100));
    await hub.pass(60_000);
    for (let i = 0; i < 10; i += 1) await hub.start(`i${i}`);
    expect((await hub.worker().waiting()).length).toBeLessThanOrEqual(3);
  });

  it("ends when nothing is held back, at once", async () => {
    await using hub = await openHub();
    await holdHub(hub);
    await releaseHub(hub, rate(1));
    await hub.settled();
    expect(hubHolds(hub)).toEqual([]);
  });

  it("leaves an instance that was let through alone, activities and all that follows", async () => {
    await using hub = await openHub();
    await held(hub, 2);
    await releaseHub(hub, rate(0.001));
    const worker = hub.worker();
    const turn = await worker.turn();
    await worker.complete(turn, [scheduleTask(1), scheduleTask(2)]);
    expect(await worker.waiting()).toHaveLength(2);
    await worker.finish(await worker.activity(turn.instanceId, 1));
    await hub.raise(turn.instanceId, "E");
    expect(await worker.waiting()).toContain(`turn ${turn.instanceId}`);
  });

  it("lets through all activities and the turn of one instance together", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    for (const id of ["a", "b"]) {
      await hub.start(id);
      const tasks = [scheduleTask(1), scheduleTask(2)];
      await before.complete(await before.turn(id), tasks);
    }
    await before.close();
    await holdHub(hub);
    await hub.pass(60_000);
    for (const id of ["a", "b"]) await hub.raise(id, "E");
    await releaseHub(hub, rate(1));
    const worker = hub.worker();
    const first = await worker.waiting();
    expect(new Set(first.map((item) => item.split(" ")[1])).size).toBe(1);
    expect(first).toHaveLength(3);
    await hub.pass(1_000);
    expect(await worker.waiting()).toHaveLength(6);
  });

  it("does not forget activities when something else of the instance comes first", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    for (const id of ["a", "b"]) {
      await hub.start(id);
      await before.complete(await before.turn(id), [scheduleTask(1)]);
    }
    await before.close();
    await holdHub(hub);
    await hub.pass(60_000);
    await releaseHub(hub, rate(1));
    const worker = hub.worker();
    await worker.waiting();
    // There is room, and the alarm that says so has not rung yet.
    hub.steady.skipTo(hub.steady.nowMs() + 1_000);
    for (const id of ["a", "b"]) await hub.raise(id, "E");
    await hub.pass(1_000);
    await hub.pass(1_000);
    expect((await worker.waiting()).toSorted()).toEqual([
      "activity a 1",
      "activity b 1",
      "turn a",
      "turn b",
    ]);
  });

  it("counts instances, not their children's or parents' work", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    const turn = await worker.turn("root");
    await holdTree(hub, "root");
    await worker.complete(turn, [startChild(1, "x"), startChild(2, "y")]);
    await hub.settled();
    await releaseTree(hub, "root", rate(1));
    expect(await worker.waiting()).toHaveLength(1);
    await hub.pass(1_000);
    expect(await worker.waiting()).toHaveLength(2);
    await hub.settled();
    expect(hubHolds(hub)).toEqual([]);
  });

  it("hands nothing out before it is durable", async () => {
    await using hub = await openHub();
    await held(hub, 2);
    const worker = hub.worker();
    hub.bytes.hold();
    void releaseHub(hub, rate(1_000));
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect((await worker.waiting()).length).toBeGreaterThan(0);
  });

  it("does not wake when nobody waits for it", async () => {
    await using hub = await openHub();
    await held(hub, 2);
    await releaseHub(hub, rate(0.001, 100));
    await hub.settled();
    expect(hub.steady.untilNextMs).toBeGreaterThan(1_000);
  });

  it("does not wake for what something else holds fully", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await holdHub(hub, { name: "other", selector: { instanceIdPrefix: "i0" } });
    await releaseHub(hub, rate(10));
    for (let i = 0; i < 20; i += 1) await hub.pass(100);
    expect(hubHolds(hub)).toEqual(["h 2", "other"]);
    expect(hub.steady.untilNextMs).toBe(Number.POSITIVE_INFINITY);
    await releaseHub(hub, undefined, "other");
    expect(await hub.worker().waiting()).toHaveLength(3);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("looks at no more instances than it has room for", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await held(hub, 300);
    await releaseHub(hub, rate(1_000));
    await hub.settled();
    const before = hub.bytes.calls;
    await hub.pass(1);
    expect(hub.bytes.calls - before).toBeLessThan(20);
  });
});

describe("canaries", () => {
  it("are let through one second apart, and then it waits for a second resume", async () => {
    await using hub = await openHub();
    await held(hub, 6);
    await releaseHub(hub, rate(0, 2));
    expect(await course(hub, 4, 500)).toEqual([1, 1, 2, 2, 2]);
    expect(hubHolds(hub)).toEqual(["h 2 awaiting"]);
    await hub.pass(3_600_000);
    expect(hubHolds(hub)).toEqual(["h 2 awaiting"]);
  });

  it("are let through at the rate, if there is one", async () => {
    await using hub = await openHub();
    await held(hub, 6);
    await releaseHub(hub, rate(2, 3));
    expect(await course(hub, 5, 500)).toEqual([1, 2, 3, 3, 3, 3]);
  });

  it("then a second resume without a pace lets go of all at once", async () => {
    await using hub = await openHub();
    await held(hub, 6);
    await releaseHub(hub, rate(1, 1));
    const worker = hub.worker();
    expect(await worker.waiting()).toHaveLength(1);
    expect(await releaseHub(hub)).toBe("released [h] remaining []");
    expect(await worker.waiting()).toHaveLength(6);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("then a second resume with a rate goes on at it, and who is through stays through", async () => {
    await using hub = await openHub();
    await held(hub, 4);
    await releaseHub(hub, rate(1, 1));
    const worker = hub.worker();
    const turn = await worker.turn();
    await releaseHub(hub, rate(1));
    expect(await worker.waiting()).toHaveLength(1);
    await worker.complete(turn, [scheduleTask(1)]);
    expect(await worker.waiting()).toContain(`activity ${turn.instanceId} 1`);
    await hub.pass(1_000);
    await hub.pass(1_000);
    expect((await worker.waiting()).filter((item) => item.startsWith("turn"))).toHaveLength(3);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("then a second resume with canaries lets so many more through", async () => {
    await using hub = await openHub();
    await held(hub, 6);
    await releaseHub(hub, rate(1_000, 2));
    await hub.pass(100);
    await releaseHub(hub, rate(1_000, 3));
    await hub.pass(100);
    expect(await hub.worker().waiting()).toHaveLength(5);
    expect(hubHolds(hub)).toEqual(["h 5 awaiting"]);
  });

  it("fewer instances than canaries: it waits all the same", async () => {
    await using hub = await openHub();
    await held(hub, 1);
    await releaseHub(hub, rate(1_000, 5));
    await hub.pass(60_000);
    expect(await hub.worker().waiting()).toHaveLength(1);
    expect(hubHolds(hub)).toEqual(["h 1"]);
  });

  it("that are awaited stay so when the log of the hub begins a generation", async () => {
    await using hub = await openHub();
    await held(hub, 4);
    await releaseHub(hub, rate(1_000, 2));
    await hub.pass(100);
    expect(hubHolds(hub)).toEqual(["h 2 awaiting"]);
    await growLog(hub);
    expect(hubHolds(hub)).toEqual(["h 2 awaiting"]);
    expect(await hub.worker().waiting()).toHaveLength(2);
  });
});

describe("other holds on top", () => {
  it("go on holding what a paced release lets through", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await holdHub(hub, { name: "other", selector: { instanceIdPrefix: "i1" } });
    await hold(hub, "i2");
    await releaseHub(hub, rate(1_000));
    await hub.pass(100);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn i0"]);
    await releaseHub(hub, undefined, "other");
    await release(hub, "i2");
    await hub.pass(100);
    expect((await worker.waiting()).toSorted()).toEqual(["turn i0", "turn i1", "turn i2"]);
  });

  it("that are being released too each let it through", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await holdHub(hub, { name: "slow" });
    await releaseHub(hub, rate(1));
    await releaseHub(hub, rate(0.5), "slow");
    expect(await course(hub, 4, 1_000)).toEqual([1, 1, 2, 2, 3]);
    await hub.settled();
    expect(hubHolds(hub)).toEqual([]);
  });

  it("that are released slowly do not slow down others", async () => {
    await using hub = await openHub();
    await holdHub(hub, { name: "slow", selector: { instanceIdPrefix: "s" } });
    await holdHub(hub, { name: "quick", selector: { instanceIdPrefix: "q" } });
    for (const id of ["s1", "s2", "q1", "q2", "q3"]) await hub.start(id);
    await releaseHub(hub, rate(0.001), "slow");
    await hub.settled();
    await releaseHub(hub, rate(10), "quick");
    const worker = hub.worker();
    for (let i = 0; i < 5; i += 1) await hub.pass(100);
    expect((await worker.waiting()).filter((item) => item.startsWith("turn q"))).toHaveLength(3);
    await hub.settled();
    expect(hubHolds(hub)).toEqual(["slow 1"]);
  });

  it("of things that it does not cover do not keep it from ending", async () => {
    await using hub = await openHub();
    await holdHub(hub, { name: "other", selector: { instanceIdPrefix: "o" } });
    await holdHub(hub, { name: "mine", selector: { instanceIdPrefix: "m" } });
    for (const id of ["o1", "m1"]) await hub.start(id);
    await releaseHub(hub, rate(1), "mine");
    await hub.pass(1_000);
    expect(hubHolds(hub)).toEqual(["other"]);
  });

  it("placing the window again makes it full for all, also for who was let through", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await releaseHub(hub, rate(1, 1));
    const worker = hub.worker();
    const turn = await worker.turn();
    await holdHub(hub);
    await worker.complete(turn, [scheduleTask(1)]);
    await hub.pass(60_000);
    expect(await worker.waiting()).toEqual([]);
    expect(hubHolds(hub)).toEqual(["h"]);
  });
});

describe("over a restart", () => {
  it("it begins again with its pace, and ends", async () => {
    await using hub = await openHub();
    await held(hub, 4);
    await releaseHub(hub, rate(1));
    await hub.pass(1_000);
    expect(hubHolds(hub)).toEqual(["h 2"]);
    await hub.crash();
    expect(await course(hub, 4, 1_000)).toEqual([1, 2, 3, 4, 4]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("canaries are let through again, and wait again", async () => {
    await using hub = await openHub();
    await held(hub, 4);
    await releaseHub(hub, rate(1_000, 2));
    await hub.pass(100);
    await hub.crash();
    await hub.pass(100);
    expect(hubHolds(hub)).toEqual(["h 2 awaiting"]);
    expect(await hub.worker().waiting()).toHaveLength(2);
  });

  it("it is not complete before everything that was ready is known", async () => {
    await using hub = await openHub();
    await held(hub, 3);
    await releaseHub(hub, rate(1));
    await hub.crash({ recovers: false });
    await hub.pass(1_000);
    expect(hubHolds(hub)).toEqual(["h 0"]);
    await hub.hubs.recover();
    await hub.settled();
    expect(await hub.worker().waiting()).toHaveLength(1);
  });

  it("one that has nothing to let through ends", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await held(hub, 2);
    await releaseHub(hub, rate(1));
    for (let i = 0; i < 2; i += 1) {
      await worker.complete(await worker.turn(), [completed()]);
      await hub.pass(1_000);
    }
    await hub.crash();
    expect(hubHolds(hub)).toEqual([]);
  });
});

/** Writes to the log of the hub until it has begun a generation. */
async function growLog(hub: TestHub): Promise<void> {
  const generation = hub.hub.state?.generation;
  const reason = "x".repeat(LIMITS.reasonBytesMax);
  while (hub.hub.state?.generation === generation) {
    await holdHub(hub, { name: "filler", reason, selector: { names: ["nobody"] } });
    await releaseHub(hub, undefined, "filler");
  }
  await hub.settled();
}
