/** Calls that wait for an instance. */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { shownStatus } from "../../sidecar/engine/status.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { Waiters } from "../../sidecar/scheduler/waiters.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, continueAsNew } from "../support/worker-actions.ts";

function waitForStart(hub: TestHub, id: string) {
  const { signal } = new AbortController();
  const hasStarted = (state: Parameters<typeof shownStatus>[0]) =>
    shownStatus(state) !== OrchestrationStatus.PENDING;
  return watch(hub.hub.wait(id, hasStarted, shownStatus, signal));
}

describe("a wait", () => {
  it("for an instance that has finished returns at once", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    const waiting = watch(hub.waitForEnd("a"));
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("for the start returns when the first turn is committed, not when it is handed out", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const waiting = waitForStart(hub, "a");
    const turn = await worker.turn("a");
    expect(waiting.state).toBe("pending");
    await worker.complete(turn, [], { customStatus: "started" });
    await hub.settled();
    expect(waiting.value).toBe(OrchestrationStatus.RUNNING);
  });

  it("for the start of a suspended instance returns", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = waitForStart(hub, "a");
    await hub.suspend("a");
    await hub.settled();
    expect(waiting.value).toBe(OrchestrationStatus.SUSPENDED);
  });

  it("for an unknown instance waits until it was created and has ended", async () => {
    await using hub = await openHub();
    const waiting = watch(hub.waitForEnd("a"));
    await hub.settled();
    expect(waiting.state).toBe("pending");
    await hub.start("a");
    await hub.settled();
    expect(waiting.state).toBe("pending");
    await hub.terminate("a");
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("goes on over a new generation and a new life", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const waiting = watch(hub.waitForEnd("a"));
    await worker.complete(await worker.turn("a"), [continueAsNew("1")]);
    await worker.turn("a");
    const policy = {
      replaceableStatus: [OrchestrationStatus.RUNNING, OrchestrationStatus.TERMINATED],
      legacyAction: 0,
    };
    await hub.start("a", { policy });
    await hub.settled();
    expect(waiting.state).toBe("pending");
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("misses nothing that happens between its subscription and its read", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await hub.start("a");
    await hub.settled();
    // The read has to go to the disk, which takes a while.
    const worker = hub.worker();
    const turn = await worker.turn("a");
    hub.bytes.hold();
    const end = worker.complete(turn, [completed()]);
    const waiting = watch(hub.waitForEnd("a"));
    hub.bytes.release();
    await end;
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("ends when the instance is purged", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    const waiting = watch(
      hub.hub.wait("a", () => false, shownStatus, new AbortController().signal),
    );
    await hub.settled();
    await hub.purge("a");
    await hub.settled();
    expect(waiting).toMatchObject({ state: "failed", error: { code: "instance-not-found" } });
  });

  it("ends when the hub is deleted, also one for an unknown instance", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = [watch(hub.waitForEnd("a")), watch(hub.waitForEnd("unknown"))];
    await hub.settled();
    await hub.hub.delete();
    await hub.settled();
    for (const each of waiting) {
      expect(each).toMatchObject({ state: "failed", error: { code: "instance-not-found" } });
    }
  });

  it("that begins behind the deletion of the hub is not ended by it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const deletion = hub.hub.delete();
    const start = hub.start("a");
    await hub.settled();
    const waiting = watch(hub.waitForEnd("a"));
    hub.bytes.release();
    await Promise.all([deletion, start]);
    await hub.settled();
    expect(waiting.state).toBe("pending");
    await hub.terminate("a");
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("ends with its call, and leaves nothing behind", async () => {
    await using hub = await openHub();
    const call = new AbortController();
    const { hub: unused } = hub;
    const waiting = watch(hub.waitForEnd("a", call.signal));
    await hub.settled();
    expect(unused.inUse).toBe(true);
    call.abort(new Error("the caller is gone"));
    await hub.settled();
    expect(waiting).toMatchObject({ state: "failed", error: { message: "the caller is gone" } });
    expect(unused.inUse).toBe(false);
  });

  it("of a call that is over already ends at once", async () => {
    await using hub = await openHub();
    const waiting = watch(hub.waitForEnd("a", AbortSignal.abort(new Error("over"))));
    await hub.settled();
    expect(waiting).toMatchObject({ state: "failed", error: { message: "over" } });
  });

  it("ends when the process shuts down", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = watch(hub.waitForEnd("a"));
    await hub.settled();
    await hub.hubs.drain(new AbortController().signal);
    await hub.settled();
    expect(waiting).toMatchObject({ state: "failed", error: { code: "unavailable" } });
  });

  it("wakes all who wait for one instance, and nobody else", async () => {
    await using hub = await openHub();
    for (const id of ["a", "b"]) await hub.start(id);
    const waiting = ["a", "a", "a", "b"].map((id) => watch(hub.waitForEnd(id)));
    await hub.terminate("a");
    await hub.settled();
    expect(waiting.map(({ state }) => state)).toEqual(["done", "done", "done", "pending"]);
  });
});

describe("waiters", () => {
  it(`are ${LIMITS.waitersMax} at most, and one that leaves makes room`, () => {
    const waiters = new Waiters();
    const subscriptions = Array.from({ length: LIMITS.waitersMax }, (_, at) =>
      waiters.subscribe(`a${at % 10}`, () => true),
    );
    expect(() => waiters.subscribe("a", () => true)).toThrow(
      expect.objectContaining({ code: "limit-exceeded" }),
    );
    subscriptions[0]?.[Symbol.dispose]();
    subscriptions[0]?.[Symbol.dispose]();
    waiters.subscribe("a", () => true);
    expect(() => waiters.subscribe("a", () => true)).toThrow();
    expect(waiters.count).toBe(LIMITS.waitersMax);
  });

  it("hear of a change that came while they were busy", async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    using subscription = waiters.subscribe("a", () => true);
    waiters.notify("a", undefined);
    waiters.notify("a", undefined);
    await subscription.next(signal);
    const next = watch(subscription.next(signal));
    await Promise.resolve();
    expect(next.state).toBe("pending");
    waiters.notify("a", undefined);
    await next.promise;
  });

  it("sleep through changes that are of no interest", async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    let isInteresting = false;
    using subscription = waiters.subscribe("a", () => isInteresting);
    waiters.notify("a", undefined);
    const next = watch(subscription.next(signal));
    await Promise.resolve();
    expect(next.state).toBe("pending");
    isInteresting = true;
    waiters.notify("a", undefined);
    await next.promise;
  });

  it("that watch sleep through commits in which nothing visible changes", async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    using watcher = waiters.watch("a");
    const next = watch(watcher.next(signal));
    waiters.notify("a", undefined);
    await nextLoopTurn();
    expect(next.state).toBe("pending");
    waiters.changed("a");
    await nextLoopTurn();
    expect(next.state).toBe("pending");
    waiters.notify("a", undefined);
    await next.promise;
  });

  it("wake a few in each turn of the loop, each once, whatever they wait for", async () => {
    const waiters = new Waiters();
    const instanceIds = Array.from({ length: 100 }, (_, at) => `a${at}`);
    let woken = 0;
    for (const instanceId of instanceIds) {
      for (let at = 0; at < 100; at += 1) {
        const watcher = waiters.watch(instanceId);
        // A signal of its own, as each call has.
        void watcher.next(new AbortController().signal).then(() => {
          woken += 1;
          watcher.looked = watcher.changes;
        });
      }
      waiters.changed(instanceId);
    }
    // As one group of commits does, twice.
    for (const instanceId of [...instanceIds, ...instanceIds]) {
      waiters.notify(instanceId, undefined);
    }
    const inOneTurn: number[] = [];
    for (let before = 0; before < 10_000; before = woken) {
      await nextLoopTurn();
      inOneTurn.push(woken - before);
    }
    expect(Math.max(...inOneTurn)).toBeLessThanOrEqual(256);
    expect(inOneTurn.length).toBeGreaterThan(38);
    expect(woken).toBe(10_000);
  });
});
