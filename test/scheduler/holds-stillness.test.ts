/** Whether what is held has really stopped: GetSuspension, WaitForQuiescence, GetTaskHub. */
import { describe, expect, it } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { HubHold } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  hold,
  holdHub,
  holdTree,
  release,
  releaseHub,
  releaseTree,
  stillness,
} from "../support/hold-calls.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, scheduleTask, startChild } from "../support/worker-actions.ts";

const forever = new AbortController().signal;

function quiescence(hub: TestHub, instanceId: string, signal = forever) {
  return watch(hub.hub.stillnesses.waitForInstance(instanceId, signal));
}

function windowQuiescence(hub: TestHub, name: string, signal = forever) {
  const isIt = ({ hold: it, origin }: HubHold) => origin === undefined && it?.name === name;
  return watch(hub.hub.stillnesses.waitForHubHold(isIt, `window ${name}`, signal));
}

function treeQuiescence(hub: TestHub, instanceId: string) {
  const isIt = ({ origin }: HubHold) => origin?.instanceId === instanceId;
  return watch(hub.hub.stillnesses.waitForHubHold(isIt, "tree", forever));
}

/** What GetTaskHub says. */
function hubFacts(hub: TestHub) {
  return hub.hub.stillnesses.ofHub(({ holds, leases, isQuiescent, ...sums }) => ({
    holds: holds.map(({ hold: it, isActive, leases: inFlight, instancesHeldBack }) => ({
      name: it.hold?.name,
      isActive,
      inFlight,
      instancesHeldBack,
    })),
    inFlight: leases.length,
    isQuiescent,
    ...sums,
  }));
}

/** An instance of which a worker has one of two activities and a turn, with one activity queued. */
async function busy(hub: TestHub) {
  const worker = hub.worker({ activities: 1 });
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1, "Pay"), scheduleTask(2, "Ship")]);
  const activity = await worker.activity("a", 1);
  await hub.raise("a", "E");
  const turn = await worker.turn("a");
  return { worker, activity, turn };
}

describe.each([
  ["an instance hold", (hub: TestHub) => hold(hub, "a")],
  ["a tree hold", (hub: TestHub) => holdTree(hub, "a")],
  ["a window", (hub: TestHub) => holdHub(hub)],
])("what is told of an instance under %s", (_kind, place) => {
  it("is what workers have, what is held back, and when it has stopped", async () => {
    await using hub = await openHub();
    const { worker, activity, turn } = await busy(hub);
    const before = { holds: [], activitiesHeldBack: 0, turnHeldBack: false, quiescent: false };
    expect(await stillness(hub, "a")).toEqual({ ...before, inFlight: ["turn", "Pay"] });
    await place(hub);
    const held = { holds: ["h"], activitiesHeldBack: 1, turnHeldBack: false, quiescent: false };
    expect(await stillness(hub, "a")).toEqual({ ...held, inFlight: ["turn", "Pay"] });
    await worker.complete(turn);
    expect(await stillness(hub, "a")).toEqual({ ...held, inFlight: ["Pay"] });
    await worker.finish(activity);
    expect(await stillness(hub, "a")).toEqual({
      ...held,
      inFlight: [],
      turnHeldBack: true,
      quiescent: true,
    });
  });

  it("counts what a worker has whose stream is gone, until its grace is over", async () => {
    await using hub = await openHub();
    const { worker } = await busy(hub);
    await place(hub);
    await worker.close();
    expect((await stillness(hub, "a"))?.inFlight).toEqual(["turn", "Pay"]);
    const wait = quiescence(hub, "a");
    await hub.settled();
    expect(wait.state).toBe("pending");
    await hub.pass(10_000);
    expect(wait.value).toBe("quiescent");
    expect(await stillness(hub, "a")).toMatchObject({ inFlight: [], activitiesHeldBack: 2 });
  });

  it("is the same after a restart", async () => {
    await using hub = await openHub();
    await busy(hub);
    await place(hub);
    await hub.crash();
    expect(await stillness(hub, "a")).toEqual({
      holds: ["h"],
      inFlight: [],
      activitiesHeldBack: 2,
      turnHeldBack: true,
      quiescent: true,
    });
  });
});

describe("what is told of an instance", () => {
  it("is that nothing holds it when it has finished, whatever covers it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [completed()]);
    await holdHub(hub);
    expect(await stillness(hub, "a")).toMatchObject({ holds: [], quiescent: false });
    expect(await stillness(hub, "nobody")).toBeUndefined();
  });

  it("waits until it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    void hold(hub, "a");
    void holdHub(hub, { name: "w" });
    const told = watch(stillness(hub, "a"));
    await hub.settled();
    expect(told.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(told.value).toMatchObject({ holds: ["h", "w"], quiescent: true });
  });

  it("is not that it has stopped while a paced release has let it through", async () => {
    await using hub = await openHub();
    for (const id of ["a", "b"]) await hub.start(id);
    await holdHub(hub);
    await releaseHub(hub, { instancesPerSecond: 1_000, canaries: 1 });
    const worker = hub.worker();
    const turn = await worker.turn();
    await worker.complete(turn);
    const wait = quiescence(hub, turn.instanceId);
    await hub.settled();
    expect(wait.value).toBe("released");
    expect(await stillness(hub, turn.instanceId)).toMatchObject({ holds: [], quiescent: false });
    const other = turn.instanceId === "a" ? "b" : "a";
    expect(await stillness(hub, other)).toMatchObject({ holds: ["h"] });
  });
});

