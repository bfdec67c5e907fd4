/** A wall clock that is set back: nothing falls due because of it, and yet something has to happen. */

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { SetBackWatch } from "../../sidecar/scheduler/set-back-watch.ts";
import { TimerQueue } from "../../sidecar/scheduler/timer-queue.ts";
import { InstanceAddressSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";
import { holdHub } from "../support/hold-calls.ts";
import { MINUTE, openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { createTimer } from "../support/worker-actions.ts";

/** As the process does it: see `Oversight`. */
function watched(hub: TestHub): SetBackWatch {
  const noticed = () => hub.hubs.clockSetBack();
  const setBack = new SetBackWatch({ hubClock: hub.clock, clock: hub.steady, noticed });
  setBack.start();
  return setBack;
}

/** Once the time that the clock shows has been seen. */
async function setBack(hub: TestHub, ms: number): Promise<void> {
  await hub.pass(MINUTE);
  hub.clock.advance(-ms);
  await hub.pass(MINUTE);
}

describe("a window that has not begun any more", () => {
  it("lets go what it had held back, and holds when it begins again", async () => {
    await using hub = await openHub();
    watched(hub);
    const worker = hub.worker();
    await holdHub(hub, { startsAt: hub.clock.in(10 * MINUTE) });
    await hub.pass(11 * MINUTE);
    await hub.start("a");
    expect(await worker.waiting()).toEqual([]);
    await setBack(hub, 10 * MINUTE);
    await worker.complete(await worker.turn("a"));
    await hub.pass(10 * MINUTE);
    await hub.raise("a", "E");
    expect(await worker.waiting()).toEqual([]);
  });

  it("lets time go on for timers", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(10 * MINUTE))]);
    await holdHub(hub, { freeze: true, startsAt: hub.clock.in(20 * MINUTE) });
    // Ahead at once: the window begins before the timer has fired.
    hub.clock.advance(30 * MINUTE);
    await hub.settled();
    expect(await worker.waiting()).toEqual([]);
    hub.clock.advance(-25 * MINUTE);
    // Of this hub alone: the queue of what is due would read the row again.
    hub.hub.clockSetBack();
    await hub.pass(5 * MINUTE);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("is waited for until it has begun again and is still", async () => {
    await using hub = await openHub();
    watched(hub);
    await holdHub(hub, { startsAt: hub.clock.in(10 * MINUTE) });
    await hub.pass(11 * MINUTE);
    await setBack(hub, 5 * MINUTE);
    const { signal } = new AbortController();
    const isIt = () => true;
    const call = watch(hub.hub.stillnesses.waitForHubHold(isIt, "window", signal));
    await hub.pass(MINUTE);
    expect(call.state).toBe("pending");
    await hub.pass(2 * MINUTE);
    expect(call.state).toBe("done");
  });
});

it("what is due next year is not taken into memory because the clock was there once", async () => {
  await using hub = await openHub();
  const queue = new TimerQueue(hub.store, hub.clock, () => {});
  await queue.start();
  hub.clock.advance(365 * 24 * 60 * MINUTE);
  await hub.settled();
  hub.clock.advance(-365 * 24 * 60 * MINUTE);
  const address = create(InstanceAddressSchema, { hub: 1n, instanceId: "a" });
  const row = { due: hub.clock.in(2 * MINUTE), number: 1n, address };
  queue.setBack();
  await hub.settled();
  expect(queue.schedule(row)).toBe(false);
  await queue.close();
});

it("is noticed within a minute, once, and not when the clock goes forward", async () => {
  await using hub = await openHub();
  let noticed = 0;
  const { clock: hubClock, steady: clock } = hub;
  const setBack = new SetBackWatch({ hubClock, clock, noticed: () => (noticed += 1) });
  setBack.start();
  await hub.pass(10 * MINUTE);
  hub.clock.advance(60 * MINUTE);
  await hub.pass(MINUTE);
  expect(noticed).toBe(0);
  hub.clock.advance(-2 * MINUTE);
  await hub.pass(MINUTE);
  expect(noticed).toBe(1);
  await hub.pass(10 * MINUTE);
  expect(noticed).toBe(1);
  setBack.close();
  hub.clock.advance(-60 * MINUTE);
  await hub.pass(10 * MINUTE);
  expect(noticed).toBe(1);
});
