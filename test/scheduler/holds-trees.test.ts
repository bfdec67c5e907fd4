/** Tree holds: all descendants, also those created later, and no longer than their origin. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ExpiryAction } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  holdHub,
  holdTree,
  hubHolds,
  releaseAll,
  releaseTree,
  stillness,
} from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed, continueAsNew, scheduleTask, startChild } from "../support/worker-actions.ts";

const { PENDING, TERMINATED } = OrchestrationStatus;
const REPLACEABLE = { replaceableStatus: [PENDING, TERMINATED], legacyAction: 0 };

/** root → child → grandchild, each started and waiting. */
async function family(hub: TestHub): Promise<ScriptedWorker> {
  const worker = hub.worker();
  await hub.start("root");
  await worker.complete(await worker.turn("root"), [startChild(1, "child")]);
  await worker.complete(await worker.turn("child"), [startChild(1, "grandchild")]);
  await worker.complete(await worker.turn("grandchild"));
  await hub.settled();
  return worker;
}

describe("a tree hold", () => {
  it("covers children and grandchildren, and not others", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await hub.start("other");
    await worker.complete(await worker.turn("other"));
    await holdTree(hub, "root");
    for (const id of ["root", "child", "grandchild", "other"]) await hub.raise(id, "E");
    expect(await worker.waiting()).toEqual(["turn other"]);
    await releaseTree(hub, "root");
    expect((await worker.waiting()).toSorted()).toEqual([
      "turn child",
      "turn grandchild",
      "turn other",
      "turn root",
    ]);
  });

  it("of a child covers its descendants, and neither parent nor siblings", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await holdTree(hub, "child");
    for (const id of ["root", "child", "grandchild"]) await hub.raise(id, "E");
    await worker.complete(await worker.turn("root"), [startChild(2, "sibling")]);
    expect(await worker.waiting()).toEqual(["turn sibling"]);
  });

  it("covers children that a turn in flight creates, and their children", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    const turn = await worker.turn("root");
    await holdTree(hub, "root");
    await worker.complete(turn, [startChild(1, "child")]);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("child")).toBe("PENDING");
    expect(await stillness(hub, "child")).toMatchObject({ holds: ["h"], turnHeldBack: true });
    await releaseTree(hub, "root");
    await worker.complete(await worker.turn("child"), [startChild(1, "grandchild")]);
    expect(await worker.waiting()).toEqual(["turn grandchild"]);
  });

  it("does not touch the instances: compatible reads show RUNNING and PENDING", async () => {
    await using hub = await openHub();
    await family(hub);
    await hub.start("new");
    await holdTree(hub, "root");
    await holdTree(hub, "new");
    const ids = ["root", "child", "grandchild", "new"];
    const statuses = await Promise.all(ids.map((id) => hub.status(id)));
    expect(statuses).toEqual(["RUNNING", "RUNNING", "RUNNING", "PENDING"]);
    const events = (await hub.history("root")).map(({ eventType }) => eventType.case);
    expect(events).not.toContain("executionSuspended");
  });

  it("is refused for what does not exist or has finished, and changes nothing", async () => {
    await using hub = await openHub();
    const written = hub.store.durablePosition;
    await expect(holdTree(hub, "nobody")).rejects.toMatchObject({ code: "instance-not-found" });
    expect(hub.store.durablePosition).toBe(written);
    expect(hub.hub.number).toBeUndefined();
    await hub.start("a");
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [completed()]);
    await expect(holdTree(hub, "a")).rejects.toMatchObject({ code: "failed-precondition" });
    await expect(releaseTree(hub, "a")).rejects.toMatchObject({ code: "failed-precondition" });
    await expect(releaseTree(hub, "nobody")).rejects.toMatchObject({ code: "instance-not-found" });
    expect(hubHolds(hub)).toEqual([]);
  });

  it("is left alone by the release of another scope of the same name", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await holdTree(hub, "a");
    await holdHub(hub);
    await hub.resume("a");
    expect(hubHolds(hub)).toEqual(["h", "h"]);
    expect(await releaseAll(hub, "a")).toBe("released [h] remaining [h]");
    expect(hubHolds(hub)).toEqual(["h"]);
  });

  it("covers descendants over continue-as-new of the origin and of themselves", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "child")]);
    const childTurn = await worker.turn("child");
    await hub.raise("root", "E");
    const rootTurn = await worker.turn("root");
    await holdTree(hub, "root");
    await worker.complete(rootTurn, [continueAsNew("2")]);
    await worker.complete(childTurn, [continueAsNew("2")]);
    expect(await worker.waiting()).toEqual([]);
    await releaseTree(hub, "root");
    expect((await worker.waiting()).toSorted()).toEqual(["turn child", "turn root"]);
  });

  it("covers the whole tree over a restart", async () => {
    await using hub = await openHub();
    await family(hub);
    await holdTree(hub, "root");
    for (const id of ["root", "child", "grandchild"]) await hub.raise(id, "E");
    await hub.crash();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await releaseTree(hub, "root");
    expect(await worker.waiting()).toHaveLength(3);
  });

  it("covers descendants whose parent has finished", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await hub.raise("child", "End");
    await worker.complete(await worker.turn("child"), [completed()]);
    await worker.complete(await worker.turn("root"));
    await holdTree(hub, "root");
    await hub.raise("grandchild", "E");
    expect(await worker.waiting()).toEqual([]);
  });
});

