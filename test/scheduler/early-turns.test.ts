/** Turns that are handed out before the events that woke them are durable, and nothing else. */
import { expect, it } from "vitest";
import { openHub, watch } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const early = { started: { earlyTurns: true } };

it("a turn is handed out while its event is being written", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  hub.bytes.hold();
  const raised = watch(hub.raise("a", "E"));
  expect(await worker.waiting()).toEqual(["turn a"]);
  expect(raised.state).toBe("pending");
  hub.bytes.release();
  await raised.promise;
});

it("the answer to such a turn waits until it is durable, with all that it rests on", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  hub.bytes.hold();
  const raised = watch(hub.raise("a", "E"));
  const turn = await worker.turn("a");
  const answered = watch(worker.complete(turn, [completed()]));
  await hub.settled();
  expect([raised.state, answered.state]).toEqual(["pending", "pending"]);
  hub.bytes.release();
  await Promise.all([raised.promise, answered.promise]);
  expect(await hub.status("a")).toBe("COMPLETED");
});

it("a crash takes the event and the turn: the worker's answer changes nothing", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  hub.bytes.hold();
  void hub.raise("a", "E");
  const turn = await worker.turn("a");
  await hub.crash();
  const next = hub.worker();
  await next.complete(turn, [completed()]);
  expect(await hub.status("a")).toBe("RUNNING");
  expect(await next.waiting()).toEqual([]);
});

it("activities wait until the turn that scheduled them is durable", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  const turn = await worker.turn("a");
  hub.bytes.hold();
  void worker.complete(turn, [scheduleTask(1)]);
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.release();
  expect(await worker.waiting()).toEqual(["activity a 1"]);
});

it("nothing is handed out because of a release that is not durable", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  await hub.suspend("a");
  await hub.raise("a", "E");
  hub.bytes.hold();
  const resumed = watch(hub.resume("a"));
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.release();
  await resumed.promise;
  expect(await worker.waiting()).toEqual(["turn a"]);
});

it("a hold that is being written keeps turns back already", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  hub.bytes.hold();
  void hub.suspend("a");
  void hub.raise("a", "E");
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.release();
});

it("events that come together are taken by one turn", async () => {
  await using hub = await openHub(early);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"));
  hub.bytes.hold();
  const raised = ["A", "B", "C"].map((name) => hub.raise("a", name));
  expect(newEvents(await worker.turn("a"))).toHaveLength(4);
  hub.bytes.release();
  await Promise.all(raised);
});
