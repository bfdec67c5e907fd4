/** Several hubs in one process, and the end of it. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import { openHub, watch } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

function startIn(hub: TaskHub, instanceId: string): Promise<string> {
  return hub.instances.start({
    instanceId,
    name: "Main",
    version: undefined,
    input: undefined,
    tags: {},
    parentTraceContext: undefined,
    scheduledStartAt: undefined,
    executionId: undefined,
    idReusePolicy: undefined,
    fingerprint: undefined,
  });
}

describe("two hubs", () => {
  it("have nothing in common: the same id is two instances", async () => {
    await using hub = await openHub();
    const other = hub.hubs.get("other");
    await hub.start("a");
    await startIn(other, "a");
    const worker = hub.worker();
    const elsewhere = hub.worker({}, other);
    await worker.complete(await worker.turn("a"), [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
    expect(await elsewhere.waiting()).toEqual(["turn a"]);
    await hub.hub.delete();
    await hub.crash();
    expect(await hub.status("a")).toBeUndefined();
    expect(await hub.worker({}, hub.hubs.get("other")).waiting()).toEqual(["turn a"]);
  });

  it("share each group of commits: the backlog of one keeps the other waiting for one group", async () => {
    await using hub = await openHub();
    const other = hub.hubs.get("other");
    await startIn(other, "before");
    const backlog = Array.from({ length: 300 }, (_, at) => `a${at}`);
    for (const id of backlog) await hub.start(id);
    const worker = hub.worker({ turns: 20 });
    const elsewhere = hub.worker({ turns: 1 }, other);
    await elsewhere.complete(await elsewhere.turn("before"), [completed()]);
    // Ends with a round of the busy hub behind each of those that the other one has.
    for (let round = 0; round < 5; round += 1) {
      hub.bytes.hold();
      const turns = await Promise.all(Array.from({ length: 20 }, () => worker.turn()));
      const answers = turns.map((turn) => watch(worker.complete(turn, [completed()])));
      const started = watch(startIn(other, `b${round}`));
      await hub.settled();
      expect([...answers, started].map(({ state }) => state)).not.toContain("done");
      hub.bytes.releaseOne();
      await hub.settled();
      // The first may have been on its way alone.
      hub.bytes.releaseOne();
      await hub.settled();
      expect(await elsewhere.waiting()).toEqual([`turn b${round}`]);
      hub.bytes.release();
      await elsewhere.complete(await elsewhere.turn(`b${round}`), [completed()]);
    }
    expect(await worker.waiting()).toHaveLength(20);
  });

  it("do not take each other's tokens, nor completions without one", async () => {
    await using hub = await openHub();
    const other = hub.hubs.get("other");
    await hub.start("a");
    await startIn(other, "b");
    const worker = hub.worker();
    const elsewhere = hub.worker({}, other);
    const turn = await worker.turn("a");
    await elsewhere.complete(turn, [completed()]);
    await elsewhere.complete({ ...turn, token: "" }, [completed()]);
    elsewhere.abandon(turn);
    await hub.pass(1_000);
    expect(await hub.status("a")).toBe("PENDING");
    expect(await worker.waiting()).toEqual([]);
  });
});

describe("hubs", () => {
  it(`are ${LIMITS.taskHubsMax} at most; those that nobody uses make room`, async () => {
    await using hub = await openHub();
    const { hubs } = hub;
    const full = Array.from({ length: LIMITS.taskHubsMax }, (_, at) => hubs.get(`hub${at}`));
    await Promise.all(full.slice(1).map((each) => each.create()));
    // The first one is not used: it goes.
    await hubs.get("new").create();
    expect(() => hubs.get("hub0")).toThrow(expect.objectContaining({ code: "limit-exceeded" }));
    expect(hubs.get("hub1")).toBe(full[1]);
  });

  it("are kept while a stream, a wait or a call uses them", async () => {
    await using hub = await openHub();
    const { hubs } = hub;
    const [streamed, waited, called, unused] = ["s", "w", "c", "u"].map((name) => hubs.get(name));
    const fill = Array.from({ length: LIMITS.taskHubsMax - 4 }, (_, at) => hubs.get(`hub${at}`));
    await Promise.all(fill.map((each) => each.create()));
    const worker = hub.worker({}, streamed);
    await hub.settled();
    const call = new AbortController();
    const waiting = waited && watch(waited.wait("a", () => false, String, call.signal));
    const start = called && startIn(called, "a");
    hubs.get("new");
    expect(hubs.get("s")).toBe(streamed);
    expect(hubs.get("w")).toBe(waited);
    expect(hubs.get("c")).toBe(called);
    expect(hubs.getForCompletion("u")).toBeUndefined();
    expect(unused?.inUse).toBe(false);
    await start;
    await worker.close();
    call.abort();
    await hub.settled();
    expect(waiting?.state).toBe("failed");
  });

  it("that were deleted are kept until that is durable", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await hub.start("a", { at: hub.clock.in(60_000) });
    await hub.settled();
    hub.bytes.hold();
    const deletion = hub.hub.delete();
    await hub.settled();
    expect(hub.hub.inUse).toBe(true);
    hub.bytes.release();
    await deletion;
    expect(hub.hub.inUse).toBe(false);
  });

  it("are created by their first write, once", async () => {
    await using hub = await openHub();
    expect(await hub.status("a")).toBeUndefined();
    expect(await hub.store.listHubs()).toEqual([]);
    await Promise.all([hub.start("a"), hub.hub.create(), hub.start("b"), hub.hub.create()]);
    expect(await hub.store.listHubs()).toHaveLength(1);
    await hub.crash();
    expect(await hub.status("b")).toBe("PENDING");
  });
});

describe("a drain", () => {
  it("hands nothing out any more, and takes what workers answer", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    for (const id of ["a", "b"]) await hub.start(id);
    const turn = await worker.turn("a");
    const { hub: draining } = hub;
    const drained = watch(hub.hubs.drain(new AbortController().signal));
    await hub.settled();
    expect(drained.state).toBe("pending");
    expect(worker.ended).toBeUndefined();
    await worker.complete(turn, [scheduleTask(1)]);
    await hub.settled();
    expect(drained.state).toBe("done");
    expect(worker.items).toEqual([]);
    expect(worker.ended).toMatchObject({ code: "unavailable" });
    expect(await draining.read("a", (state) => state.activities.size)).toBe(1);
  });

  it("ends streams at once when nobody has anything", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await hub.hubs.drain(new AbortController().signal);
    await hub.settled();
    expect(worker.ended).toMatchObject({ code: "unavailable" });
  });

  it("that is cut short leaves the rest to the next process", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    const cut = new AbortController();
    const drained = watch(hub.hubs.drain(cut.signal));
    await hub.settled();
    cut.abort();
    await hub.settled();
    expect(drained.state).toBe("done");
    expect(worker.ended).toMatchObject({ code: "unavailable" });
    await hub.crash();
    expect(turn.token).not.toBe((await hub.worker().turn("a")).token);
  });

  it("that is cut short still takes what workers answer", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.hubs.drain(AbortSignal.abort());
    await worker.complete(turn, [completed()]);
    await hub.crash();
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("refuses what comes new, but not answers", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { hubs, hub: draining } = hub;
    await hubs.drain(new AbortController().signal);
    expect(() => hubs.get("default")).toThrow(expect.objectContaining({ code: "unavailable" }));
    expect(() => hubs.get("new")).toThrow(expect.objectContaining({ code: "unavailable" }));
    expect(hubs.getForCompletion("default")).toBe(draining);
    const late = hub.worker({}, draining);
    await hub.settled();
    expect(late.ended).toMatchObject({ code: "unavailable" });
  });

  it("lets nobody decide any more when the store was closed while he waited for it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.crash({ recovers: false });
    const { hubs, hub: closing, store } = hub;
    hub.bytes.holdReads();
    const late = watch(hub.raise("a", "E"));
    await hub.settled();
    await hubs.drain(AbortSignal.abort());
    const closed = watch(store[Symbol.asyncDispose]());
    hub.bytes.releaseReads();
    await hub.settled();
    expect(late).toMatchObject({ state: "failed", error: { code: "unavailable" } });
    expect(closed.state).toBe("done");
    await expect(startIn(closing, "b")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("leaves no alarm behind", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    for (const id of ["a", "b", "c"]) await hub.start(id, { at: hub.clock.in(0) });
    worker.abandon(await worker.turn("a"));
    await worker.turn("b");
    await worker.close();
    hub.worker();
    await hub.settled();
    await hub.hubs.drain(AbortSignal.abort());
    expect([hub.steady.alarms, hub.clock.alarms]).toEqual([0, 0]);
  });
});
