/**
 * Ready instances that wait outside memory, because next to nothing may be kept in it: each is handed out,
 * once, when somebody takes its work.
 */
import { describe, expect, it } from "vitest";
import { holdHub, releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed } from "../support/worker-actions.ts";

const NAMES = ["Paint", "Print", "Pack"] as const;
/** More than come back at once. */
const EACH = 40;

function idsOf(name: string): readonly string[] {
  return Array.from({ length: EACH }, (_, at) => `${name} ${at}`).toSorted();
}

async function filled(): Promise<TestHub> {
  const hub = await openHub({ started: { readyBytesMax: 0 } });
  for (let at = 0; at < EACH; at += 1) {
    for (const name of NAMES) await hub.start(`${name} ${at}`, { name });
  }
  return hub;
}

/** Completes whatever comes until nothing comes any more; ids in the order of coming. */
async function work(hub: TestHub, worker: ScriptedWorker): Promise<readonly string[]> {
  const ids: string[] = [];
  // Those of which nobody knows what they wait for come back a few at a time.
  for (let quiet = 0; quiet < 2 * EACH * NAMES.length; quiet += 1) {
    await hub.pass(10);
    for (const item of worker.items.splice(0)) {
      if (item.kind !== "turn") continue;
      ids.push(item.instanceId);
      await worker.complete(item, [completed()]);
      quiet = 0;
    }
  }
  return ids;
}

function workerOf(hub: TestHub, name: string): ScriptedWorker {
  return hub.worker({ turns: 2, filters: { orchestrations: [{ name }], activities: [] } });
}

describe("instances that wait outside memory", () => {
  it("are there for whoever takes them, name by name, and nobody gets one twice", async () => {
    await using hub = await filled();
    for (const name of NAMES) {
      const worker = workerOf(hub, name);
      expect((await work(hub, worker)).toSorted()).toEqual(idsOf(name));
      await worker.close();
    }
  });

  it("are there after a crash, when nobody knows any more what they wait for", async () => {
    await using hub = await filled();
    await hub.crash();
    for (const name of NAMES.toReversed()) {
      const worker = workerOf(hub, name);
      expect((await work(hub, worker)).toSorted()).toEqual(idsOf(name));
      await worker.close();
    }
  });

  it("are not overtaken by those that come later", async () => {
    await using hub = await openHub({ started: { readyBytesMax: 1 } });
    for (const id of ["first", "second", "third"]) await hub.start(id);
    const worker = hub.worker({ turns: 1 });
    const order: string[] = [];
    for (let at = 0; at < 6; at += 1) {
      await hub.pass(10);
      const turn = await worker.turn();
      order.push(turn.instanceId);
      if (at < 3) await hub.start(`later ${at}`);
      await worker.complete(turn, [completed()]);
    }
    expect(order).toEqual(["first", "second", "third", "later 0", "later 1", "later 2"]);
  });

  it("count as held back as soon as a window holds them, and go on with its release", async () => {
    await using hub = await filled();
    await holdHub(hub);
    await hub.settled();
    const { instancesHeldBack } = await hub.hub.stillnesses.ofHub((facts) => facts);
    expect(instancesHeldBack).toBe(EACH * NAMES.length);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub);
    expect((await work(hub, worker)).toSorted()).toEqual(NAMES.flatMap(idsOf).toSorted());
  });
});
