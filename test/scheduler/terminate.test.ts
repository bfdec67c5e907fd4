/** Termination: the sidecar finishes it itself, at once or right behind the turn in flight. */
import { describe, expect, it } from "vitest";
import { MINUTE, openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker } from "../support/worker.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  scheduleTask,
  startChild,
} from "../support/worker-actions.ts";

async function outputOf(hub: TestHub, instanceId: string): Promise<string | undefined> {
  for (const { eventType: type } of await hub.history(instanceId)) {
    if (type.case === "executionCompleted") return type.value.result;
  }
  return undefined;
}

describe("a terminate", () => {
  it("ends an instance that never ran, without a worker", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a", '"output"');
    expect(await hub.status("a")).toBe("TERMINATED");
    expect((await hub.history("a")).map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionTerminated",
      "executionCompleted",
    ]);
    expect(await outputOf(hub, "a")).toBe('"output"');
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("removes queued activities, timers and their index rows", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [
      scheduleTask(1),
      scheduleTask(2),
      createTimer(3, hub.clock.in(MINUTE)),
    ]);
    const activity = await worker.activity("a", 1);
    await hub.terminate("a");
    expect(await worker.waiting()).toEqual([]);
    await worker.finish(activity, "late");
    await hub.pass(2 * MINUTE);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("waits for the turn in flight, which commits first", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.terminate("a", "output");
    expect(await hub.status("a")).toBe("PENDING");
    await worker.complete(turn, [scheduleTask(1)]);
    expect(await hub.status("a")).toBe("TERMINATED");
    expect((await hub.history("a")).map(({ eventType }) => eventType.case)).toContain(
      "taskScheduled",
    );
    expect(await worker.waiting()).toEqual([]);
  });

  it("is dropped when the turn in flight completes the instance", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.terminate("a");
    await worker.complete(turn, [completed("result")]);
    expect(await hub.status("a")).toBe("COMPLETED");
    expect(await outputOf(hub, "a")).toBe("result");
  });

  it("ends the next generation when the turn in flight continues as new", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.terminate("a", "output");
    await worker.complete(turn, [continueAsNew("next")]);
    expect(await hub.status("a")).toBe("TERMINATED");
    expect(await worker.waiting()).toEqual([]);
  });

  const losses: readonly {
    readonly how: string;
    readonly lose: (hub: TestHub, worker: ScriptedWorker) => Promise<void>;
  }[] = [
    {
      how: "is given back",
      lose: async (hub, worker) => {
        worker.abandon(await worker.turn("a"));
        await hub.settled();
      },
    },
    {
      how: "expires",
      lose: async (hub, worker) => {
        await worker.turn("a");
        await hub.pass(5 * MINUTE);
      },
    },
    {
      how: "loses its stream",
      lose: async (hub, worker) => {
        await worker.turn("a");
        await worker.close();
        await hub.pass(10_000);
      },
    },
    {
      how: "needs its history",
      lose: async (_hub, worker) => {
        await worker.complete(await worker.turn("a"), [], { requiresHistory: true });
      },
    },
  ];

  it.each(losses)("ends the instance when the turn in flight $how", async ({ lose }) => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await hub.settled();
    await hub.terminate("a", "output");
    expect(await hub.status("a")).toBe("PENDING");
    await lose(hub, worker);
    await hub.settled();
    expect(await hub.status("a")).toBe("TERMINATED");
  });

  it("ends an instance whose turn waits to come back", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn("a"));
    await hub.terminate("a");
    expect(await hub.status("a")).toBe("TERMINATED");
    await hub.pass(MINUTE);
    expect(await worker.waiting()).toEqual([]);
  });

  it("makes the token of the turn stale", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.close();
    await hub.terminate("a", "output");
    await hub.pass(10_000);
    await worker.complete(turn, [completed("late")]);
    expect(await outputOf(hub, "a")).toBe("output");
  });

  it("has the output of the first one while it waits", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.terminate("a", "first");
    await hub.terminate("a", "second");
    await worker.complete(turn);
    expect(await outputOf(hub, "a")).toBe("first");
  });

  it("wakes who waits for the end", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = watch(hub.waitForEnd("a"));
    await hub.terminate("a");
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("tells the parent", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
    await hub.settled();
    await hub.terminate("child", "output");
    expect(newEvents(await worker.turn("parent"))).toEqual([
      "orchestratorStarted",
      "subOrchestrationInstanceFailed 1",
    ]);
  });
});

describe("a recursive terminate", () => {
  /** A tree of three generations; the turns of the leaves are with the worker. */
  async function plant(hub: TestHub, worker: ScriptedWorker): Promise<void> {
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [
      startChild(1, "left"),
      startChild(2, "right"),
    ]);
    await worker.complete(await worker.turn("left"), [startChild(1, "leaf")]);
    await worker.complete(await worker.turn("right"), [completed()]);
    await hub.settled();
  }

  it("reaches children and their children, behind the turns in flight", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await plant(hub, worker);
    const root = await worker.turn("root");
    const leaf = await worker.turn("leaf");
    await hub.terminate("root", "output", true);
    expect(await hub.status("left")).toBe("RUNNING");
    await worker.complete(root, [startChild(3, "late")]);
    await hub.settled();
    const ids = ["root", "left", "right", "leaf", "late"];
    expect(await Promise.all(ids.map((id) => hub.status(id)))).toEqual([
      "TERMINATED",
      "TERMINATED",
      "COMPLETED",
      "PENDING",
      "TERMINATED",
    ]);
    await worker.complete(leaf, [scheduleTask(1)]);
    expect(await hub.status("leaf")).toBe("TERMINATED");
    expect(await outputOf(hub, "leaf")).toBe("output");
    expect(await worker.waiting()).toEqual([]);
  });

  it("reaches children that are not in memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    const other = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "left")]);
    await other.complete(await other.turn("left"), [startChild(1, "leaf")]);
    await other.complete(await other.turn("leaf"));
    await hub.settled();
    await hub.terminate("root", "output", true);
    await hub.settled();
    expect(await hub.status("left")).toBe("TERMINATED");
    expect(await hub.status("leaf")).toBe("TERMINATED");
  });

  it.each([1, 2, 3])("goes on after a crash behind %i commits of it", async (commits) => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await plant(hub, worker);
    await hub.crash();
    await hub.settled();
    hub.bytes.hold(commits);
    void hub.terminate("root", "output", true);
    await hub.settled();
    await hub.crash();
    const ids = ["root", "left", "leaf"];
    expect(await Promise.all(ids.map((id) => hub.status(id)))).toEqual(ids.map(() => "TERMINATED"));
  });

  it("leaves children alone when it is not recursive", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await plant(hub, worker);
    await hub.crash();
    await hub.terminate("root", "output");
    await hub.settled();
    expect(await hub.status("left")).toBe("RUNNING");
  });
});
