/** While held nothing is handed out, by whatever holds it; released, everything is, once. */
import { describe, expect, it } from "vitest";
import {
  hold,
  holdHub,
  holdTree,
  hubHolds,
  release,
  releaseHub,
  releaseTree,
} from "../support/hold-calls.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, continueAsNew, createTimer, scheduleTask } from "../support/worker-actions.ts";

/** Every kind of hold, placed and released alike. */
const kinds = [
  {
    kind: "an instance hold",
    place: (hub: TestHub) => hold(hub, "a"),
    end: (hub: TestHub) => release(hub, "a"),
  },
  {
    kind: "a tree hold",
    place: (hub: TestHub) => holdTree(hub, "a"),
    end: (hub: TestHub) => releaseTree(hub, "a"),
  },
  {
    kind: "a window with a selector",
    place: (hub: TestHub) => holdHub(hub, { selector: { instanceIdPrefix: "a" } }),
    end: (hub: TestHub) => releaseHub(hub),
  },
  {
    kind: "a window over the hub",
    place: (hub: TestHub) => holdHub(hub),
    end: (hub: TestHub) => releaseHub(hub),
  },
];

describe.each(kinds)("under $kind", ({ place, end }) => {
  it("the first turn is not handed out, and is when it is released", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("what was queued before, for a worker that comes later, is not handed out", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    await hub.start("a");
    await before.complete(await before.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    await before.activity("a", 1);
    await before.close();
    await hub.raise("a", "E");
    await place(hub);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("what waits for credit of a stream is not handed out when the credit comes", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1, turns: 1 });
    for (const id of ["b", "a"]) await hub.start(id);
    const turnOfB = await worker.turn("b");
    await place(hub);
    await worker.complete(turnOfB);
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("a turn in flight commits with all its effects; its activities and next turn wait", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await place(hub);
    await hub.raise("a", "E");
    const actions = [scheduleTask(1), createTimer(2, hub.clock.in(5))];
    await worker.complete(turn, actions, { customStatus: "half" });
    await hub.pass(5);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.hub.read("a", (state) => state.customStatus?.text)).toBe("half");
    await end(hub);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["eventRaised E", "timerFired 2"]);
  });

  it("a turn in flight may complete the instance", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await place(hub);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("a turn in flight that continues as new stays held", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await place(hub);
    await hub.raise("a", "E");
    await worker.complete(turn, [continueAsNew("2")]);
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    const next = await worker.turn("a");
    expect(newEvents(next)).toEqual(["orchestratorStarted", "executionStarted", "eventRaised E"]);
    expect(await worker.waiting()).toEqual([]);
  });

  it("an activity in flight is answered, and its result waits", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a");
    await place(hub);
    await worker.finish(activity, "1");
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["taskCompleted 1"]);
  });

  it("what workers lose or give back does not come back before the release", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a");
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await place(hub);
    worker.abandon(activity);
    worker.abandon(turn);
    await hub.pass(60_000);
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("it survives a crash behind its commit, and all that is held back comes later", async () => {
    await using hub = await openHub();
    const before = hub.worker();
    await hub.start("a");
    await before.complete(await before.turn("a"), [scheduleTask(1)]);
    await before.activity("a");
    await hub.raise("a", "E");
    await place(hub);
    await hub.crash();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("a release hands nothing out before it is durable", async () => {
    await using hub = await openHub();
    const first = hub.worker();
    await hub.start("a");
    await first.complete(await first.turn("a"), [scheduleTask(1)]);
    const activity = await first.activity("a");
    await place(hub);
    first.abandon(activity);
    await hub.raise("a", "E");
    await hub.pass(60_000);
    hub.bytes.hold();
    const released = watch(end(hub));
    const worker = hub.worker();
    expect([...(await first.waiting()), ...(await worker.waiting())]).toEqual([]);
    expect(released.state).toBe("pending");
    hub.bytes.release();
    const items = [...(await first.waiting()), ...(await worker.waiting())];
    expect(items.toSorted()).toEqual(["activity a 1", "turn a"]);
    expect(released.state).toBe("done");
  });

  it("a release hands out what was queued all the time only when it is durable", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    await hub.start("a");
    await before.complete(await before.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    await before.activity("a", 1);
    await before.close();
    await hub.raise("a", "E");
    await place(hub);
    hub.bytes.hold();
    void end(hub);
    await hub.settled();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("what comes back while a release is not durable waits until it is", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a");
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await place(hub);
    worker.abandon(activity);
    worker.abandon(turn);
    hub.bytes.hold();
    void end(hub);
    await hub.pass(60_000);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("a release that a crash loses goes on holding", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub);
    hub.bytes.hold();
    void end(hub);
    await hub.settled();
    await hub.crash();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await end(hub);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("it holds from the call on, before it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const placed = watch(place(hub));
    await hub.settled();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    expect(placed.state).toBe("pending");
    hub.bytes.release();
    expect(await worker.waiting()).toEqual([]);
    expect(placed.state).toBe("done");
  });

  it("released and placed again between two flushes it holds all the time", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub);
    const worker = hub.worker();
    hub.bytes.hold();
    const calls = [end(hub), place(hub)].map((call) => watch(call));
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.releaseOne();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual([]);
    expect(calls.map(({ state }) => state)).toEqual(["done", "done"]);
    await end(hub);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("others of other names go on holding when it is released", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub);
    await hold(hub, "a", { name: "other" });
    await holdTree(hub, "a", { name: "other" });
    await holdHub(hub, { name: "other" });
    const worker = hub.worker();
    await end(hub);
    expect(await worker.waiting()).toEqual([]);
    await release(hub, "a", { name: "other" });
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub, undefined, "other");
    expect(await worker.waiting()).toEqual([]);
    await releaseTree(hub, "a", undefined, "other");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("activities that the instance leaves behind when it completes still run, after it", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    const first = await worker.activity("a", 1);
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await place(hub);
    await worker.finish(first);
    expect(await worker.waiting()).toEqual([]);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
    // What covers a whole hub goes on holding; holds of the instance or its tree end with it.
    if (hubHolds(hub).length > 0) {
      expect(await worker.waiting()).toEqual([]);
      await end(hub);
    }
    expect(await worker.waiting()).toEqual(["activity a 2"]);
  });

  it("a completion that drops the hold hands nothing out before it is durable", async () => {
    await using hub = await openHub();
    const first = hub.worker({ activities: 1 });
    await hub.start("a");
    await first.complete(await first.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    await first.activity("a", 1);
    await hub.raise("a", "E");
    const turn = await first.turn("a");
    await place(hub);
    hub.bytes.hold();
    void first.complete(turn, [completed()]);
    await hub.settled();
    const second = hub.worker();
    expect(await second.waiting()).toEqual([]);
    hub.bytes.release();
    await hub.settled();
  });

  it("results of others are handed out all the time", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub);
    if (hubHolds(hub).length > 0 && hub.hub.hubHolds[0]?.selector === undefined) return;
    await hub.start("b");
    expect(await hub.worker().waiting()).toEqual(["turn b"]);
  });
});
