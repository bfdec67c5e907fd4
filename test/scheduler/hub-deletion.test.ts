/** A deleted hub: what was queued, with workers or due in it is void. */
import { describe, expect, it } from "vitest";
import { noHoldAgeLimits } from "../../sidecar/scheduler/hold-ages.ts";
import { MINUTE, openHub } from "../support/scheduler-harness.ts";
import { completed, createTimer, scheduleTask } from "../support/worker-actions.ts";

describe("the deletion of a hub", () => {
  it("makes all that is queued, in flight or due void", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1, activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [
      scheduleTask(1),
      scheduleTask(2),
      createTimer(3, hub.clock.in(30_000)),
    ]);
    const activity = await worker.activity("a", 1);
    await hub.start("b");
    const turn = await worker.turn("b");
    await hub.start("c");
    await hub.hub.delete();
    await worker.finish(activity, "late");
    await worker.complete(turn, [completed()]);
    await hub.pass(MINUTE);
    expect(await worker.waiting()).toEqual([]);
    const ids = ["a", "b", "c"];
    expect(await Promise.all(ids.map((id) => hub.status(id)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("lets the same ids begin again in a hub of the same name", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const old = await worker.turn("a");
    await hub.hub.delete();
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.complete(old, [completed("late")]);
    expect(await hub.status("a")).toBe("PENDING");
    await worker.complete(turn, [completed()]);
    await hub.crash();
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("keeps nothing of it in memory", async () => {
    await using hub = await openHub();
    for (const id of ["a", "b"]) await hub.start(id);
    const { hub: deleted } = hub;
    await deleted.delete();
    expect(deleted.inUse).toBe(false);
  });

  it("leaves no alarm of it, whatever it waited for", async () => {
    const holdAgeLimits = { ...noHoldAgeLimits, warnMs: MINUTE, criticalMs: 2 * MINUTE };
    const retention = { ages: { terminated: MINUTE }, lowSpaceAges: {} };
    await using hub = await openHub({ started: { holdAgeLimits, retention } });
    const { alarms } = hub.clock;
    for (const id of ["a", "b"]) await hub.start(id);
    await hub.suspend("a");
    await hub.terminate("b");
    await hub.settled();
    expect(hub.clock.alarms).toBe(alarms + 3);
    await hub.hub.delete();
    await hub.settled();
    expect(hub.clock.alarms).toBe(alarms);
    await hub.pass(10 * MINUTE);
    expect(hub.clock.alarms).toBe(alarms);
    expect(hub.hub.retention.overdueSeconds).toBe(0);
  });

  it("holds over a crash", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.hub.delete();
    await hub.crash();
    expect(await hub.status("a")).toBeUndefined();
    expect(await hub.worker().waiting()).toEqual([]);
  });
});
