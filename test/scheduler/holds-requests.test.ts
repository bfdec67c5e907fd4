/** Repeated requests, limits on what waits, the boot window, and the log of the hub. */
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
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
import { completed, continueAsNew, createTimer, sendEvent } from "../support/worker-actions.ts";

const places = [
  {
    what: "an instance hold",
    place: (hub: TestHub, key: string, name = "h") => hold(hub, "a", { key, name }),
    end: (hub: TestHub) => release(hub, "a"),
  },
  {
    what: "a tree hold",
    place: (hub: TestHub, key: string, name = "h") => holdTree(hub, "a", { key, name }),
    end: (hub: TestHub) => releaseTree(hub, "a"),
  },
  {
    what: "a window",
    place: (hub: TestHub, key: string, name = "h") => holdHub(hub, { key, name }),
    end: (hub: TestHub) => releaseHub(hub),
  },
];

describe.each(places)("a request that places $what", ({ place, end }) => {
  it("and is repeated answers its first result, also when the hold is gone", async () => {
    await using hub = await openHub();
    await hub.start("a");
    expect(await place(hub, "k")).toBe("h placed");
    const written = hub.store.durablePosition;
    expect(await place(hub, "k")).toBe("h placed");
    expect(hub.store.durablePosition).toBe(written);
    expect(await place(hub, "other")).toBe("h was there");
    await end(hub);
    expect(await place(hub, "k")).toBe("h placed");
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("and found it there answers that again, also when it would be placed now", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await place(hub, "first");
    expect(await place(hub, "k")).toBe("h was there");
    await end(hub);
    expect(await place(hub, "k")).toBe("h was there");
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("and is repeated while the first is not durable waits for it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const calls = [place(hub, "k"), place(hub, "k")].map((call) => watch(call));
    await hub.settled();
    expect(calls.map(({ state }) => state)).toEqual(["pending", "pending"]);
    hub.bytes.release();
    await hub.settled();
    expect(calls.map(({ value }) => value)).toEqual(["h placed", "h placed"]);
  });

  it("is remembered over a restart and continue-as-new", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await place(hub, "k");
    await worker.complete(turn, [continueAsNew("2")]);
    await end(hub);
    await hub.crash();
    expect(await place(hub, "k")).toBe("h placed");
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("is remembered among the last 256, and done anew behind them", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const keys = Array.from({ length: LIMITS.rememberedRequestsMax }, (_, i) => `k${i}`);
    for (const key of keys) await place(hub, key);
    expect(await place(hub, "k0")).toBe("h placed");
    await place(hub, "one more");
    expect(await place(hub, "k0")).toBe("h was there");
    // That was another one: it has put out k1.
    expect(await place(hub, "k2", "x")).toBe("h was there");
    expect(await place(hub, "k1", "x")).toBe("x placed");
  });

  it("and is refused is not remembered", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const max = LIMITS.instanceHoldsMax;
    if (place !== places[0]?.place) return;
    for (let i = 0; i < max; i += 1) await place(hub, `k${i}`, `h${i}`);
    await expect(place(hub, "k", "more")).rejects.toMatchObject({ code: "limit-exceeded" });
    await release(hub, "a", { name: "h0" });
    expect(await place(hub, "k", "more")).toBe("more placed");
  });

  it("is forgotten with the life of its instance", async () => {
    await using hub = await openHub();
    if (place === places[2]?.place) return;
    await hub.start("a");
    await place(hub, "k");
    await hub.terminate("a");
    await hub.purge("a");
    await hub.start("a");
    expect(await place(hub, "k")).toBe("h placed");
    expect(await hub.worker().waiting()).toEqual([]);
  });
});

describe("a request that releases", () => {
  it("holds of an instance answers its first result again, also when it holds anew", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hold(hub, "a");
    await hold(hub, "a", { name: "x" });
    const first = await release(hub, "a", { key: "k" });
    expect(first).toBe("released [h] remaining [x]");
    await hold(hub, "a");
    expect(await release(hub, "a", { key: "k" })).toBe(first);
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("windows does so too, and over a restart", async () => {
    await using hub = await openHub();
    await holdHub(hub);
    const first = await releaseHub(hub, undefined, "h", "k");
    await holdHub(hub);
    await hub.crash();
    expect(await releaseHub(hub, undefined, "h", "k")).toBe(first);
    expect(hubHolds(hub)).toEqual(["h"]);
  });

  it("with the key of a request of an instance that has finished is answered", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hold(hub, "a", { key: "k" });
    await worker.complete(turn, [completed()]);
    expect(await hold(hub, "a", { key: "k" })).toBe("h placed");
    await expect(hold(hub, "a", { key: "l" })).rejects.toMatchObject({
      code: "failed-precondition",
    });
  });
});

describe("what waits for an instance", () => {
  const raise = (hub: TestHub, input?: string) =>
    hub.hub.instances.raiseEvent(
      { instanceId: "a", name: "E", input, ignoreFinished: false },
      noReply,
    );

  it("is bounded in events: clients are refused, nobody else, and it ends with the release", async () => {
    const bufferLimits = { eventsMax: 2, bytesMax: 1_000_000 };
    await using hub = await openHub({ started: { bufferLimits } });
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(10))]);
    await hub.start("b");
    await hold(hub, "a");
    await raise(hub);
    await raise(hub);
    const written = hub.store.durablePosition;
    await expect(raise(hub)).rejects.toMatchObject({ code: "limit-exceeded" });
    await expect(hub.raise("a", "F")).rejects.toMatchObject({ code: "limit-exceeded" });
    expect(hub.store.durablePosition).toBe(written);
    await worker.complete(await worker.turn("b"), [sendEvent(1, "a", "FromB")]);
    await hub.pass(10);
    await release(hub, "a");
    const turn = await worker.turn("a");
    expect(newEvents(turn).slice(1)).toEqual([
      "eventRaised E",
      "eventRaised E",
      "eventRaised FromB",
      "timerFired 1",
    ]);
    await expect(raise(hub)).rejects.toMatchObject({ code: "limit-exceeded" });
    await worker.complete(turn);
    await raise(hub);
  });

  it("is bounded in bytes, and over restart and continue-as-new", async () => {
    const bufferLimits = { eventsMax: 1_000, bytesMax: 10_000 };
    await using hub = await openHub({ started: { bufferLimits } });
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await holdHub(hub);
    await raise(hub, "x".repeat(9_000));
    await expect(raise(hub, "x".repeat(9_000))).rejects.toMatchObject({ code: "limit-exceeded" });
    await raise(hub, "x");
    await worker.complete(turn, [continueAsNew("2")]);
    await expect(raise(hub, "x".repeat(9_000))).rejects.toMatchObject({ code: "limit-exceeded" });
    await hub.crash();
    await expect(raise(hub, "x".repeat(9_000))).rejects.toMatchObject({ code: "limit-exceeded" });
    await raise(hub, "x");
    await releaseHub(hub);
    const next = hub.worker();
    await next.complete(await next.turn("a"));
    await raise(hub, "x".repeat(9_000));
  });

  it("is counted from the newest snapshot as from the log", async () => {
    const bufferLimits = { eventsMax: 1_000, bytesMax: 500_000 };
    await using hub = await openHub({ started: { bufferLimits } });
    await hub.start("a");
    await hold(hub, "a");
    for (let i = 0; i < 40; i += 1) await raise(hub, "x".repeat(10_000));
    const facts = () =>
      hub.hub.read("a", ({ bufferedEvents, bufferedBytes }) => ({ bufferedEvents, bufferedBytes }));
    const before = await facts();
    await hub.crash();
    expect(await facts()).toEqual(before);
    expect(before?.bufferedEvents).toBe(40);
  });
});

