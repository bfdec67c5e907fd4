/** What a new process finds: everything that was acknowledged goes on, and nothing else. */
import { describe, expect, it } from "vitest";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, continueAsNew, createTimer, scheduleTask } from "../support/worker-actions.ts";
import { readyIds } from "./kit/stored-instances.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

/** Instances in all conditions, by id. */
async function populate(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  for (const id of ["queued", "suspended", "inFlight", "delayed", "terminating"]) {
    await hub.start(id);
  }
  await hub.suspend("suspended");
  await hub.terminate("terminating");
  worker.abandon(await worker.turn("delayed"));
  for (const id of ["activities", "held", "idle", "timer", "done"]) await hub.start(id);
  for (const id of ["activities", "held"]) {
    await worker.complete(await worker.turn(id), [scheduleTask(1), scheduleTask(2)]);
  }
  await worker.finish(await worker.activity("activities", 1), "one");
  await worker.turn("activities");
  await hub.suspend("held");
  await worker.complete(await worker.turn("idle"));
  await worker.complete(await worker.turn("timer"), [createTimer(1, hub.clock.in(5_000))]);
  await worker.complete(await worker.turn("done"), [completed()]);
  await hub.settled();
}

describe.each([
  ["a store in memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("after a crash, with %s", (_name, newDisk) => {
  it("what was queued or with workers goes on, and what waits stays silent", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await populate(hub);
    await hub.crash();
    const worker = hub.worker();
    expect((await worker.waiting()).toSorted()).toEqual([
      "activity activities 2",
      "turn activities",
      "turn delayed",
      "turn inFlight",
      "turn queued",
    ]);
    expect(newEvents(await worker.turn("activities")).slice(1)).toEqual(["taskCompleted 1"]);
    expect(await hub.status("held")).toBe("SUSPENDED");
    expect(await hub.status("suspended")).toBe("SUSPENDED");
    expect(await hub.status("terminating")).toBe("TERMINATED");
    expect(await hub.status("done")).toBe("COMPLETED");
  });

  it("suspended instances go on when they are resumed", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await populate(hub);
    await hub.crash();
    const filters = { orchestrations: [{ name: "Main" }], activities: [{ name: "Work" }] };
    const worker = hub.worker({ filters });
    await worker.turn("queued");
    for (const id of ["held", "suspended"]) await hub.resume(id);
    const items = await worker.waiting();
    expect(items.filter((item) => /held|suspended/.test(item)).toSorted()).toEqual([
      "activity held 1",
      "activity held 2",
      "turn suspended",
    ]);
  });

  it("timers fire", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await populate(hub);
    await hub.crash();
    const worker = hub.worker();
    await hub.pass(4_999);
    expect(await worker.waiting()).not.toContain("turn timer");
    await hub.pass(1);
    expect(await worker.waiting()).toContain("turn timer");
  });

  it("states are what they were", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await populate(hub);
    const ids = ["queued", "suspended", "activities", "held", "idle", "timer", "done"];
    const before = await Promise.all(ids.map((id) => hub.live(id)));
    await hub.crash();
    expect(await Promise.all(ids.map((id) => hub.live(id)))).toEqual(before);
  });

  it("ready rows are there exactly for what is ready", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await populate(hub);
    const ready = ["activities", "delayed", "inFlight", "queued"];
    expect(await readyIds(hub.store)).toEqual([...ready, "terminating"]);
    await hub.crash();
    expect(await readyIds(hub.store)).toEqual(ready);
  });
});

describe("a termination that waits for a turn", () => {
  it("is finished after a crash, without a worker", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.turn("a");
    await hub.terminate("a", "output");
    expect(await readyIds(hub.store)).toEqual(["a"]);
    await hub.crash();
    expect(await hub.status("a")).toBe("TERMINATED");
    expect(await readyIds(hub.store)).toEqual([]);
  });

  it("is finished after a crash also when the instance is suspended", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.turn("a");
    await hub.suspend("a");
    await hub.terminate("a");
    await hub.crash();
    expect(await hub.status("a")).toBe("TERMINATED");
  });
});

describe("recovery", () => {
  it("takes up more instances than one page", async () => {
    await using hub = await openHub();
    const ids = Array.from({ length: 1_100 }, (_, at) => `a${at}`);
    await Promise.all(ids.map((id) => hub.start(id)));
    await hub.crash();
    const worker = hub.worker({ turns: 10_000 });
    expect(await worker.waiting()).toHaveLength(ids.length);
  });

  it("goes on beside new calls and hands nothing out twice", async () => {
    await using hub = await openHub();
    for (const id of ["a", "b"]) await hub.start(id);
    await hub.crash({ recovers: false });
    const worker = hub.worker();
    const calls = [hub.raise("a", "E"), hub.hubs.recover(), hub.start("c"), hub.suspend("b")];
    await Promise.all(calls);
    const items = await worker.waiting();
    expect(items.toSorted()).toEqual(["turn a", "turn c"]);
  });

  it("hands nothing out of an instance that nobody asks for before it runs", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.crash({ recovers: false });
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await hub.hubs.recover();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("finds timers that were created before it ran", async () => {
    await using hub = await openHub();
    await hub.crash({ recovers: false });
    await hub.start("a", { at: hub.clock.in(1_000) });
    await hub.hubs.recover();
    await hub.pass(1_000);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("uses no storage number again", async () => {
    await using hub = await openHub();
    const numbers = new Set<bigint | undefined>();
    for (let life = 0; life < 5; life += 1) {
      await hub.start("a");
      numbers.add(await hub.hub.read("a", (state) => state.number));
      await hub.terminate("a");
      await hub.purge("a");
      await hub.crash();
    }
    expect(numbers.size).toBe(5);
  });

  it("finds the newest generation", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { input: "0" });
    await worker.complete(await worker.turn("a"), [scheduleTask(1), continueAsNew("1")]);
    await hub.settled();
    const before = await hub.live("a");
    await hub.crash();
    expect(await hub.live("a")).toEqual(before);
    expect((await hub.worker().waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });
});
