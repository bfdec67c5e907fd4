/** Maintenance windows: what they cover and when, whom they refuse, what they cost. */
import { describe, expect, it } from "vitest";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ExpiryAction } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { hold, holdHub, hubHolds, release, releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, continueAsNew, scheduleTask, startChild } from "../support/worker-actions.ts";

describe("a window with a selector", () => {
  it("holds what it matches and nothing else", async () => {
    await using hub = await openHub();
    await holdHub(hub, { selector: { names: ["Order"], versions: ["2"] } });
    await hub.start("a", { name: "Order", version: "2" });
    await hub.start("b", { name: "Order", version: "1" });
    await hub.start("c", { name: "Mail", version: "2" });
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn b", "turn c"]);
    await releaseHub(hub);
    expect(await worker.waiting()).toEqual(["turn b", "turn c", "turn a"]);
  });

  it("does not touch the instances: reads show PENDING and RUNNING", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"));
    await holdHub(hub);
    await hub.start("b");
    expect([await hub.status("a"), await hub.status("b")]).toEqual(["RUNNING", "PENDING"]);
    expect(await hub.history("a")).toHaveLength(2);
  });

  it("lets go of an instance that continues with another version, activities included", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a", { version: "1" });
    await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    const first = await worker.activity("a", 1);
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await holdHub(hub, { selector: { versions: ["1"] } });
    await worker.finish(first);
    expect(await worker.waiting()).toEqual([]);
    const [action] = [continueAsNew("2")];
    if (action?.orchestratorActionType.case === "completeOrchestration") {
      action.orchestratorActionType.value.newVersion = "2";
    }
    await worker.complete(turn, action === undefined ? [] : [action]);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("is replaced by one that covers something else: what it let go goes on", async () => {
    await using hub = await openHub();
    await hub.start("a", { name: "Order" });
    await hub.start("b", { name: "Mail" });
    await holdHub(hub, { selector: { names: ["Order"] } });
    const worker = hub.worker();
    await worker.complete(await worker.turn("b"));
    await hub.raise("b", "E");
    await worker.turn("b");
    await holdHub(hub, { selector: { names: ["Mail"] }, replace: true });
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(hubHolds(hub)).toEqual(["h"]);
  });
});

describe("a window with a start", () => {
  it("holds from that instant on, not before, and what is queued then as well", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(10) });
    const worker = hub.worker({ turns: 1 });
    for (const id of ["a", "b", "c"]) await hub.start(id);
    await worker.complete(await worker.turn("a"));
    await hub.pass(9);
    const turn = await worker.turn("b");
    await hub.pass(1);
    await worker.complete(turn);
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub);
    expect(await worker.waiting()).toEqual(["turn c"]);
  });

  it("that has passed holds at once", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(-1) });
    await hub.start("a");
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("that is released before never holds", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(10) });
    expect(await releaseHub(hub)).toBe("released [h] remaining []");
    await hub.pass(10);
    await hub.start("a");
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("that is released with a pace before never holds", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(10) });
    await releaseHub(hub, { instancesPerSecond: 1 });
    await hub.settled();
    await hub.pass(10);
    for (const id of ["a", "b", "c"]) await hub.start(id);
    expect(await hub.worker().waiting()).toHaveLength(3);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("begins and expires over a restart, late rather than never", async () => {
    await using hub = await openHub();
    await holdHub(hub, { startsAt: hub.clock.in(10), expiresAt: hub.clock.in(20) });
    await hub.start("a");
    await hub.crash();
    await hub.pass(10);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await hub.kill();
    hub.clock.advance(60_000);
    await hub.crash();
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
    expect(hubHolds(hub)).toEqual([]);
  });
});

