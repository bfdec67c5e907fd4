/** Replacement and purge: what was queued or with workers is void. */
import { describe, expect, it } from "vitest";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed, scheduleTask, sendEvent, startChild } from "../support/worker-actions.ts";

const replaceable = {
  replaceableStatus: [
    OrchestrationStatus.PENDING,
    OrchestrationStatus.RUNNING,
    OrchestrationStatus.TERMINATED,
  ],
  legacyAction: 0,
};

/** An instance that has completed, with an activity queued and one with the worker. */
async function completeWithActivities(hub: TestHub, worker: ScriptedWorker) {
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2), completed()]);
  return worker.activity("a", 1);
}

describe("a replacement", () => {
  it("makes the turn in flight void, and its late completion changes nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { input: "old" });
    const old = await worker.turn("a");
    await hub.start("a", { input: "new", policy: replaceable });
    const turn = await worker.turn("a");
    expect(turn.request.executionId).not.toBe(old.request.executionId);
    await worker.complete(old, [completed("late")]);
    expect(await hub.status("a")).toBe("PENDING");
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("is not handed out when what came before it is durable and it is not", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.raise("a", "E");
    hub.bytes.hold();
    void hub.raise("a", "F");
    await hub.settled();
    void hub.start("a", { policy: replaceable, input: "new" });
    await hub.settled();
    const worker = hub.worker();
    hub.bytes.releaseOne();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect((await worker.turn("a")).request.newEvents).toHaveLength(2);
  });

  it("is handed out though the life before it was resumed late", async () => {
    await using hub = await openHub();
    await hub.start("a");
    for (let count = 0; count < 5; count += 1) await hub.raise("a", "E");
    await hub.suspend("a");
    await hub.resume("a");
    await hub.start("a", { policy: replaceable });
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("makes a queued turn void", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.start("a", { policy: replaceable });
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("makes a turn that waits to come back void", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn("a"));
    await hub.start("a", { policy: replaceable });
    const turn = await worker.turn("a");
    await hub.pass(MINUTE);
    expect(await worker.waiting()).toEqual([]);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("makes activities void that are queued or in flight", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    const activity = await completeWithActivities(hub, worker);
    await hub.start("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
    await worker.finish(activity, "late");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await worker.finish(activity, "late");
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("makes old timers void, and new ones of the same time fire", async () => {
    await using hub = await openHub();
    const at = hub.clock.in(30_000);
    await hub.start("a", { at });
    await hub.terminate("a");
    await hub.start("a", { at });
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(30_000);
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("still sends what the replaced life had committed to send", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    // It sleeps outside memory: mail to it cannot go with the commit that sends it.
    await hub.start("target", { name: "Other", at: hub.clock.in(60_000) });
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.settled();
    hub.bytes.hold();
    void worker.complete(turn, [sendEvent(1, "target", "E"), completed()]);
    await hub.settled();
    void hub.start("a");
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    const inbox = await hub.hub.read("target", (state) => state.inbox.length);
    expect(inbox).toBe(2);
  });
});

describe("a purge", () => {
  it("leaves an instance alone that has not finished, or that is not there", async () => {
    await using hub = await openHub();
    await hub.start("a");
    expect(await hub.purge("a")).toBe(0);
    expect(await hub.purge("unknown")).toBe(0);
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("frees the id", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    expect(await hub.purge("a")).toBe(1);
    expect(await hub.status("a")).toBeUndefined();
    await hub.start("a");
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("makes activities void that are queued or in flight", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    const activity = await completeWithActivities(hub, worker);
    expect(await hub.purge("a")).toBe(1);
    await worker.finish(activity, "late");
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("a")).toBeUndefined();
  });

  it("leaves nothing in the store", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await completeWithActivities(hub, worker);
    const number = await hub.hub.read("a", (state) => state.number);
    await hub.purge("a");
    await hub.settled();
    expect(await hub.stored("a")).toBeUndefined();
    expect(await hub.store.readLog(number ?? 0n, 1, 0)).toEqual([]);
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
  });

  it("waits until mail of the instance has reached somebody", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
    const turn = await worker.turn("child");
    await hub.settled();
    // Its parent is not in memory: the result is mail, which leaves when it is durable.
    hub.bytes.hold();
    void worker.complete(turn, [completed("result")]);
    await hub.settled();
    const purge = hub.purge("child");
    await hub.settled();
    hub.bytes.release();
    expect(await purge).toBe(1);
    expect(await worker.waiting()).toEqual(["turn parent"]);
  });

  it("of a tree deletes all that have finished", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [
      startChild(1, "left"),
      startChild(2, "right"),
      completed(),
    ]);
    await worker.complete(await worker.turn("left"), [startChild(1, "leaf"), completed()]);
    await worker.complete(await worker.turn("leaf"), [completed()]);
    expect(await hub.purge("root", true)).toBe(3);
    const ids = ["root", "left", "leaf", "right"];
    expect(await Promise.all(ids.map((id) => hub.status(id)))).toEqual([
      undefined,
      undefined,
      undefined,
      "PENDING",
    ]);
  });

  it("of a tree does not touch a finished instance that only has the id of a child", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("child");
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "child"), completed()]);
    await worker.complete(await worker.turn("child"), [completed()]);
    await hub.settled();
    expect(await hub.purge("root", true)).toBe(1);
    expect(await hub.status("child")).toBe("COMPLETED");
  });

  it("of a tree whose ids were used again within it comes to an end", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [startChild(1, "b"), completed()]);
    await worker.complete(await worker.turn("b"), [startChild(1, "a")]);
    // The second life of "a" is a child of "b", and wants "b" as a child of its own.
    await worker.complete(await worker.turn("a"), [startChild(1, "b")]);
    await worker.complete(await worker.turn("a"), [completed()]);
    await worker.complete(await worker.turn("b"), [completed()]);
    expect(await hub.purge("b", true)).toBe(2);
  });

  it("is repeated without effect", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    expect(await Promise.all([hub.purge("a"), hub.purge("a"), hub.purge("a")])).toEqual([1, 0, 0]);
  });
});
