/**
 * Moments that planted bugs have shown to matter (T-MUT) and that random worlds seldom meet: what becomes
 * durable in the middle of something else.
 */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { memoryDisk, type TestDisk } from "../scheduler/kit/test-disk.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker } from "../support/worker.ts";
import { createTimer, sendEvent } from "../support/worker-actions.ts";

const HOUR = 3_600_000;

function workerOf(hub: TestHub, name: string): ScriptedWorker {
  return hub.worker({ filters: { orchestrations: [{ name }], activities: [] } });
}

/** An instance that sleeps for an hour; nothing keeps it in memory. */
async function startSleeping(hub: TestHub, instanceId: string): Promise<void> {
  await hub.start(instanceId, { name: "Sleeper", at: hub.clock.in(HOUR) });
  await hub.settled();
}

async function eventsOf(hub: TestHub, instanceId: string): Promise<readonly string[]> {
  await hub.pass(HOUR);
  return newEvents(await workerOf(hub, "Sleeper").turn(instanceId)).slice(2);
}

describe("mail that is not durable yet, to an instance that nobody uses", () => {
  it("is not lost when others push the instance out of memory", async () => {
    // Room for a few.
    await using hub = await openHub({ idleHeadBytesMax: 20_000 });
    const worker = workerOf(hub, "Main");
    await hub.start("sender");
    const turn = await worker.turn("sender");
    const others = Array.from({ length: 20 }, (_, at) => `other ${at}`);
    for (const id of [...others, "sleeper"]) await startSleeping(hub, id);
    hub.bytes.hold();
    void worker.complete(turn, [sendEvent(1, "sleeper", "E")]);
    await hub.settled();
    for (const id of others) await hub.status(id);
    void hub.raise("sleeper", "F");
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    expect(await eventsOf(hub, "sleeper")).toEqual(["eventRaised E", "eventRaised F"]);
  });

  it("is not lost when somebody who waited for less lets go of the instance", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = workerOf(hub, "Main");
    await hub.start("sender");
    const turn = await worker.turn("sender");
    await startSleeping(hub, "sleeper");
    hub.bytes.hold();
    const raised = hub.raise("sleeper", "E");
    await hub.settled();
    void worker.complete(turn, [sendEvent(1, "sleeper", "F")]);
    await hub.settled();
    hub.bytes.releaseOne();
    await raised;
    await hub.settled();
    const buffered = watch(hub.hub.read("sleeper", (state) => state.bufferedEvents));
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    expect(buffered.value).toBe(2);
    await hub.crash();
    const expected = ["eventRaised E", "eventRaised F"];
    expect(await eventsOf(hub, "sleeper")).toEqual(expected);
  });
});

/** A disk whose reads of due rows come back late, with what was there when they were asked for. */
function diskWithLateRows() {
  const inner = memoryDisk();
  let gate: PromiseWithResolvers<void> | undefined;
  const disk: TestDisk = {
    async mount() {
      const { store, ...mounted } = await inner.mount();
      const readDue: Store["readDue"] = async (...asked) => {
        const rows = await store.readDue(...asked);
        await gate?.promise;
        return rows;
      };
      return { ...mounted, store: Object.create(store, { readDue: { value: readDue } }) };
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  const late = {
    hold: () => {
      gate = Promise.withResolvers();
    },
    release: () => gate?.resolve(),
  };
  return { disk, late };
}

it("a timer that becomes durable while the rows of its window are being read fires in time", async () => {
  const { disk, late } = diskWithLateRows();
  await using hub = await openHub({ disk });
  const worker = workerOf(hub, "Main");
  await hub.start("a");
  const turn = await worker.turn("a");
  // Due behind the window of now, and within the next one.
  const at = hub.clock.in(LIMITS.timerWindowMs + 1_000);
  await hub.settled();
  hub.bytes.hold();
  const done = worker.complete(turn, [createTimer(1, at)]);
  late.hold();
  await hub.pass(LIMITS.timerWindowMs);
  hub.bytes.release();
  await done;
  await hub.settled();
  late.release();
  await hub.pass(1_000);
  expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["timerFired 1"]);
});