describe("a sidecar that is started suspended", () => {
  const suspended = { started: { suspended: true } };

  it("holds every hub, also one that is created later, and clients may start instances", async () => {
    await using hub = await openHub(suspended);
    expect(hubHolds(hub)).toEqual([]);
    await hub.start("a");
    expect(hubHolds(hub)).toEqual(["boot"]);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub, undefined, "boot");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("holds hubs that exist, and outlasts a start without it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.crash(suspended);
    expect(hubHolds(hub)).toEqual(["boot"]);
    expect(await hub.worker().waiting()).toEqual([]);
    await hub.crash();
    expect(hubHolds(hub)).toEqual(["boot"]);
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("leaves a hold boot that is there as it is, and places a released one again", async () => {
    await using hub = await openHub(suspended);
    await hub.start("a");
    const placedAt = hub.hub.hubHolds[0]?.hold?.placedAt;
    await hub.crash({ ...suspended, downMs: 5_000 });
    expect(hub.hub.hubHolds[0]?.hold).toMatchObject({ placedAt });
    await releaseHub(hub, undefined, "boot");
    await hub.crash({ started: { suspended: false } });
    expect(hubHolds(hub)).toEqual([]);
    await hub.crash(suspended);
    expect(hubHolds(hub)).toEqual(["boot"]);
  });

  it("makes one full again that is being released", async () => {
    await using hub = await openHub(suspended);
    for (const id of ["a", "b"]) await hub.start(id);
    await releaseHub(hub, { instancesPerSecond: 1_000, canaries: 1 }, "boot");
    await hub.crash(suspended);
    await hub.pass(1_000);
    expect(await hub.worker().waiting()).toEqual([]);
    expect(hubHolds(hub)).toEqual(["boot"]);
  });
});

describe("the log of a hub", () => {
  it("begins generations as it grows, is bounded, and tells everything after a restart", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await holdTree(hub, "a", { name: "tree" });
    await holdHub(hub, { name: "kept", selector: { tags: { a: "1" } }, key: "k" });
    const reason = "x".repeat(LIMITS.reasonBytesMax);
    for (let i = 0; i < 40; i += 1) {
      await holdHub(hub, { name: "filler", reason, freeze: true, selector: { names: ["nobody"] } });
      await releaseHub(hub, undefined, "filler");
    }
    const { generation = 0, freezes, number } = hub.hub.state ?? {};
    expect(generation).toBeGreaterThan(3);
    expect(hubHolds(hub)).toEqual(["tree", "kept"]);
    const entries = await hub.store.readHubLog(number ?? 0n);
    expect(entries.length).toBeLessThan(40);
    expect(entries[0]?.entry.base?.generation).toBe(generation);
    await hub.crash();
    expect(hub.hub.state).toMatchObject({ generation, freezes });
    expect(hubHolds(hub)).toEqual(["tree", "kept"]);
    expect(await holdHub(hub, { name: "kept", key: "k" })).toBe("kept placed");
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await releaseTree(hub, "a", undefined, "tree");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});
