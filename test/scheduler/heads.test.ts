/** Instances in memory: one head for each, and none for those that nobody uses. */
import { describe, expect, it } from "vitest";
import { hold } from "../support/hold-calls.ts";
import { openHub, watch } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, scheduleTask, sendEvent } from "../support/worker-actions.ts";

describe("with no room for instances that nobody uses", () => {
  it("an orchestration runs from its start to its end", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await worker.finish(await worker.activity("a"), "result");
    await worker.complete(await worker.turn("a"), [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
    expect((await hub.history("a")).map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "executionCompleted",
    ]);
  });

  it("instances that are done leave memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.settled();
    const before = hub.bytes.calls;
    await hub.status("a");
    expect(hub.bytes.calls).toBeGreaterThan(before);
  });

  it("a suspended instance leaves memory though its turn had been queued", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await hub.start("a");
    await hub.suspend("a");
    await hub.worker().waiting();
    const before = hub.bytes.calls;
    await hub.status("a");
    expect(hub.bytes.calls).toBeGreaterThan(before);
  });

  it("an instance that ended while its turn waited to come back leaves memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn("a"));
    await hub.terminate("a");
    await hub.pass(1_000);
    const before = hub.bytes.calls;
    await hub.status("a");
    expect(hub.bytes.calls).toBeGreaterThan(before);
  });
});

describe("with room for one instance that nobody uses", () => {
  const one = { idleHeadBytesMax: 4_000 };

  it("mail to it is not lost when it has to make room before the mail is durable", async () => {
    await using hub = await openHub(one);
    const filters = { orchestrations: [{ name: "Main" }] };
    const worker = hub.worker({ filters });
    await hub.start("target", { name: "Other" });
    await hub.suspend("target");
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.settled();
    hub.bytes.hold();
    void worker.complete(turn, [sendEvent(1, "target", "E")]);
    await hub.settled();
    // Others come and go, and push out who nobody uses.
    for (const id of ["b", "c", "d"]) expect(await hub.status(id)).toBeUndefined();
    const reads = ["old1", "old2"].map((id) => watch(hub.start(id)));
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    expect(reads.map(({ state }) => state)).toEqual(["done", "done"]);
    await hub.raise("target", "F");
    await hub.resume("target");
    const other = hub.worker({ filters: { orchestrations: [{ name: "Other" }] } });
    expect(newEvents(await other.turn("target")).slice(2)).toEqual([
      "eventRaised E",
      "eventRaised F",
    ]);
    const stored = await hub.stored("target");
    expect(stored?.state.sequence).toBe(await hub.hub.read("target", (state) => state.sequence));
  });

  it("it has one turn at a time though mail woke it while nobody used it", async () => {
    await using hub = await openHub(one);
    const worker = hub.worker();
    await hub.start("target");
    await worker.complete(await worker.turn("target"));
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.complete(turn, [sendEvent(1, "target", "E"), completed()]);
    await worker.turn("target");
    for (const id of ["b", "c", "d"]) {
      await hub.start(id);
      await worker.complete(await worker.turn(id), [completed("x".repeat(1_000))]);
    }
    await hub.raise("target", "F");
    expect(await worker.waiting()).toEqual([]);
  });
});

describe("an instance of a deleted hub", () => {
  it("does not take the next one of its id along when it leaves memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 8_000 });
    const later = { at: hub.clock.in(3_600_000) };
    await hub.start("a", later);
    await hub.hub.delete();
    await hub.start("a");
    for (let at = 0; at < 10; at += 1) await hub.start(`b${at}`, later);
    await hub.raise("a", "E");
    const workers = [hub.worker(), hub.worker()];
    const items = await Promise.all(workers.map((worker) => worker.waiting()));
    expect(items.flat()).toEqual(["turn a"]);
  });
});

describe("concurrent calls on a cold instance", () => {
  it("share one load and are decided in the order of calls", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.crash({ recovers: false });
    hub.bytes.holdReads();
    const calls = [
      hub.raise("a", "E"),
      hub.suspend("a"),
      hub.raise("a", "F"),
      hub.resume("a"),
      hub.raise("a", "G"),
    ].map(watch);
    await hub.settled();
    hub.bytes.releaseReads();
    await hub.settled();
    expect(calls.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => "done"));
    expect(newEvents(await hub.worker().turn("a")).slice(2)).toEqual([
      "eventRaised E",
      "eventRaised F",
      "eventRaised G",
    ]);
  });

  it("of a hub that is deleted meanwhile find nothing", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.crash({ recovers: false });
    hub.bytes.holdReads();
    const read = watch(hub.status("a"));
    const raise = watch(hub.raise("a", "E"));
    await hub.settled();
    const deletion = watch(hub.hub.delete());
    await hub.settled();
    hub.bytes.releaseReads();
    await hub.settled();
    expect(read).toMatchObject({ state: "done", value: undefined });
    expect(raise).toMatchObject({ state: "failed", error: { code: "instance-not-found" } });
    expect(deletion.state).toBe("done");
    expect(await hub.stored("a")).toBeUndefined();
  });
});

describe("what an instance takes in memory", () => {
  it("counts its custom status with the revisions that are kept", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const before = hub.hubs.idleHeads.bytes;
    for (const letter of ["a", "b", "c"]) {
      const customStatus = JSON.stringify(letter.repeat(50_000));
      await worker.complete(await worker.turn("a"), [], { customStatus });
      await hub.raise("a", "go");
    }
    await worker.complete(await worker.turn("a"));
    await hub.settled();
    expect(hub.hubs.idleHeads.bytes).toBeGreaterThan(before + 150_000);
  });

  it("counts its holds with their reasons", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"));
    await hub.settled();
    const before = hub.hubs.idleHeads.bytes;
    for (const name of ["a", "b", "c"]) await hold(hub, "a", { name, reason: "x".repeat(1_000) });
    await hub.settled();
    expect(hub.hubs.idleHeads.bytes).toBeGreaterThan(before + 3_000);
  });
});
