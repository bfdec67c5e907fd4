/** Timers and scheduled starts: never early, never lost. */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { compareTimestamps } from "../../sidecar/wire/timestamp.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { createTimer, scheduleTask } from "../support/worker-actions.ts";

const DAY = 24 * 60 * MINUTE;

/** An instance that waits for one timer; its turns are taken by a worker that is gone. */
async function sleepUntil(hub: TestHub, at: Timestamp, id = "a"): Promise<void> {
  const worker = hub.worker();
  await hub.start(id);
  await worker.complete(await worker.turn(id), [createTimer(1, at)]);
  await hub.settled();
  await worker.close();
}

async function hasFired(hub: TestHub, id = "a"): Promise<boolean> {
  await hub.settled();
  return (await hub.hub.read(id, (state) => state.inbox.length)) === 1;
}

describe("a timer", () => {
  it.each([
    ["1 ms", 1],
    ["within the window", LIMITS.timerWindowMs - 1],
    ["at the end of the window", LIMITS.timerWindowMs],
    ["behind the window", LIMITS.timerWindowMs + 1],
    ["30 days", 30 * DAY],
  ])("of %s does not fire early, and fires in time", async (_what, ms) => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(ms));
    await hub.pass(ms - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("of the year 9999 does not fire early, and fires in time", async () => {
    await using hub = await openHub();
    const at = timestampFromMs(Date.parse("9999-12-31T23:59:59.999Z"));
    await sleepUntil(hub, at);
    hub.clock.set(timestampFromMs(Date.parse("9999-12-31T23:59:59.998Z")));
    expect(await hasFired(hub)).toBe(false);
    hub.clock.advance(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("does not fire within the millisecond before it is due", async () => {
    await using hub = await openHub();
    const { seconds, nanos } = hub.clock.in(5);
    await sleepUntil(hub, create(TimestampSchema, { seconds, nanos: nanos + 100 }));
    hub.clock.advance(5);
    expect(await hasFired(hub)).toBe(false);
    hub.clock.advance(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("that is due when it is created fires at once", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(-MINUTE));
    expect(await hasFired(hub)).toBe(true);
  });

  it("has a turn whose clock is not before it, whatever the hub's clock says", async () => {
    await using hub = await openHub();
    const at = hub.clock.in(5_000);
    await sleepUntil(hub, at);
    await hub.pass(5_000);
    hub.clock.advance(-MINUTE);
    const worker = hub.worker();
    const [started] = (await worker.turn("a")).request.newEvents;
    expect(started?.timestamp && compareTimestamps(started.timestamp, at)).toBeGreaterThanOrEqual(
      0,
    );
  });

  it("is found as time goes on step by step over many windows", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(10 * MINUTE));
    for (let minute = 1; minute < 10; minute += 1) {
      await hub.pass(MINUTE);
      expect(await hasFired(hub)).toBe(false);
    }
    await hub.pass(MINUTE);
    expect(await hasFired(hub)).toBe(true);
  });

  it("fires late when the wall clock is set forward over it", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(5 * MINUTE));
    hub.clock.advance(60 * MINUTE);
    expect(await hasFired(hub)).toBe(true);
  });

  it("fires in time when the wall clock was set back", async () => {
    await using hub = await openHub();
    const at = hub.clock.in(30_000);
    await sleepUntil(hub, at);
    hub.clock.advance(-60 * MINUTE);
    await sleepUntil(hub, hub.clock.in(1_000), "b");
    await hub.pass(1_000);
    expect([await hasFired(hub), await hasFired(hub, "b")]).toEqual([false, true]);
    hub.clock.set(at);
    expect(await hasFired(hub)).toBe(true);
  });

  it("fires in time when the wall clock is set back while it is about to fire", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(1_000));
    hub.clock.advance(1_000);
    hub.clock.advance(-500);
    expect(await hasFired(hub)).toBe(false);
    hub.clock.advance(500);
    expect(await hasFired(hub)).toBe(true);
  });

  it("fires once", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(1_000));
    await hub.pass(1_000);
    hub.clock.advance(-10_000);
    await hub.pass(20_000);
    expect(await hasFired(hub)).toBe(true);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("fires while nothing of its instance is in memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await sleepUntil(hub, hub.clock.in(1_000));
    await hub.pass(1_000);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("that was due while the process was down fires after its start", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(30 * DAY));
    await hub.kill();
    hub.clock.advance(31 * DAY);
    await hub.crash();
    expect(await hasFired(hub)).toBe(true);
  });

  it("that falls due while the process is up again fires in time", async () => {
    await using hub = await openHub();
    await sleepUntil(hub, hub.clock.in(2 * MINUTE));
    await hub.crash();
    await hub.pass(2 * MINUTE - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });
});