describe("a window that expires", () => {
  it("releases itself alone, at its instant", async () => {
    await using hub = await openHub();
    await holdHub(hub, { name: "x", expiresAt: hub.clock.in(10), selector: { names: ["X"] } });
    await holdHub(hub, { name: "y", expiresAt: hub.clock.in(20) });
    await hub.start("a", { name: "X" });
    const worker = hub.worker();
    await hub.pass(10);
    expect(hubHolds(hub)).toEqual(["y"]);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(9);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("with KEEP goes on holding", async () => {
    await using hub = await openHub();
    await holdHub(hub, { expiresAt: hub.clock.in(10), expiry: ExpiryAction.KEEP });
    await hub.start("a");
    await hub.pass(60_000);
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("at once when its time has passed", async () => {
    await using hub = await openHub();
    await holdHub(hub, { expiresAt: hub.clock.in(-10) });
    await hub.settled();
    expect(hubHolds(hub)).toEqual([]);
  });

  it("hands nothing out before that is durable", async () => {
    await using hub = await openHub();
    await holdHub(hub, { expiresAt: hub.clock.in(10) });
    await hub.start("a");
    const worker = hub.worker();
    hub.bytes.hold();
    await hub.pass(10);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

describe("a window that refuses starts", () => {
  const refusal = { code: "unavailable", message: expect.stringMatching(/"w".*because of this/) };
  const place = (hub: TestHub) =>
    holdHub(hub, { name: "w", refusesStarts: true, selector: { names: ["Order"] }, reason });
  const reason = "because of this";

  it("refuses a match, names itself, and nothing changes", async () => {
    await using hub = await openHub();
    await place(hub);
    const written = hub.store.durablePosition;
    await expect(hub.start("a", { name: "Order" })).rejects.toMatchObject(refusal);
    expect(hub.store.durablePosition).toBe(written);
    expect(await hub.status("a")).toBeUndefined();
    await hub.start("b", { name: "Mail" });
    await releaseHub(hub, undefined, "w");
    await hub.start("a", { name: "Order" });
  });

  it("accepts children, and holds them", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { name: "Mail" });
    await place(hub);
    await worker.complete(await worker.turn("a"), [startChild(1, "child", "Order")]);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("child")).toBe("PENDING");
  });

  it("refuses before its start and in a paced release no more", async () => {
    await using hub = await openHub();
    const startsAt = hub.clock.in(10);
    await holdHub(hub, { refusesStarts: true, startsAt });
    await hub.start("a");
    await hub.pass(10);
    await expect(hub.start("b")).rejects.toMatchObject({ code: "unavailable" });
    await releaseHub(hub, { canaries: 1, instancesPerSecond: 1 });
    await hub.start("b");
  });

  it("refuses to replace an instance, whatever the policy allows", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { name: "Order" });
    await worker.complete(await worker.turn("a"), [completed()]);
    await place(hub);
    const policy = { replaceableStatus: [OrchestrationStatus.COMPLETED], legacyAction: 0 };
    await expect(hub.start("a", { name: "Order", policy })).rejects.toMatchObject(refusal);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("does so after a restart", async () => {
    await using hub = await openHub();
    await place(hub);
    await hub.crash();
    await expect(hub.start("a", { name: "Order" })).rejects.toMatchObject(refusal);
  });

  it("answers only when the window that refuses is durable", async () => {
    await using hub = await openHub();
    await hub.hub.create();
    hub.bytes.hold();
    void place(hub);
    const start = watch(hub.start("a", { name: "Order" }));
    await hub.settled();
    expect(start.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(start.state).toBe("failed");
  });
});

describe("what a window costs", () => {
  it("is one commit of the same size whatever the number of instances", async () => {
    const costs = [];
    for (const instances of [1, 300]) {
      await using hub = await openHub();
      const worker = hub.worker();
      for (let i = 0; i < instances; i += 1) await hub.start(`i${i}`);
      await worker.waiting();
      costs.push([
        await appendsDuring(hub, () => holdHub(hub)),
        await appendsDuring(hub, () => releaseHub(hub)),
      ]);
    }
    expect(costs[0]?.map(({ commits }) => commits)).toEqual([1, 1]);
    expect(costs[1]).toEqual(costs[0]);
  });
});

describe("releasing windows", () => {
  it("of all names ends all of them, and holds of instances stay", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hold(hub, "a");
    await holdHub(hub, { name: "x" });
    await holdHub(hub, { name: "y", startsAt: hub.clock.in(10) });
    expect(await releaseHub(hub, undefined, "all")).toBe("released [x,y] remaining []");
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await release(hub, "a");
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(await releaseHub(hub, undefined, "all")).toBe("released [] remaining []");
  });

  it("of an unknown name is refused and changes nothing, also in a hub that does not exist", async () => {
    await using hub = await openHub();
    for (const exists of [false, true]) {
      if (exists) await holdHub(hub, { name: "other" });
      const written = hub.store.durablePosition;
      await expect(releaseHub(hub)).rejects.toMatchObject({ code: "instance-not-found" });
      expect(hub.store.durablePosition).toBe(written);
      expect(hub.hub.number !== undefined).toBe(exists);
    }
    expect(await releaseHub(hub, undefined, "all")).toBe("released [other] remaining []");
  });
});

it("what a window holds back is not looked at again because another one is placed", async () => {
  await using hub = await openHub({ idleHeadBytesMax: 0 });
  await holdHub(hub);
  for (let each = 0; each < 50; each += 1) await hub.start(`i${each}`);
  const reads = async (call: () => Promise<unknown>) => {
    await hub.settled();
    const before = hub.bytes.calls;
    await call();
    await hub.settled();
    return hub.bytes.calls - before;
  };
  expect(await reads(() => holdHub(hub, { name: "other" }))).toBeLessThan(10);
  expect(await reads(() => releaseHub(hub))).toBeGreaterThan(50);
  const worker = hub.worker();
  expect(await worker.waiting()).toEqual([]);
  await releaseHub(hub, undefined, "other");
  expect(await worker.waiting()).toHaveLength(50);
});

/** Commits, appends and bytes that a call writes. */
async function appendsDuring(hub: TestHub, call: () => Promise<unknown>) {
  const { store } = hub;
  const { append } = store;
  const cost = { commits: 0, appends: 0, index: 0 };
  store.append = (commit) => {
    cost.commits += 1;
    cost.appends += commit.appends.length;
    cost.index += commit.index.length;
    return append.call(store, commit);
  };
  try {
    await call();
    await hub.settled();
  } finally {
    store.append = append;
  }
  return cost;
}
