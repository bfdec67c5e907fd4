/** Cold instances: what is loaded from the disk is what was in memory. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, createTimer, scheduleTask, startChild } from "../support/worker-actions.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

const LARGE = "x".repeat(3 * LIMITS.snapshotInlineBytesMax);

async function snapshotSequence(hub: TestHub, id: string): Promise<bigint | undefined> {
  const life = await hub.hub.read(id, ({ number, generation }) => ({ number, generation }));
  const snapshot = life && (await hub.store.readSnapshot(life.number, life.generation));
  return snapshot?.sequence;
}

/** Everything that a state can refer to, with payloads small and large, behind a long history. */
async function grow(hub: TestHub): Promise<void> {
  const worker = hub.worker({ activities: 2 });
  await hub.start("a", { input: LARGE });
  await worker.complete(await worker.turn("a"), [
    scheduleTask(1, "Work", { input: LARGE }),
    scheduleTask(2, "Work", { input: "small" }),
    createTimer(3, hub.clock.in(60_000)),
    startChild(4, "child"),
  ]);
  for (let count = 0; count < 30; count += 1) {
    await hub.raise("a", `Past${count}`, LARGE);
    await worker.complete(await worker.turn("a"), [], { customStatus: `at ${count}` });
  }
  const turn = await (async () => {
    await hub.raise("a", "InFlight", LARGE);
    return worker.turn("a");
  })();
  await hub.suspend("a", LARGE);
  await hub.raise("a", "Waits", LARGE);
  await worker.complete(turn);
  await hub.settled();
}

describe.each([
  ["a store in memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("an instance with a long log, with %s", (_name, newDisk) => {
  it("has a snapshot that is small, and the same state after it was loaded", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await grow(hub);
    expect(await snapshotSequence(hub, "a")).toBeGreaterThan(10n);
    const before = await hub.live("a");
    const history = await hub.history("a");
    await hub.crash();
    expect(await hub.live("a")).toEqual(before);
    expect(await hub.history("a")).toEqual(history);
    // Once more: now the state that was loaded has been a base for further entries.
    await hub.raise("a", "Later", LARGE);
    const later = await hub.live("a");
    await hub.crash();
    expect(await hub.live("a")).toEqual(later);
  });

  it("has the same work items after it was loaded", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await grow(hub);
    const expected = await hub.history("a", true);
    await hub.crash();
    await hub.resume("a");
    const worker = hub.worker();
    const turn = await worker.turn("a");
    expect(turn.request.pastEvents).toEqual(expected);
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "eventRaised Waits"]);
    const inputs = [await worker.activity("a", 1), await worker.activity("a", 2)];
    expect(inputs.map(({ request }) => request.input)).toEqual([LARGE, "small"]);
    expect(turn.request.newEvents[1]?.eventType).toMatchObject({ value: { input: LARGE } });
  });

  it("has the same view when it is finished", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    const worker = hub.worker();
    await hub.start("a", { input: LARGE });
    for (let count = 0; count < 30; count += 1) {
      await worker.complete(await worker.turn("a"));
      await hub.raise("a", "E", LARGE);
    }
    await worker.complete(await worker.turn("a"), [completed(LARGE)]);
    await hub.settled();
    const before = await hub.live("a");
    await hub.crash();
    expect(await hub.live("a")).toEqual(before);
  });
});

describe("snapshots", () => {
  it("are not written for a short log", async () => {
    await using hub = await openHub();
    await hub.start("a");
    for (let count = 0; count < 10; count += 1) await hub.raise("a", "E", LARGE);
    expect(await snapshotSequence(hub, "a")).toBeUndefined();
  });

  it("are written though the instance leaves memory after each step", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await hub.start("a", { at: hub.clock.in(60_000) });
    for (let count = 0; count < 40; count += 1) {
      await hub.raise("a", `E${count}`, LARGE);
      await hub.settled();
    }
    expect(await snapshotSequence(hub, "a")).toBeGreaterThan(10n);
    const before = await hub.live("a");
    await hub.crash();
    expect(await hub.live("a")).toEqual(before);
  });

  it("grow further apart as the state grows", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    const sequences = new Set<bigint | undefined>();
    const small = "y".repeat(900);
    for (let count = 0; count < 600; count += 1) {
      await hub.raise("a", `E${count}`, small);
      sequences.add(await snapshotSequence(hub, "a"));
    }
    const written = [...sequences].filter((each) => each !== undefined);
    expect(written.length).toBeGreaterThan(1);
    expect(written.length).toBeLessThan(6);
  });
});

describe("a large entry that a snapshot refers to many times", () => {
  it("is read once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const tasks = Array.from({ length: 200 }, (_, at) =>
      scheduleTask(at, "Work", { input: LARGE }),
    );
    await worker.complete(await worker.turn("a"), tasks);
    expect(await snapshotSequence(hub, "a")).toBeDefined();
    await hub.crash({ recovers: false });
    const before = hub.bytes.calls;
    expect(await hub.status("a")).toBe("RUNNING");
    expect(hub.bytes.calls - before).toBeLessThan(tasks.length / 2);
  });
});
