/** Termination at once, whatever a worker has of the instance. */
import { describe, expect, it } from "vitest";
import { holdTree, hubHolds } from "../support/hold-calls.ts";
import { MINUTE, openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, createTimer, scheduleTask, startChild } from "../support/worker-actions.ts";

const end = (hub: TestHub, ids: readonly string[], reason?: string) =>
  hub.hub.instances.skipGracefulTerminations(ids, reason);

async function kindsOf(hub: TestHub, instanceId: string): Promise<(string | undefined)[]> {
  return (await hub.history(instanceId)).map(({ eventType }) => eventType.case);
}

async function outputOf(hub: TestHub, instanceId: string): Promise<string | undefined> {
  for (const { eventType: type } of await hub.history(instanceId)) {
    if (type.case === "executionCompleted") return type.value.result;
  }
  return undefined;
}

describe("a termination that waits for nobody", () => {
  it("makes the token of the turn in flight void, with its parts, and gives its credit back", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.complete(turn, [scheduleTask(1)], { isPartial: true });
    expect(await end(hub, ["a"], "now")).toEqual([]);
    expect(await hub.status("a")).toBe("TERMINATED");
    const before = await hub.stored("a");
    await worker.complete(turn, [completed("late")], { chunkIndex: 1 });
    worker.abandon(turn);
    await hub.pass(5 * MINUTE);
    expect(await hub.stored("a")).toEqual(before);
    await hub.start("b");
    expect(await worker.waiting()).toEqual(["turn b"]);
    await hub.crash();
    expect(await hub.stored("a")).toEqual(before);
    expect(await outputOf(hub, "a")).toBe("now");
  });

  it.each([
    ["is queued", async () => {}],
    [
      "waits to come back",
      async (hub: TestHub) => {
        const worker = hub.worker();
        worker.abandon(await worker.turn("a"));
        await worker.close();
        await hub.settled();
      },
    ],
    [
      "has lost its worker",
      async (hub: TestHub) => {
        const worker = hub.worker();
        await worker.turn("a");
        await worker.close();
      },
    ],
  ])("ends an instance whose turn %s, and the turn never comes", async (_, prepare) => {
    await using hub = await openHub();
    await hub.start("a");
    await prepare(hub);
    expect(await end(hub, ["a"])).toEqual([]);
    await hub.pass(MINUTE);
    expect(await hub.worker().waiting()).toEqual([]);
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
  });

  it("removes queued activities, timers and holds, and drops what is still running", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [
      scheduleTask(1),
      scheduleTask(2),
      createTimer(3, hub.clock.in(MINUTE)),
    ]);
    const activity = await worker.activity("a", 1);
    await hub.suspend("a");
    expect(await end(hub, ["a"])).toEqual([]);
    await worker.finish(activity, "late");
    await hub.pass(2 * MINUTE);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("is told when it is durable, also that there was nothing to end", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.settled();
    hub.bytes.hold();
    const first = watch(end(hub, ["a"]));
    await hub.settled();
    const second = watch(end(hub, ["a"]));
    await hub.settled();
    expect([first.state, second.state]).toEqual(["pending", "pending"]);
    hub.bytes.release();
    expect([await first.promise, await second.promise]).toEqual([[], ["a"]]);
  });

  it("that is not durable when the power goes has not been, and the turn comes back", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.turn("a");
    hub.bytes.hold();
    void end(hub, ["a"]);
    await hub.settled();
    await hub.crash();
    expect(await hub.status("a")).toBe("PENDING");
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("tells the parent and wakes who waits, and leaves children alone", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "c"), startChild(2, "d")]);
    await hub.settled();
    const waiting = watch(hub.waitForEnd("c"));
    await end(hub, ["c"], "why");
    await hub.settled();
    expect(waiting.state).toBe("done");
    const turn = await worker.turn("parent");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "subOrchestrationInstanceFailed 1"]);
    await end(hub, ["parent"]);
    await hub.settled();
    expect(await hub.status("d")).toBe("PENDING");
  });

  it("carries out a recursive termination that waited for the turn, with an output of its own", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("p");
    await worker.complete(await worker.turn("p"), [startChild(1, "c")]);
    await hub.raise("p", "E");
    const turn = await worker.turn("p");
    await hub.terminate("p", "gracefully", true);
    expect(await hub.status("p")).toBe("RUNNING");
    expect(await end(hub, ["p"], "at once")).toEqual([]);
    await worker.complete(turn, [completed("late")]);
    await hub.settled();
    expect([await hub.status("p"), await hub.status("c")]).toEqual(["TERMINATED", "TERMINATED"]);
    expect(await outputOf(hub, "p")).toBe("at once");
    expect(await outputOf(hub, "c")).toBe("gracefully");
    const kinds = (await kindsOf(hub, "p")).filter((kind) => kind === "executionTerminated");
    expect(kinds).toHaveLength(1);
  });

  it("ends the tree hold of which it is the origin, and what that held goes on", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [startChild(1, "c")]);
    await hub.settled();
    await worker.complete(await worker.turn("c"));
    await holdTree(hub, "a");
    await hub.raise("c", "E");
    expect(await worker.waiting()).toEqual([]);
    await end(hub, ["a"]);
    expect(hubHolds(hub)).toEqual([]);
    expect(await worker.waiting()).toEqual(["turn c"]);
  });
});
