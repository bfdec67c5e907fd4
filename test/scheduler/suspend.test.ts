/** Suspended instances: nothing of them is handed out, and nothing of them is lost. */
import { describe, expect, it } from "vitest";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker } from "../support/worker.ts";
import { completed, createTimer, scheduleTask } from "../support/worker-actions.ts";

async function runUntilActivity(hub: TestHub, worker: ScriptedWorker): Promise<void> {
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1), createTimer(2, hub.clock.in(9))]);
}

describe("while an instance is suspended", () => {
  it("its first turn is not handed out, and is when it is resumed", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("a")).toBe("SUSPENDED");
    await hub.resume("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("what is waiting for a worker already is not handed out either", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    const activity = await worker.activity("a", 1);
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await hub.raise("a", "F");
    await hub.suspend("a");
    await worker.finish(activity, "result");
    await worker.complete(turn, [scheduleTask(3)]);
    expect(await worker.waiting()).toEqual([]);
    await hub.resume("a");
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("events, results and timers queue up and come in order of arrival", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await runUntilActivity(hub, worker);
    const activity = await worker.activity("a");
    await hub.suspend("a");
    await hub.raise("a", "E");
    await hub.pass(10);
    await worker.finish(activity, "result");
    await hub.raise("a", "F");
    expect(await worker.waiting()).toEqual([]);
    await hub.resume("a");
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual([
      "eventRaised E",
      "timerFired 2",
      "taskCompleted 1",
      "eventRaised F",
    ]);
  });

  it("a turn in flight commits with its effects, and its activities wait", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.suspend("a");
    await worker.complete(turn, [scheduleTask(1)], { customStatus: "committed" });
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.hub.read("a", (state) => state.customStatus?.text)).toBe("committed");
    await hub.resume("a");
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("a turn in flight that completes it completes it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.suspend("a");
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("a turn that is lost or given back does not come back before the resume", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    for (const id of ["a", "b"]) await hub.start(id);
    const turn = await worker.turn("a");
    await worker.turn("b");
    for (const id of ["a", "b"]) await hub.suspend(id);
    worker.abandon(turn);
    await hub.pass(5 * 60_000);
    expect(await worker.waiting()).toEqual([]);
    for (const id of ["a", "b"]) await hub.resume(id);
    expect(await worker.waiting()).toEqual(["turn a", "turn b"]);
  });

  it("an activity that is lost or given back does not come back before the resume", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await runUntilActivity(hub, worker);
    const activity = await worker.activity("a");
    await hub.suspend("a");
    worker.abandon(activity);
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
    await hub.resume("a");
    expect(await worker.waiting()).toContain("activity a 1");
  });

  it("it can be terminated", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await runUntilActivity(hub, worker);
    await hub.suspend("a");
    await hub.terminate("a", "output");
    expect(await hub.status("a")).toBe("TERMINATED");
    await hub.resume("a");
    expect(await hub.status("a")).toBe("TERMINATED");
  });

  it("its worker is never told of it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"));
    await hub.suspend("a", "why");
    await hub.resume("a", "because");
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "eventRaised E"]);
    expect(turn.request.pastEvents).toHaveLength(2);
    const shown = (await hub.history("a")).map(({ eventType }) => eventType.case);
    expect(shown.slice(2)).toEqual(["executionSuspended", "executionResumed"]);
    expect(await hub.history("a", true)).toHaveLength(2);
  });
});

describe("a resume", () => {
  it("hands nothing out before it is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await runUntilActivity(hub, worker);
    const activity = await worker.activity("a");
    await hub.suspend("a");
    worker.abandon(activity);
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.hold();
    const resume = watch(hub.resume("a"));
    expect(await worker.waiting()).toEqual([]);
    // A stream that comes now asks for what waits; it must not get it either.
    const other = hub.worker();
    expect(await other.waiting()).toEqual([]);
    expect(resume.state).toBe("pending");
    hub.bytes.release();
    const items = [...(await worker.waiting()), ...(await other.waiting())];
    expect(items.toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("hands out what was queued all the time only when it is durable", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    await hub.start("a");
    await before.complete(await before.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    await before.activity("a", 1);
    await before.close();
    await hub.raise("a", "E");
    await hub.suspend("a");
    hub.bytes.hold();
    void hub.resume("a");
    await hub.settled();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("that is lost in a crash leaves the instance suspended", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    hub.bytes.hold();
    void hub.resume("a");
    await hub.settled();
    await hub.crash();
    expect(await hub.status("a")).toBe("SUSPENDED");
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("between two suspends hands nothing out", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await runUntilActivity(hub, worker);
    const activity = await worker.activity("a");
    await hub.suspend("a");
    worker.abandon(activity);
    await hub.raise("a", "E");
    await hub.pass(1_000);
    hub.bytes.hold();
    const calls = [hub.suspend("a"), hub.resume("a"), hub.suspend("a")].map(watch);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual([]);
    expect(calls.every(({ state }) => state === "done")).toBe(true);
    await hub.resume("a");
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("behind a resume and a suspend hands everything out once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"));
    await hub.suspend("a");
    await hub.raise("a", "E");
    await Promise.all([hub.resume("a"), hub.suspend("a"), hub.resume("a")]);
    const turn = await worker.turn("a");
    await worker.complete(turn);
    expect(await worker.waiting()).toEqual([]);
  });
});
