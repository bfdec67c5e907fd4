import { describe, expect, it } from "vitest";
import { operationsOf, succeeded } from "../support/entity-results.ts";
import { forgeLock } from "../support/forged-lock.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed } from "../support/worker-actions.ts";
import { lockOf, set, signal, textOf } from "./kit/entity-calls.ts";

function clean(hub: TestHub, removesEmpty = false) {
  const { signal: never } = new AbortController();
  return hub.hub.entities.clean({ removesEmpty, releasesOrphans: true, signal: never });
}

/** An entity, and an orchestration that runs. */
async function withHolder() {
  const hub = await openHub();
  const worker = hub.worker();
  await set(hub, worker, "@a@b", "1");
  await hub.start("holder");
  const turn = await worker.turn();
  return { hub, worker, turn, executionId: turn.request.executionId ?? "" };
}

describe("purging an entity", () => {
  it("makes the batch that a worker has void before anything is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "op");
    const batch = await worker.batch();
    hub.bytes.hold();
    const purging = hub.hub.entities.purge("@a@b");
    await hub.settled();
    const answering = worker.answer(batch, { results: [succeeded()], entityState: "late" });
    hub.bytes.release();
    expect(await purging).toBe(1);
    await answering;
    expect(await textOf(hub, "@a@b")).toBeUndefined();
    expect(await worker.waiting()).toEqual([]);
  });

  it("leaves what comes meanwhile to the entity that is there afterwards", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await set(hub, worker, "@a@b", "1");
    hub.bytes.hold();
    const purging = hub.hub.entities.purge("@a@b");
    await hub.settled();
    const signalled = signal(hub, "@a@b", "new");
    hub.bytes.release();
    expect(await purging).toBe(1);
    await signalled;
    const batch = await worker.batch();
    expect(operationsOf(batch.request)).toEqual(["new"]);
    expect(batch.request.entityState).toBeUndefined();
  });
});

describe("cleaning entities", () => {
  it.each(["unknown", "ended", "restarted"])("releases a lock whose holder is %s", async (why) => {
    const { hub, worker, turn, executionId } = await withHolder();
    await using _ = hub;
    if (why === "ended") await worker.complete(turn, [completed()]);
    const instanceId = why === "unknown" ? "nobody" : "holder";
    const holder = { instanceId, executionId: why === "restarted" ? "earlier" : executionId };
    await forgeLock(hub, "@a@b", holder);
    await signal(hub, "@a@b", "waits");
    const other = hub.worker();
    expect(await other.waiting()).not.toContain("batch @a@b");
    expect(await lockOf(hub, "@a@b")).toBe(instanceId);
    expect(await clean(hub)).toEqual({ emptyRemoved: 0, orphansReleased: 1 });
    expect(operationsOf((await other.batch()).request)).toEqual(["waits"]);
    expect(await lockOf(hub, "@a@b")).toBeUndefined();
    await hub.crash();
    expect(await lockOf(hub, "@a@b")).toBeUndefined();
  });

  it("keeps a lock whose holder goes on", async () => {
    const { hub, executionId } = await withHolder();
    await using _ = hub;
    await forgeLock(hub, "@a@b", { instanceId: "holder", executionId });
    expect(await clean(hub, true)).toEqual({ emptyRemoved: 0, orphansReleased: 0 });
    expect(await lockOf(hub, "@a@b")).toBe("holder");
  });

  it("removes in the same call what nothing but such a lock has kept", async () => {
    await using hub = await openHub();
    await set(hub, hub.worker(), "@a@b");
    await forgeLock(hub, "@a@b", { instanceId: "nobody", executionId: "" });
    expect(await clean(hub, true)).toEqual({ emptyRemoved: 1, orphansReleased: 1 });
  });

  it("leaves nothing of a record that it removes, also on the disk", async () => {
    await using hub = await openHub();
    await set(hub, hub.worker(), "@a@b");
    expect(await clean(hub, true)).toEqual({ emptyRemoved: 1, orphansReleased: 0 });
    await hub.crash();
    expect(await hub.store.readIds(hub.hub.number ?? 0n, "@", undefined, 10)).toEqual([]);
    await signal(hub, "@a@b", "again");
    expect(operationsOf((await hub.worker().batch("@a@b")).request)).toEqual(["again"]);
  });

  it("lets go of a record only when nobody is about to use it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await set(hub, worker, "@a@b");
    // Both are decided before anything is durable.
    hub.bytes.hold();
    const cleaning = clean(hub, true);
    const signalled = signal(hub, "@a@b", "op");
    hub.bytes.release();
    await Promise.all([cleaning, signalled]);
    expect(operationsOf((await worker.batch("@a@b")).request)).toEqual(["op"]);
  });
});
