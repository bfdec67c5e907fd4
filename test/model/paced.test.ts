/** A paced release, counted: so many at once, so many each second, and who is through stays through. */
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { PacedReleaseSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { scheduleTask } from "../support/worker-actions.ts";
import { hold } from "./kit/hold-commands.ts";

function pace(hub: TestHub, instancesPerSecond: number, canaries: number): Promise<undefined> {
  const how = create(PacedReleaseSchema, { instancesPerSecond, canaries });
  return hub.hub.suspensions.releaseWindows({ name: "h" }, how, "test", noReply);
}

async function heldInstances(hub: TestHub, count: number): Promise<void> {
  await hold(hub, "window");
  for (let at = 1; at <= count; at += 1) await hub.start(`a${at}`);
}

it("lets so many through each second and no more, and ends when nobody waits", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await heldInstances(hub, 6);
  await pace(hub, 2, 0);
  const through: number[] = [];
  for (let second = 0; second < 4; second += 1) {
    through.push((await worker.waiting()).length);
    // In small steps: an alarm that rings late is not made up for.
    for (let step = 0; step < 10; step += 1) await hub.pass(100);
  }
  expect(through).toEqual([1, 3, 5, 6]);
  expect(hub.hub.hubHolds).toEqual([]);
});

it("lets its canaries through, then as many more as it is told, and who is through stays through", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await heldInstances(hub, 5);
  await pace(hub, 0, 2);
  await hub.pass(60_000);
  expect((await worker.waiting()).length).toBe(2);
  const [first] = await worker.waiting();
  const canary = await worker.turn();
  expect(`turn ${canary.instanceId}`).toBe(first);
  await pace(hub, 0, 1);
  await hub.pass(60_000);
  expect((await worker.waiting()).length).toBe(2);
  await worker.complete(canary, [scheduleTask(1)]);
  await hub.raise(canary.instanceId, "Event");
  const { instanceId } = canary;
  expect((await worker.waiting()).filter((item) => item.includes(instanceId))).toEqual([
    `activity ${instanceId} 1`,
    `turn ${instanceId}`,
  ]);
  await pace(hub, 0, 0);
  expect((await worker.waiting()).length).toBe(6);
  expect(hub.hub.hubHolds).toEqual([]);
});

it("that a crash interrupts goes on at its pace", async () => {
  await using hub = await openHub();
  await heldInstances(hub, 5);
  await pace(hub, 1, 0);
  await hub.pass(1_000);
  await hub.crash();
  const worker = hub.worker();
  const through: number[] = [];
  for (let second = 0; second < 5; second += 1) {
    through.push((await worker.waiting()).length);
    await hub.pass(1_000);
  }
  expect(through).toEqual([1, 2, 3, 4, 5]);
  expect(hub.hub.hubHolds).toEqual([]);
});

it("placed anew while it is being released it holds everybody again", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await heldInstances(hub, 4);
  await pace(hub, 0, 1);
  const canary = await worker.turn();
  await hold(hub, "window");
  await worker.complete(canary, [scheduleTask(1)]);
  await hub.pass(60_000);
  expect(await worker.waiting()).toEqual([]);
  await pace(hub, 0, 0);
  expect((await worker.waiting()).length).toBe(4);
});
