/** What random tests have found, each in a story of its own. */
import { expect, it } from "vitest";
import { openHub } from "../support/scheduler-harness.ts";
import { completed, createTimer, scheduleTask } from "../support/worker-actions.ts";
import { hold, letGo } from "./kit/hold-commands.ts";

it("an activity that a window holds back goes on after it when its instance has ended meanwhile", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  await hub.raise("a", "Event");
  const first = await worker.turn("a");
  await worker.complete(first, [scheduleTask(1)]);
  const activity = await worker.activity("a", 1);
  await hub.raise("a", "Event");
  const last = await worker.turn("a");
  await hold(hub, "window");
  worker.abandon(activity);
  await hub.pass(1_000);
  await worker.complete(last, [completed()]);
  expect(await worker.waiting()).toEqual([]);
  await letGo(hub, "window");
  expect(await worker.waiting()).toEqual(["activity a 1"]);
});

it("an activity goes on when its instance ends, which had held it back", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
  const activity = await worker.activity("a", 1);
  await hub.raise("a", "Event");
  const last = await worker.turn("a");
  await hold(hub, "instance");
  worker.abandon(activity);
  await hub.pass(1_000);
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.hold();
  void worker.complete(last, [completed()]);
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.release();
  expect(await worker.waiting()).toEqual(["activity a 1"]);
});

it("a hold expires while a window makes timers stand still that were due before", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(2_000))]);
  await hold(hub, "window", { policy: "FREEZE" });
  await hub.pass(3_000);
  await hold(hub, "instance", { expiresIn: 2 });
  expect(await hub.status("a")).toBe("SUSPENDED");
  await hub.pass(2_000);
  expect(await hub.status("a")).toBe("RUNNING");
});

it("timers that stand still keep nobody busy, also with no room for idle instances", async () => {
  await using hub = await openHub({ idleHeadBytesMax: 0 });
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(2_000))]);
  await hold(hub, "window", { policy: "FREEZE" });
  await hub.pass(3_000);
  const { calls } = hub.bytes;
  await hub.settled();
  expect(hub.bytes.calls).toBe(calls);
  await letGo(hub, "window");
  await hub.pass(1_000);
  expect(await worker.waiting()).toEqual([]);
  await hub.pass(1_000);
  expect(await worker.waiting()).toEqual(["turn a"]);
});
