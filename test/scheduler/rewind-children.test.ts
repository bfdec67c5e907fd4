/** Rewinding a parent: its children go on too, each once, whatever happens in between. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { newEvents, pastEvents } from "../support/worker.ts";
import { completed, failed, scheduleTask, startChild } from "../support/worker-actions.ts";
import { broken, completeFamily, expectStored, failFamily, rewind } from "./kit/rewinding.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

describe("a rewound family", () => {
  it("runs to its end, each once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failFamily(hub, worker);
    await rewind(hub, "parent");
    await completeFamily(hub, worker);
  });

  it("is rewound when none of it was in memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await failFamily(hub, hub.worker());
    await hub.crash();
    await rewind(hub, "parent");
    await hub.settled();
    await completeFamily(hub);
  });

  it.each([
    ["not in memory", { idleHeadBytesMax: 0 }],
    ["in memory without its history", {}],
  ])("is rewound when the child is %s", async (_where, options) => {
    await using hub = await openHub(options);
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
    await worker.complete(await worker.turn("child"), [scheduleTask(1)]);
    await worker.finish(
      await worker.activity("child"),
      "x".repeat(2 * LIMITS.snapshotTailBytesMin),
    );
    await worker.complete(await worker.turn("child"), [failed("broken")]);
    await worker.complete(await worker.turn("parent"), [failed("broken")]);
    await hub.crash();
    expect(await hub.status("child")).toBe("FAILED");
    await rewind(hub, "parent");
    expect(pastEvents(await hub.worker().turn("child"))).toContain("taskCompleted 1");
    await expectStored(hub, "child");
  });

  it("is whole when the child was purged", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failFamily(hub, worker);
    expect(await hub.purge("child")).toBe(1);
    await rewind(hub, "parent");
    const turn = await worker.turn("child");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "executionStarted"]);
    await worker.complete(turn, [completed("well")]);
    await worker.complete(await worker.turn("parent"), []);
    expect(newEvents(await worker.turn("parent")).slice(1)).toEqual([
      "subOrchestrationInstanceCompleted 1",
    ]);
  });

  it("is rewound a second time", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failFamily(hub, worker);
    await rewind(hub, "parent");
    await worker.complete(await worker.turn("grandchild"), [failed("broken")]);
    for (const id of ["child", "parent"]) {
      await worker.complete(await worker.turn(id));
      await worker.complete(await worker.turn(id), [failed("broken")]);
    }
    await rewind(hub, "parent");
    await completeFamily(hub, worker);
  });

  it("has the child that goes on report to the new execution of its parent", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child"), scheduleTask(2)]);
    const turn = await worker.turn("child");
    await worker.finish(await worker.activity("parent"), undefined, broken);
    await worker.complete(await worker.turn("parent"), [failed("broken")]);
    await rewind(hub, "parent");
    await worker.complete(await worker.turn("parent"), [scheduleTask(2)]);
    await worker.complete(turn, [completed("well")]);
    expect(newEvents(await worker.turn("parent")).slice(1)).toEqual([
      "subOrchestrationInstanceCompleted 1",
    ]);
  });
});

describe.each([
  ["a store in memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("a rewound family over a crash, with %s", (_name, newDisk) => {
  it.each([1, 2, 3, 4])("goes on behind %i commits", async (commits) => {
    await using hub = await openHub({ disk: await newDisk(), idleHeadBytesMax: 0 });
    await failFamily(hub, hub.worker());
    await hub.crash();
    hub.bytes.hold(commits);
    void rewind(hub, "parent");
    await hub.settled();
    await hub.crash();
    await completeFamily(hub);
  });
});

describe("many children", () => {
  it("are rewound in slices, and all of them", async () => {
    const count = LIMITS.mailSliceMax + LIMITS.rewindsPerSliceMax;
    const ids = Array.from({ length: count }, (_, at) => `child${at + 1}`);
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await hub.start("parent");
    const children = ids.map((id, at) => startChild(at + 1, id));
    await worker.complete(await worker.turn("parent"), children);
    for (const id of ids) await worker.complete(await worker.turn(id), [failed("broken")]);
    await worker.complete(await worker.turn("parent"), [failed("broken")]);
    await hub.crash();
    await rewind(hub, "parent");
    await hub.settled();
    const next = hub.worker();
    expect((await next.waiting()).toSorted()).toEqual(
      ["parent", ...ids].map((id) => `turn ${id}`).toSorted(),
    );
    expect(await hub.stored("parent")).toMatchObject({ state: { outbox: [] } });
  });
});
