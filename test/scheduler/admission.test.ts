/** What is refused while the store is short of space or far behind, and what never is. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { Admission } from "../../sidecar/scheduler/admission.ts";
import type { SpaceLevel } from "../../sidecar/store/space.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { holdHub, hubHolds } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";
import { memoryDisk, type TestDisk } from "./kit/test-disk.ts";

const causes = Object.entries(Cause);

function refusedAt(level: SpaceLevel, pendingBytes = 0): readonly string[] {
  const admission = new Admission({ space: { level, freeBytes: 0 }, pendingBytes });
  const refused = causes.filter(([, cause]) => {
    try {
      admission.admit(cause);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: "limit-exceeded" });
      return true;
    }
  });
  expect(admission.shed.disk + admission.shed.backlog).toBe(refused.length);
  return refused.map(([name]) => name);
}

const newWork = ["START", "RESTART", "REWIND", "RAISE_EVENT", "SIGNAL_ENTITY"];
const newRows = [...newWork, "CREATE_HUB", "SUSPEND", "SUSPEND_HUB", "SCHEMA"];

describe("admission", () => {
  it("refuses nothing while there is space", () => {
    expect(refusedAt("ample")).toEqual([]);
  });

  it("refuses new work when space is tight, and nothing that finishes work", () => {
    expect(refusedAt("tight").toSorted()).toEqual(newWork.toSorted());
  });

  it("refuses all that only takes space when there is none", () => {
    expect(refusedAt("full").toSorted()).toEqual(newRows.toSorted());
  });

  it("refuses the same when too much waits for the disk", () => {
    expect(refusedAt("ample", LIMITS.pendingBytesMax)).toEqual([]);
    expect(refusedAt("ample", LIMITS.pendingBytesMax + 1).toSorted()).toEqual(newRows.toSorted());
  });
});

/** A hub on a disk that has as much space as a test says. */
async function openShortHub(): Promise<{ hub: TestHub; space: { level: SpaceLevel } }> {
  const space = { level: "ample" as SpaceLevel, freeBytes: undefined };
  const inner = memoryDisk();
  const disk: TestDisk = {
    async mount() {
      const { store, ...mounted } = await inner.mount();
      return { ...mounted, store: Object.create(store, { space: { value: space } }) };
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return { hub: await openHub({ disk }), space };
}

describe("a hub on a disk that is nearly full", () => {
  const refused = { code: "limit-exceeded" };

  it("refuses new work, finishes what has begun, and takes new work when there is space", async () => {
    const { hub, space } = await openShortHub();
    await using _ = hub;
    const worker = hub.worker();
    for (const id of ["a", "b", "d"]) await hub.start(id);
    const turns = { a: await worker.turn("a"), b: await worker.turn("b") };
    space.level = "full";
    await expect(hub.start("c")).rejects.toMatchObject(refused);
    await expect(hub.raise("a", "E")).rejects.toMatchObject(refused);
    await expect(hub.suspend("a")).rejects.toMatchObject(refused);
    await expect(holdHub(hub)).rejects.toMatchObject(refused);
    await worker.complete(turns.a, [scheduleTask(1)]);
    await worker.finish(await worker.activity("a"), "1");
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.terminate("b");
    await worker.complete(turns.b);
    expect([await hub.status("a"), await hub.status("b")]).toEqual(["COMPLETED", "TERMINATED"]);
    expect(await hub.hub.instances.skipGracefulTerminations(["d"], undefined)).toEqual([]);
    expect(await hub.purge("b")).toBe(1);
    space.level = "ample";
    await hub.start("c");
    expect(await worker.waiting()).toEqual(["turn d", "turn c"]);
  });

  it("refuses to create a task hub, and recreates one that is there", async () => {
    const { hub, space } = await openShortHub();
    await using _ = hub;
    space.level = "full";
    await expect(hub.hub.create()).rejects.toMatchObject(refused);
    await expect(hub.hub.create(true)).rejects.toMatchObject(refused);
    expect(hub.hub.number).toBeUndefined();
    space.level = "ample";
    await hub.start("a");
    space.level = "full";
    await hub.hub.create();
    await hub.hub.create(true);
    expect([hub.hub.number === undefined, await hub.status("a")]).toEqual([false, undefined]);
  });

  it("starts suspended all the same: that is what an operator may want on such a disk", async () => {
    const { hub, space } = await openShortHub();
    await using _ = hub;
    await hub.start("a");
    space.level = "full";
    await hub.crash({ started: { suspended: true } });
    expect(hubHolds(hub)).toEqual(["boot"]);
    expect(await hub.worker().waiting()).toEqual([]);
  });
});