describe("waiting for quiescence of an instance", () => {
  it("ends when the last work is back", async () => {
    await using hub = await openHub();
    const { worker, activity, turn } = await busy(hub);
    await hold(hub, "a");
    const wait = quiescence(hub, "a");
    await worker.complete(turn);
    await hub.settled();
    expect(wait.state).toBe("pending");
    worker.abandon(activity);
    await hub.settled();
    expect(wait.value).toBe("quiescent");
  });

  it("says released at once when nothing holds it, and when the hold goes first", async () => {
    await using hub = await openHub();
    await busy(hub);
    expect(await quiescence(hub, "a").promise).toBe("released");
    await hold(hub, "a");
    await holdTree(hub, "a");
    await holdHub(hub);
    const wait = quiescence(hub, "a");
    await hub.settled();
    await release(hub, "a");
    await releaseHub(hub);
    await hub.settled();
    expect(wait.state).toBe("pending");
    await releaseTree(hub, "a");
    await hub.settled();
    expect(wait.value).toBe("released");
  });

  it("says released when the hold expires", async () => {
    await using hub = await openHub();
    await busy(hub);
    await holdHub(hub, { expiresAt: hub.clock.in(10) });
    const wait = quiescence(hub, "a");
    await hub.pass(10);
    expect(wait.value).toBe("released");
  });

  it("says ended when it finishes, or is purged, and when it had finished", async () => {
    await using hub = await openHub();
    const { worker, turn } = await busy(hub);
    await hold(hub, "a");
    const wait = quiescence(hub, "a");
    await hub.settled();
    await worker.complete(turn, [completed()]);
    await hub.settled();
    expect(wait.value).toBe("ended");
    expect(await quiescence(hub, "a").promise).toBe("ended");
  });

  it("is refused for an instance that does not exist", async () => {
    await using hub = await openHub();
    const wait = quiescence(hub, "nobody");
    await hub.settled();
    expect(wait.error).toMatchObject({ code: "instance-not-found" });
  });

  it("ends with the call, and at shutdown", async () => {
    await using hub = await openHub();
    await busy(hub);
    await hold(hub, "a");
    await holdHub(hub);
    const call = new AbortController();
    const waits = [quiescence(hub, "a", call.signal), windowQuiescence(hub, "h", call.signal)];
    await hub.settled();
    call.abort(new HubError("cancelled", "the caller is gone"));
    await hub.settled();
    expect(waits.map(({ error }) => (error as HubError).code)).toEqual(["cancelled", "cancelled"]);
    expect(hub.hub.stillnesses.waiting).toBe(0);
    const others = [quiescence(hub, "a"), windowQuiescence(hub, "h")];
    await hub.settled();
    await hub.hubs.drain(AbortSignal.abort());
    await hub.settled();
    expect(others.map(({ error }) => (error as HubError).code)).toEqual([
      "unavailable",
      "unavailable",
    ]);
  });
});

it("a hub has a limit on calls that wait for quiescence", async () => {
  await using hub = await openHub();
  const { worker } = await busy(hub);
  await hold(hub, "a");
  const call = new AbortController();
  const calls = Array.from({ length: LIMITS.waitersMax }, () => quiescence(hub, "a", call.signal));
  const refused = quiescence(hub, "a");
  await expect(refused.promise).rejects.toMatchObject({ code: "limit-exceeded" });
  call.abort(new Error("gone"));
  await Promise.allSettled(calls.map(({ promise }) => promise));
  const again = quiescence(hub, "a");
  await worker.close();
  await hub.pass(20_000);
  expect(await again.promise).toBe("quiescent");
});

describe("waiting for quiescence of a window", () => {
  it("ends when nothing that it covers is with a worker", async () => {
    await using hub = await openHub();
    const { worker, activity, turn } = await busy(hub);
    await hub.start("other", { name: "Other" });
    await worker.turn("other");
    await holdHub(hub, { selector: { names: ["Main"] } });
    const wait = windowQuiescence(hub, "h");
    await worker.complete(turn);
    await hub.settled();
    expect(wait.state).toBe("pending");
    await worker.finish(activity);
    await hub.settled();
    expect(wait.value).toBe("quiescent");
  });

  it("waits for the start of the window", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(10) });
    const wait = windowQuiescence(hub, "h");
    await hub.pass(9);
    expect(wait.state).toBe("pending");
    await hub.pass(1);
    expect(wait.value).toBe("quiescent");
  });

  it("says released when the window goes, or begins to", async () => {
    await using hub = await openHub();
    await busy(hub);
    for (const pace of [undefined, { instancesPerSecond: 0.001, canaries: 1 }]) {
      await holdHub(hub);
      const wait = windowQuiescence(hub, "h");
      await hub.settled();
      expect(wait.state).toBe("pending");
      await releaseHub(hub, pace);
      await hub.settled();
      expect(wait.value).toBe("released");
    }
  });

  it("is refused for a name that does not exist, also when a tree has it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await holdTree(hub, "a");
    const wait = windowQuiescence(hub, "h");
    await hub.settled();
    expect(wait.error).toMatchObject({ code: "instance-not-found" });
  });
});

