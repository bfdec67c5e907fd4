/** Instances that have failed, and what becomes of them. */
import { expect } from "vitest";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker } from "../../support/worker.ts";
import { completed, failed, scheduleTask, startChild } from "../../support/worker-actions.ts";
import { dataOf } from "./stored-instances.ts";

export const broken = { failureDetails: { errorType: "Error", errorMessage: "broken" } };
export function rewind(hub: TestHub, instanceId: string, reason?: string): Promise<void> {
  return hub.hub.reruns.rewind({ instanceId, reason });
}

/** The log tells the live state, and the history. */
export async function expectStored(hub: TestHub, instanceId: string): Promise<void> {
  const stored = await hub.stored(instanceId);
  expect(stored && dataOf(stored.state)).toEqual(await hub.live(instanceId));
  const history = (await hub.history(instanceId)).map(({ eventType }) => eventType.case);
  expect(stored?.history.map((event) => readEvent(event).eventType.case)).toEqual(history);
}

/** An activity has succeeded, and the one behind it has failed. */
export async function failSecond(
  hub: TestHub,
  worker: ScriptedWorker,
  instanceId = "a",
): Promise<void> {
  await hub.start(instanceId);
  await worker.complete(await worker.turn(instanceId), [scheduleTask(1)]);
  await worker.finish(await worker.activity(instanceId), "one");
  await worker.complete(await worker.turn(instanceId), [scheduleTask(2)]);
  await worker.finish(await worker.activity(instanceId), undefined, broken);
  await worker.complete(await worker.turn(instanceId), [failed("broken")]);
  await hub.settled();
}

/** `parent` called `child`, and this `grandchild`: all have failed. */
export async function failFamily(hub: TestHub, worker: ScriptedWorker): Promise<void> {
  await hub.start("parent");
  await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
  await worker.complete(await worker.turn("child"), [startChild(1, "grandchild")]);
  await worker.complete(await worker.turn("grandchild"), [failed("broken")]);
  await worker.complete(await worker.turn("child"), [failed("broken")]);
  await worker.complete(await worker.turn("parent"), [failed("broken")]);
  await hub.settled();
}

/** Lets all three run to their end, each turn once. */
export async function completeFamily(hub: TestHub, worker = hub.worker()): Promise<void> {
  await worker.complete(await worker.turn("grandchild"), [completed("well")]);
  for (const [parent, child] of [
    ["child", "grandchild"],
    ["parent", "child"],
  ] as const) {
    let turn = await worker.turn(parent);
    if (newEvents(turn).length === 1) {
      await worker.complete(turn);
      turn = await worker.turn(parent);
    }
    expect(newEvents(turn).slice(1), child).toEqual(["subOrchestrationInstanceCompleted 1"]);
    await worker.complete(turn, [completed("well")]);
  }
  expect(await worker.waiting()).toEqual([]);
  for (const id of ["grandchild", "child", "parent"]) {
    expect(await hub.status(id)).toBe("COMPLETED");
  }
}