describe("a tree hold ends with its origin", () => {
  it("that completes in a turn in flight: the descendants go on when that is durable", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await hub.raise("root", "End");
    const turn = await worker.turn("root");
    await holdTree(hub, "root");
    await hub.raise("child", "E");
    hub.bytes.hold();
    void worker.complete(turn, [completed()]);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn child"]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("that is terminated", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await holdTree(hub, "root");
    await hub.raise("child", "E");
    await hub.terminate("root");
    expect(await worker.waiting()).toEqual(["turn child"]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("that is terminated with all its descendants, which end although they are held", async () => {
    await using hub = await openHub();
    await family(hub);
    await holdTree(hub, "root");
    await hub.terminate("root", "over", true);
    await hub.settled();
    const ids = ["root", "child", "grandchild"];
    const statuses = await Promise.all(ids.map((id) => hub.status(id)));
    expect(statuses).toEqual(["TERMINATED", "TERMINATED", "TERMINATED"]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("that is replaced by a start with its id, or purged and started again", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await holdTree(hub, "a");
    await hub.start("a", { policy: REPLACEABLE });
    expect(hubHolds(hub)).toEqual([]);
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.purge("a");
    await hub.start("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("and is gone after a crash as well", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await holdTree(hub, "root");
    await hub.terminate("root");
    await hub.crash();
    expect(hubHolds(hub)).toEqual([]);
    await hub.raise("child", "E");
    expect(await hub.worker().waiting()).toContain("turn child");
    await worker.close();
  });
});

describe("a tree hold that expires", () => {
  it("with RESUME releases the tree, at its instant", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    await holdTree(hub, "root", { expiresAt: hub.clock.in(10) });
    await hub.raise("grandchild", "E");
    await hub.pass(9);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    expect(await worker.waiting()).toEqual(["turn grandchild"]);
    expect(hubHolds(hub)).toEqual([]);
  });

  it("with TERMINATE ends the origin and all its descendants, whatever else holds them", async () => {
    await using hub = await openHub();
    await family(hub);
    await holdHub(hub, { name: "other" });
    await hub.suspend("root");
    await hub.suspend("grandchild");
    const { TERMINATE } = ExpiryAction;
    await holdTree(hub, "root", { expiresAt: hub.clock.in(10), expiry: TERMINATE });
    await hub.pass(10);
    for (const id of ["root", "child", "grandchild"]) {
      expect(await hub.status(id)).toBe("TERMINATED");
      const end = (await hub.history(id)).at(-1)?.eventType;
      expect(end?.value).toMatchObject({ result: '"suspension h expired"' });
    }
    expect(hubHolds(hub)).toEqual(["other"]);
  });

  it("with TERMINATE ends also descendants whose parent has finished before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "child")]);
    await worker.complete(await worker.turn("child"), [startChild(1, "grandchild")]);
    await worker.complete(await worker.turn("grandchild"));
    await hub.raise("child", "E");
    await worker.complete(await worker.turn("child"), [completed()]);
    await worker.complete(await worker.turn("root"));
    await hub.start("stranger");
    const { TERMINATE } = ExpiryAction;
    await holdTree(hub, "root", { expiresAt: hub.clock.in(10), expiry: TERMINATE });
    await hub.pass(10_000);
    expect(await hub.status("child")).toBe("COMPLETED");
    expect(await hub.status("root")).toBe("TERMINATED");
    expect(await hub.status("grandchild")).toBe("TERMINATED");
    expect(await hub.status("stranger")).not.toBe("TERMINATED");
  });

  it("with TERMINATE waits for the turn in flight of each", async () => {
    await using hub = await openHub();
    const worker = await family(hub);
    for (const id of ["root", "child"]) await hub.raise(id, "E");
    const turns = [await worker.turn("root"), await worker.turn("child")];
    const { TERMINATE } = ExpiryAction;
    await holdTree(hub, "root", { expiresAt: hub.clock.in(10), expiry: TERMINATE });
    await hub.pass(10);
    expect(await hub.status("root")).toBe("RUNNING");
    expect(hubHolds(hub)).toEqual(["h"]);
    const [rootTurn, childTurn] = turns;
    if (rootTurn === undefined || childTurn === undefined) throw new Error("there are two");
    await worker.complete(rootTurn, [scheduleTask(7)], { customStatus: "last" });
    await hub.settled();
    expect(await hub.status("root")).toBe("TERMINATED");
    expect(await hub.hub.read("root", (state) => state.customStatus?.text)).toBe("last");
    expect(hubHolds(hub)).toEqual([]);
    await worker.complete(childTurn, [startChild(5, "late")]);
    await hub.settled();
    for (const id of ["child", "grandchild", "late"])
      expect(await hub.status(id)).toBe("TERMINATED");
    expect(await worker.waiting()).toEqual([]);
  });

  it("with TERMINATE does so late, after a restart", async () => {
    await using hub = await openHub();
    await family(hub);
    const { TERMINATE } = ExpiryAction;
    await holdTree(hub, "root", { expiresAt: hub.clock.in(10), expiry: TERMINATE });
    await hub.kill();
    hub.clock.advance(60_000);
    await hub.crash();
    await hub.settled();
    for (const id of ["root", "child", "grandchild"]) {
      expect(await hub.status(id)).toBe("TERMINATED");
    }
  });

  it("with TERMINATE while another one is carried out is carried out too", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    for (const id of ["a", "b"]) await hub.start(id);
    const { TERMINATE } = ExpiryAction;
    await holdTree(hub, "a", { expiresAt: hub.clock.in(10), expiry: TERMINATE });
    await holdTree(hub, "b", { expiresAt: hub.clock.in(20), expiry: TERMINATE });
    hub.bytes.holdReads();
    await hub.pass(10);
    // The second one expires while the origin of the first is read.
    await hub.pass(10);
    hub.bytes.releaseReads();
    await hub.settled();
    await hub.pass(10);
    expect([await hub.status("a"), await hub.status("b")]).toEqual(["TERMINATED", "TERMINATED"]);
  });

  it("with KEEP stays", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { KEEP } = ExpiryAction;
    await holdTree(hub, "a", { expiresAt: hub.clock.in(10), expiry: KEEP });
    await hub.pass(60_000);
    expect(hubHolds(hub)).toEqual(["h"]);
    expect(await hub.worker().waiting()).toEqual([]);
  });
});

describe("a deep tree", () => {
  it("is covered as deep as ancestors are known", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("0");
    const depth = LIMITS.ancestorsMax;
    for (let i = 0; i < depth; i += 1) {
      await worker.complete(await worker.turn(`${i}`), [startChild(1, `${i + 1}`)]);
    }
    const last = await worker.turn(`${depth}`);
    await holdTree(hub, "0");
    await worker.complete(last);
    await hub.raise(`${depth}`, "E");
    expect(await worker.waiting()).toEqual([]);
  });
});
