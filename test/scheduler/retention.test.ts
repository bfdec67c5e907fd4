/** Retention: what has finished long enough ago is purged by itself, and nothing else. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { importHoldName } from "../../sidecar/scheduler/import-hold.ts";
import type { RetentionAges } from "../../sidecar/scheduler/retention-policy.ts";
import type { SpaceLevel } from "../../sidecar/store/space.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { holdHub, releaseHub } from "../support/hold-calls.ts";
import { keptLog, type Line } from "../support/log-lines.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed, continueAsNew, failed, startChild } from "../support/worker-actions.ts";
import { memoryDisk, type TestDisk } from "./kit/test-disk.ts";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Kept {
  readonly hub: TestHub;
  readonly lines: readonly Line[];
  readonly space: { level: SpaceLevel };
  /** How often the index of what has finished was read. */
  readonly looks: { count: number };
}

/** A hub that keeps for so long, on a disk that has as much space as a test says. */
async function openKeeping(ages: RetentionAges, lowSpaceAges: RetentionAges = {}): Promise<Kept> {
  const space = { level: "ample" as SpaceLevel, freeBytes: undefined };
  const looks = { count: 0 };
  const inner = memoryDisk();
  const disk: TestDisk = {
    async mount() {
      const { store, ...mounted } = await inner.mount();
      const readCompleted: Store["readCompleted"] = (...query) => {
        looks.count += 1;
        return store.readCompleted(...query);
      };
      const ofTest = { space: { value: space }, readCompleted: { value: readCompleted } };
      return { ...mounted, store: Object.create(store, ofTest) };
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  const { log, lines } = keptLog();
  const hub = await openHub({ disk, started: { log, retention: { ages, lowSpaceAges } } });
  return { hub, lines, space, looks };
}

async function finish(worker: ScriptedWorker, instanceId: string, how = completed()) {
  await worker.complete(await worker.turn(instanceId), [how]);
}

/** One that has completed, one that has failed, one that was terminated: `completed`, … */
async function oneOfEach(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  for (const id of ["completed", "failed", "terminated", "running"]) await hub.start(id);
  await finish(worker, "completed");
  await finish(worker, "failed", failed("it broke"));
  await worker.close();
  await hub.terminate("terminated");
  await hub.settled();
}

async function present(hub: TestHub, ids = ["completed", "failed", "terminated", "running"]) {
  const statuses = await Promise.all(ids.map((id) => hub.status(id)));
  return ids.filter((_, at) => statuses[at] !== undefined);
}

function sweptIn(lines: readonly Line[]) {
  return lines.filter(({ event }) => event === "retention.swept").map(({ fields }) => fields);
}

describe("retention", () => {
  it("keeps everything for ever unless it is told otherwise", async () => {
    const { hub, lines } = await openKeeping({});
    await using _ = hub;
    await oneOfEach(hub);
    await hub.pass(36_500 * DAY);
    expect(await present(hub)).toEqual(["completed", "failed", "terminated", "running"]);
    expect(sweptIn(lines)).toEqual([]);
  });

  it("purges each ending at its age, not before, and what is not named never", async () => {
    const { hub, lines } = await openKeeping({ completed: 30 * DAY, failed: 90 * DAY });
    await using _ = hub;
    await oneOfEach(hub);
    await hub.pass(30 * DAY - 1);
    expect(await present(hub)).toHaveLength(4);
    await hub.pass(1);
    expect(await present(hub)).toEqual(["failed", "terminated", "running"]);
    await hub.pass(60 * DAY - 1);
    expect(await present(hub)).toHaveLength(3);
    await hub.pass(1);
    expect(await present(hub)).toEqual(["terminated", "running"]);
    await hub.pass(1_000 * DAY);
    expect(await present(hub)).toEqual(["terminated", "running"]);
    const oldestCompletedAtSeconds = Date.parse("2026-01-01T10:00:00Z") / 1_000;
    const common = { taskHub: "default", count: 1, oldestCompletedAtSeconds };
    expect(sweptIn(lines)).toEqual([
      { ...common, status: "completed" },
      { ...common, status: "failed" },
    ]);
    expect(hub.hubs.figures.purgedBy).toEqual({ client: 0, retention: 2, space: 0 });
  });

  it("looks at nothing before something is due", async () => {
    const { hub, looks } = await openKeeping({ completed: 30 * DAY }, { failed: DAY });
    await using _ = hub;
    await oneOfEach(hub);
    for (let day = 1; day < 30; day += 1) await hub.pass(DAY);
    expect(looks.count).toBe(0);
    await hub.pass(DAY);
    expect(looks.count).toBeGreaterThan(0);
  });

  it("purges together what falls due within a minute", async () => {
    const { hub, lines } = await openKeeping({ terminated: HOUR });
    await using _ = hub;
    for (const id of ["i0", "i1", "i2"]) {
      await hub.start(id);
      await hub.terminate(id);
      await hub.pass(10_000);
    }
    await hub.pass(HOUR - 30_000);
    expect(hub.hubs.figures.purged).toBe(1);
    await hub.pass(MINUTE - 1);
    expect(hub.hubs.figures.purged).toBe(1);
    await hub.pass(1);
    expect(sweptIn(lines).map(({ count }) => count)).toEqual([1, 2]);
  });

  it("goes on behind a restart, also with what fell due while nobody was there", async () => {
    const { hub } = await openKeeping({ completed: 30 * DAY, failed: 90 * DAY });
    await using _ = hub;
    await oneOfEach(hub);
    await hub.crash({ downMs: 31 * DAY });
    expect(await present(hub)).toEqual(["failed", "terminated", "running"]);
    await hub.crash();
    await hub.pass(59 * DAY);
    expect(await present(hub)).toEqual(["terminated", "running"]);
  });

  it("works in slices with a pause behind each, and counts what is overdue", async () => {
    const { hub, lines } = await openKeeping({ terminated: DAY });
    await using _ = hub;
    const count = LIMITS.purgeSliceMax + 10;
    const ids = Array.from({ length: count }, (_, at) => `i${at}`);
    await Promise.all(ids.map((id) => hub.start(id)));
    await Promise.all(ids.map((id) => hub.terminate(id)));
    await hub.settled();
    hub.clock.advance(2 * DAY);
    await hub.settled();
    expect(hub.hubs.figures.purged).toBe(LIMITS.purgeSliceMax);
    expect(hub.hub.retention.overdueSeconds).toBe(86_400);
    expect(sweptIn(lines)).toEqual([]);
    await hub.pass(100);
    expect(hub.hubs.figures.purged).toBe(count);
    expect(hub.hub.retention.overdueSeconds).toBe(0);
    expect(sweptIn(lines)).toMatchObject([{ status: "terminated", count }]);
  });

  it("sees what ended before what it has passed: clocks are set back", async () => {
    const { hub } = await openKeeping({ terminated: DAY });
    await using _ = hub;
    await hub.start("late");
    await hub.terminate("late");
    await hub.pass(DAY);
    hub.clock.advance(-10 * DAY);
    await hub.start("early");
    await hub.terminate("early");
    await hub.pass(DAY);
    expect(await present(hub, ["late", "early"])).toEqual([]);
  });

  it("begins anew with a hub that was deleted and made again", async () => {
    const { hub } = await openKeeping({ terminated: DAY });
    await using _ = hub;
    await hub.start("a");
    await hub.terminate("a");
    await hub.pass(DAY);
    await hub.hub.create(true);
    await hub.start("b");
    await hub.terminate("b");
    await hub.pass(DAY);
    await hub.pass(MINUTE);
    expect(await present(hub, ["a", "b"])).toEqual([]);
  });
});

describe("a child", () => {
  async function parentOfFailedChild(hub: TestHub): Promise<ScriptedWorker> {
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [
      startChild(1, "broken"),
      startChild(2, "done"),
    ]);
    await finish(worker, "broken", failed("it broke"));
    await finish(worker, "done");
    await hub.settled();
    return worker;
  }

  it("that has failed is kept while its parent runs, whose rewind would need it", async () => {
    const { hub } = await openKeeping({ completed: DAY, failed: DAY });
    await using _ = hub;
    await (await parentOfFailedChild(hub)).close();
    await hub.pass(10 * DAY);
    expect(await present(hub, ["parent", "broken", "done"])).toEqual(["parent", "broken"]);
    await hub.terminate("parent");
    await hub.pass(HOUR);
    expect(await present(hub, ["parent", "broken", "done"])).toEqual(["parent"]);
  });

  it("goes in time though the clock was a year ahead when it was kept", async () => {
    const { hub } = await openKeeping({ failed: DAY });
    await using _ = hub;
    await (await parentOfFailedChild(hub)).close();
    hub.clock.advance(365 * DAY);
    await hub.pass(MINUTE);
    hub.clock.advance(-365 * DAY);
    await hub.terminate("parent");
    await hub.pass(2 * DAY);
    expect(await present(hub, ["parent", "broken"])).toEqual(["parent"]);
  });

  it("of an earlier generation of its parent is not kept", async () => {
    const { hub } = await openKeeping({ failed: DAY });
    await using _ = hub;
    const worker = await parentOfFailedChild(hub);
    await worker.complete(await worker.turn("parent"), [continueAsNew("again")]);
    await hub.pass(DAY);
    expect(await present(hub, ["parent", "broken"])).toEqual(["parent"]);
  });
});

describe("a hub that was imported", () => {
  it("loses nothing until it is released", async () => {
    const { hub } = await openKeeping({ terminated: DAY });
    await using _ = hub;
    await hub.start("a");
    await hub.terminate("a");
    await holdHub(hub, { name: importHoldName });
    await hub.pass(10 * DAY);
    expect(await present(hub, ["a"])).toEqual(["a"]);
    expect(hub.hub.retention.overdueSeconds).toBe(9 * 86_400);
    await releaseHub(hub, undefined, importHoldName);
    await hub.settled();
    expect(await present(hub, ["a"])).toEqual([]);
  });
});

describe("retention for lack of space", () => {
  it("holds while the disk is nearly full, and is counted apart", async () => {
    const { hub, space } = await openKeeping(
      { completed: 30 * DAY },
      { completed: DAY, failed: DAY },
    );
    await using _ = hub;
    await oneOfEach(hub);
    await hub.pass(2 * DAY);
    expect(await present(hub)).toHaveLength(4);
    space.level = "tight";
    await hub.pass(MINUTE);
    expect(await present(hub)).toEqual(["terminated", "running"]);
    expect(hub.hubs.figures.purgedBy).toEqual({ client: 0, retention: 0, space: 2 });
  });

  it("is over when there is space again", async () => {
    const { hub, space } = await openKeeping({}, { completed: DAY });
    await using _ = hub;
    await oneOfEach(hub);
    space.level = "full";
    await hub.pass(MINUTE);
    space.level = "ample";
    await hub.pass(MINUTE);
    await hub.pass(10 * DAY);
    expect(await present(hub)).toHaveLength(4);
  });
});