describe("timers of one instance", () => {
  it("fire in the order in which they are due, those of one time together", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [
      createTimer(1, hub.clock.in(3_000)),
      createTimer(2, hub.clock.in(1_000)),
      createTimer(3, hub.clock.in(3_000)),
    ]);
    await hub.pass(1_000);
    const first = await worker.turn("a");
    expect(newEvents(first)).toEqual(["orchestratorStarted", "timerFired 2"]);
    await hub.pass(5_000);
    await worker.complete(first);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["timerFired 1", "timerFired 3"]);
  });

  it("are found when an earlier one is created later", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(40_000))]);
    await hub.raise("a", "E");
    await worker.complete(await worker.turn("a"), [createTimer(2, hub.clock.in(20_000))]);
    await hub.pass(20_000);
    const turn = await worker.turn("a");
    expect(newEvents(turn).slice(1)).toEqual(["timerFired 2"]);
    await worker.complete(turn);
    await hub.pass(20_000);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["timerFired 1"]);
  });
});

describe("the window of timers", () => {
  it("misses no row that becomes durable while the window moves over it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    // Due behind the window of now, and within the next one.
    const at = hub.clock.in(LIMITS.timerWindowMs + 1_000);
    hub.bytes.hold();
    void hub.raise("a", "E");
    await hub.settled();
    void worker.complete(turn, [createTimer(1, at)]);
    await hub.settled();
    // What comes before the timer is durable, the timer is not.
    hub.bytes.releaseOne();
    await hub.settled();
    await hub.pass(LIMITS.timerWindowMs);
    hub.bytes.release();
    await worker.complete(await worker.turn("a"));
    await hub.pass(1_000);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["timerFired 1"]);
  });

  it(`holds ${LIMITS.timerWindowRowsMax} rows at most, and finds the rest behind them`, async () => {
    await using hub = await openHub();
    const count = LIMITS.timerWindowRowsMax + 50;
    const at = hub.clock.in(1_000);
    await Promise.all(Array.from({ length: count }, (_, index) => hub.start(`a${index}`, { at })));
    await hub.crash();
    expect(await hub.store.readDue(undefined, count)).toHaveLength(count);
    await hub.pass(1_000);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });

  it("drops rows of instances that are gone", async () => {
    await using hub = await openHub();
    await hub.start("a", { at: hub.clock.in(1_000) });
    await hub.start("b", { at: hub.clock.in(1_000) });
    await hub.hub.delete();
    expect(await hub.store.readDue(undefined, 10)).toHaveLength(2);
    await hub.pass(1_000);
    expect(await hub.store.readDue(undefined, 10)).toEqual([]);
  });
});

describe("a scheduled start", () => {
  it("is handed out at its time and not before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { at: hub.clock.in(90_000) });
    await hub.pass(89_999);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("keeps events that are raised before it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { at: hub.clock.in(1_000) });
    await hub.raise("a", "E");
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1_000);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual([
      "executionStarted",
      "eventRaised E",
    ]);
  });

  it("survives a crash", async () => {
    await using hub = await openHub();
    await hub.start("a", { at: hub.clock.in(1_000) });
    await hub.crash();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("that is suspended waits for its resume behind its time", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { at: hub.clock.in(1_000) });
    await hub.suspend("a");
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
    await hub.resume("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

it("a timer ends with its instance", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [
    createTimer(1, hub.clock.in(1_000)),
    scheduleTask(2),
  ]);
  await hub.terminate("a");
  await hub.pass(1_000);
  expect(await hub.hub.read("a", (state) => state.inbox.length)).toBe(0);
});
