/** Instances that wait outside memory while something else happens to them. */
import { expect, it } from "vitest";
import { holdHub } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { scheduleTask } from "../support/worker-actions.ts";

/** What waits for workers has no room, though heads that nobody uses stay in memory. */
const noRoom = { started: { readyBytesMax: 0 } };

function turnWorker(hub: TestHub, name = "Main"): ScriptedWorker {
  return hub.worker({ turns: 1, filters: { orchestrations: [{ name }], activities: [] } });
}

function activityWorker(hub: TestHub): ScriptedWorker {
  return hub.worker({
    activities: 1,
    filters: { orchestrations: [], activities: [{ name: "Work" }] },
  });
}

/** Nobody takes the activity of "x" yet. */
async function withActivity(hub: TestHub): Promise<ScriptedWorker> {
  const worker = turnWorker(hub);
  await hub.start("x");
  await worker.complete(await worker.turn("x"), [scheduleTask(1)]);
  await hub.settled();
  return worker;
}

it("an event that comes while an activity is being fetched does not strand the activity", async () => {
  await using hub = await openHub(noRoom);
  const turns = await withActivity(hub);
  hub.bytes.holdReads();
  const activities = activityWorker(hub);
  await hub.settled();
  await hub.raise("x", "E");
  await hub.settled();
  hub.bytes.releaseReads();
  await hub.settled();
  expect(hub.hub.scanned.violations()).toEqual(new Map());
  expect(await activities.waiting()).toEqual(["activity x 1"]);
  expect(await turns.waiting()).toEqual(["turn x"]);
});

it("what a stream has asked for in vain while it was held goes on with its release", async () => {
  await using hub = await openHub(noRoom);
  await withActivity(hub);
  await hub.suspend("x");
  const activities = activityWorker(hub);
  await hub.settled();
  await hub.resume("x");
  expect(await activities.waiting()).toEqual(["activity x 1"]);
});

it("an activity that is not durable is not fetched either", async () => {
  await using hub = await openHub(noRoom);
  const turns = turnWorker(hub);
  await hub.start("x");
  const turn = await turns.turn("x");
  hub.bytes.hold();
  const raised = hub.raise("x", "E");
  await hub.settled();
  const completed = turns.complete(turn, [scheduleTask(1)]);
  await hub.settled();
  hub.bytes.releaseOne();
  await raised;
  const activities = activityWorker(hub);
  expect(await activities.waiting()).toEqual([]);
  hub.bytes.release();
  await completed;
  expect(await activities.waiting()).toEqual(["activity x 1"]);
});

it("a hold that comes while they are being fetched counts them", async () => {
  await using hub = await openHub({ idleHeadBytesMax: 0, ...noRoom });
  for (const id of ["a", "b", "c"]) await hub.start(id);
  await hub.crash();
  hub.bytes.holdReads();
  turnWorker(hub, "Other");
  await hub.settled();
  await holdHub(hub);
  await hub.settled();
  hub.bytes.releaseReads();
  await hub.settled();
  const { instancesHeldBack } = await hub.hub.stillnesses.ofHub((facts) => facts);
  expect(instancesHeldBack).toBe(3);
});