describe("waiting for quiescence of a tree", () => {
  it("waits for all descendants, and says released when its origin ends", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "child")]);
    const turn = await worker.turn("child");
    await holdTree(hub, "root");
    const wait = treeQuiescence(hub, "root");
    await hub.settled();
    expect(wait.state).toBe("pending");
    await worker.complete(turn, [scheduleTask(1)]);
    await hub.settled();
    expect(wait.value).toBe("quiescent");
    await releaseTree(hub, "root");
    await worker.activity("child");
    await holdTree(hub, "root");
    const other = treeQuiescence(hub, "root");
    await hub.settled();
    expect(other.state).toBe("pending");
    await hub.terminate("root");
    await hub.settled();
    expect(other.value).toBe("released");
  });
});

describe("what is told of the hub", () => {
  it("counts no event before it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await holdHub(hub);
    await hub.settled();
    hub.bytes.hold();
    const raised = watch(hub.raise("a", "E"));
    await hub.settled();
    const told = watch(hubFacts(hub));
    await hub.settled();
    expect([raised.state, told.state]).toEqual(["pending", "pending"]);
    hub.bytes.release();
    expect(await told.promise).toMatchObject({ instancesHeldBack: 1, bufferedEvents: 1 });
  });

  it("knows when the oldest event arrived that waits in what is held back", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.start("b");
    await holdHub(hub);
    const oldest = () =>
      hub.hub.stillnesses.ofHub(({ oldestBufferedAt }) => oldestBufferedAt()?.seconds);
    expect(await oldest()).toBeUndefined();
    await hub.pass(5_000);
    const first = hub.clock.now().seconds;
    await hub.raise("b", "E");
    await hub.pass(5_000);
    await hub.raise("a", "E");
    expect(await oldest()).toBe(first);
  });

  it("is each window and tree, what is in flight under it, and what it holds back", async () => {
    await using hub = await openHub();
    const { worker, activity, turn } = await busy(hub);
    await hub.start("b");
    await worker.turn("b");
    await holdTree(hub, "a", { name: "tree" });
    await holdHub(hub, { name: "later", startsAt: hub.clock.in(10) });
    await hub.raise("a", "F", "12345");
    const facts = await hubFacts(hub);
    expect(facts.holds).toEqual([
      { name: "tree", isActive: true, inFlight: 2, instancesHeldBack: 1 },
      { name: "later", isActive: false, inFlight: 3, instancesHeldBack: 0 },
    ]);
    expect(facts).toMatchObject({ inFlight: 3, isQuiescent: false });
    await worker.complete(turn);
    await worker.finish(activity);
    await hub.settled();
    const after = await hubFacts(hub);
    expect(after.holds[0]).toMatchObject({ inFlight: 0, instancesHeldBack: 1 });
    expect(after).toMatchObject({
      inFlight: 1,
      instancesHeldBack: 1,
      activitiesHeldBack: 1,
      bufferedEvents: 1,
    });
    expect(after.bufferedBytes).toBeGreaterThan(5);
  });

  it("is that it has stopped when a window without a selector holds and nothing is out", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await holdHub(hub, { name: "some", selector: { names: ["Main"] } });
    await worker.complete(turn);
    expect((await hubFacts(hub)).isQuiescent).toBe(false);
    await holdHub(hub, { name: "all", startsAt: hub.clock.in(10) });
    expect((await hubFacts(hub)).isQuiescent).toBe(false);
    await hub.pass(10);
    expect((await hubFacts(hub)).isQuiescent).toBe(true);
    await releaseHub(hub, { instancesPerSecond: 1, canaries: 1 }, "all");
    expect((await hubFacts(hub)).isQuiescent).toBe(false);
  });

  it("counts instances whose work is held back over a restart", async () => {
    await using hub = await openHub();
    await holdHub(hub);
    for (let i = 0; i < 20; i += 1) await hub.start(`i${i}`);
    expect(await hubFacts(hub)).toMatchObject({ instancesHeldBack: 20 });
    await hub.crash();
    expect(await hubFacts(hub)).toMatchObject({ instancesHeldBack: 20 });
    await releaseHub(hub);
    await hub.settled();
    expect(await hubFacts(hub)).toMatchObject({ instancesHeldBack: 0, holds: [] });
  });

  it("does not count one that was terminated or purged meanwhile", async () => {
    await using hub = await openHub();
    await holdHub(hub);
    for (const id of ["a", "b"]) await hub.start(id);
    await hub.terminate("a");
    await hub.terminate("b");
    await hub.purge("b");
    expect(await hubFacts(hub)).toMatchObject({ instancesHeldBack: 0 });
  });
});
