/** What random tests have found, each in a story of its own. */
import { expect, it } from "vitest";
import { openHub } from "../support/scheduler-harness.ts";
import { completed, createTimer, scheduleTask } from "../support/worker-actions.ts";
import { finishAll } from "./kit/ending.ts";
import { hold, letGo } from "./kit/hold-commands.ts";
import { play } from "./kit/play.ts";
import type { Step } from "./kit/steps.ts";
import { TestedWorld } from "./kit/tested-world.ts";

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

/**
 * A tree hold ended in the commit that told its parent of the end: the parent left memory because of
 * the hold, and was queued because of the news, so that it was in memory twice.
 */
const toldAndLetGo: readonly Step[] = [
  { kind: "connect" },
  { kind: "start", at: 11 },
  {
    kind: "turn",
    at: 0,
    actions: [
      { kind: "child", seconds: 0 },
      { kind: "timer", seconds: 1 },
    ],
    ends: "goes-on",
  },
  {
    kind: "tree",
    at: 7,
    wish: { name: "", policy: "KEEP", expiresIn: 1, expiry: "TERMINATE" },
    replace: false,
  },
  { kind: "turn", at: 0, actions: [{ kind: "child", seconds: 0 }], ends: "goes-on" },
  {
    kind: "tree",
    at: 12,
    wish: { name: "", policy: "KEEP", expiresIn: 1, expiry: "RESUME" },
    replace: false,
  },
  { kind: "letGo", at: 13, pace: { perSecond: 0, canaries: 0 } },
  { kind: "raise", at: 12 },
  {
    kind: "crash",
    seconds: 8,
    asked: [],
    keepsOne: false,
    reconnects: false,
    suspended: false,
  },
];

it("one turn of an instance is with workers, also when news and the end of a hold come in one commit", async () => {
  await using hub = await openHub({ idleHeadBytesMax: 0 });
  const world = new TestedWorld(hub, false);
  for (const step of toldAndLetGo) await play(world, step);
  await finishAll(world);
  expect(world.out).toEqual([]);
});
