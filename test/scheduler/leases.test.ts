/** What happens to work when the worker that has it does not answer. */
import { describe, expect, it } from "vitest";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { Activity, ScriptedWorker } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const GRACE = 10_000;

async function activityOf(hub: TestHub, worker: ScriptedWorker, id = "a"): Promise<Activity> {
  await hub.start(id);
  await worker.complete(await worker.turn(id), [scheduleTask(1)]);
  return worker.activity(id);
}

describe("a turn", () => {
  it("is handed out again after 5 minutes, and not before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn("a");
    await hub.pass(5 * MINUTE - 1);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    const again = await worker.turn("a");
    expect(again.token).not.toBe(first.token);
    expect(again.request.newEvents).toHaveLength(2);
  });

  it("that expired has a stale token: its completion is OK and changes nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn("a");
    await hub.pass(5 * MINUTE);
    const again = await worker.turn("a");
    await worker.complete(first, [completed("stale")]);
    expect(await hub.status("a")).toBe("PENDING");
    await worker.complete(again, [completed("live")]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("expires by its own time, whatever was handed out before it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn("a");
    await hub.pass(3 * MINUTE);
    await hub.start("b");
    await worker.turn("b");
    await worker.complete(first, [completed()]);
    await hub.pass(3 * MINUTE);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(2 * MINUTE);
    expect(await worker.waiting()).toEqual(["turn b"]);
  });

  it("expires by its own time also when the one before it expires and is granted anew", async () => {
    await using hub = await openHub();
    const first = hub.worker({ turns: 1, connection: "first" });
    // It has room, so that what comes back is granted at once.
    const second = hub.worker({ turns: 2, connection: "second" });
    await hub.start("b");
    await first.turn("b");
    await hub.pass(1_000);
    await hub.start("a");
    const stale = await second.turn("a");
    await hub.pass(5 * MINUTE - 1_500);
    await hub.settled();
    await hub.pass(500);
    await hub.settled();
    await hub.pass(1_000);
    await second.complete(stale, [completed("stale")]);
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("that loses one worker after the other comes back later each time", async () => {
    await using hub = await openHub();
    await hub.start("a");
    let worker = hub.worker({ connection: "first" });
    await worker.turn("a");
    for (const delay of [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      hub.hubs.connectionClosed(worker.connection);
      await worker.close();
      worker = hub.worker({ connection: `after ${delay} ms` });
      await hub.pass(Math.max(delay - 1, 0));
      expect(await worker.waiting()).toEqual(delay === 0 ? ["turn a"] : []);
      await hub.pass(1);
      expect(await worker.waiting()).toEqual(["turn a"]);
    }
  });
});

describe("an activity", () => {
  it("has no expiry while its stream lives", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const activity = await activityOf(hub, worker);
    await hub.pass(24 * 60 * MINUTE);
    expect(await worker.waiting()).toEqual([]);
    await worker.finish(activity, "result");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

describe("when a stream closes", () => {
  it("a completion within the grace counts", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.close();
    await hub.pass(GRACE - 1);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("the result of an activity within the grace counts", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const activity = await activityOf(hub, worker);
    await worker.close();
    await hub.pass(GRACE - 1);
    await worker.finish(activity, "result");
    const other = hub.worker();
    expect(await other.waiting()).toEqual(["turn a"]);
    await hub.pass(GRACE);
    expect(await other.waiting()).toEqual(["turn a"]);
  });

  it("its items come back after the grace, and not before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const activity = await activityOf(hub, worker);
    await hub.start("b");
    const turn = await worker.turn("b");
    await worker.close();
    const other = hub.worker();
    await hub.pass(GRACE - 1);
    expect(await other.waiting()).toEqual([]);
    await hub.pass(1);
    expect((await other.waiting()).toSorted()).toEqual(["activity a 1", "turn b"]);
    await worker.complete(turn, [completed()]);
    await worker.finish(activity);
    expect(await hub.status("b")).toBe("PENDING");
    expect((await other.waiting()).toSorted()).toEqual(["activity a 1", "turn b"]);
  });

  it("no second turn of the instance is handed out within the grace", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.turn("a");
    await worker.close();
    const other = hub.worker();
    await hub.raise("a", "E");
    expect(await other.waiting()).toEqual([]);
  });

  it("its items come back at once if nothing of the connection is left", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ connection: "lost" });
    await hub.start("a");
    await worker.turn("a");
    const other = hub.worker({ connection: "other" });
    hub.hubs.connectionClosed("lost");
    await worker.close();
    expect(await other.waiting()).toEqual(["turn a"]);
  });

  it("its items come back at once when its connection is lost within the grace", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ connection: "lost" });
    await hub.start("a");
    await worker.turn("a");
    await worker.close();
    const other = hub.worker({ connection: "other" });
    expect(await other.waiting()).toEqual([]);
    hub.hubs.connectionClosed("lost");
    expect(await other.waiting()).toEqual(["turn a"]);
  });

  it("the loss of another connection changes nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ connection: "kept" });
    await hub.start("a");
    await worker.turn("a");
    await worker.close();
    hub.hubs.connectionClosed("lost");
    expect(await hub.worker().waiting()).toEqual([]);
  });
});
