/** T-CLOCK: clocks that are set back and forth, on the system's own clocks and on a whole hub. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemHubClock, systemSteadyClock } from "../../sidecar/foundation/clock.ts";
import { Random } from "../model/kit/random.ts";
import { rig } from "../support/rig.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { Sleeper } from "./kit/sleeper.ts";

const SECOND = 1_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("the clocks of the system", () => {
  const start = Date.parse("2026-12-31T23:00:00Z");

  beforeEach(() => {
    vi.useFakeTimers({ now: start, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  /** Rings at a wall-clock time, and tells what the wall clock showed then. */
  function alarmAt(timeMs: number, nanos = 0) {
    const rung: number[] = [];
    const time = timestampFromMs(timeMs);
    time.nanos += nanos;
    const alarm = systemHubClock.wakeAt(time, () => rung.push(Date.now()));
    return { rung, alarm };
  }

  it.each([
    ["a second", SECOND],
    ["30 days", 30 * DAY],
    ["9,000 years", 9_000 * 365 * DAY],
  ])("an alarm in %s is not early, and rings when its time has come", (_what, ms) => {
    const due = start + Math.min(ms, Date.parse("9999-12-31T23:59:59Z") - start);
    const { rung } = alarmAt(due);
    vi.setSystemTime(due - 1);
    vi.advanceTimersByTime(0);
    expect(rung).toEqual([]);
    vi.advanceTimersByTime(SECOND);
    expect(rung).toHaveLength(1);
    expect(rung[0]).toBeGreaterThanOrEqual(due);
  });

  it("an alarm of 30 days does not overflow a timeout", () => {
    const { rung } = alarmAt(start + 30 * DAY);
    vi.advanceTimersByTime(HOUR);
    expect(rung).toEqual([]);
  });

  it.each([
    ["an hour forward", HOUR],
    ["an hour back", -HOUR],
    ["a second back, as over a leap second", -SECOND],
  ])("a jump of %s is noticed within a second, and makes nothing early", (_what, ms) => {
    const due = start + 2 * HOUR;
    const { rung } = alarmAt(due);
    vi.advanceTimersByTime(HOUR + 500);
    vi.setSystemTime(Date.now() + ms);
    const left = due - Date.now();
    vi.advanceTimersByTime(Math.max(0, left - 1));
    expect(rung.filter((at) => at < due)).toEqual([]);
    vi.advanceTimersByTime(SECOND + 1);
    expect(rung).toHaveLength(1);
    expect(rung[0]).toBeGreaterThanOrEqual(due);
  });

  it("an alarm rings once, over a second that comes twice", () => {
    const due = Date.parse("2027-01-01T00:00:00Z");
    const { rung } = alarmAt(due);
    vi.advanceTimersByTime(due - start - 1);
    vi.setSystemTime(due - SECOND);
    vi.advanceTimersByTime(SECOND - 1);
    expect(rung).toEqual([]);
    vi.advanceTimersByTime(SECOND);
    vi.setSystemTime(due - 1);
    vi.advanceTimersByTime(MINUTE);
    expect(rung).toHaveLength(1);
  });

  it("an alarm within the running millisecond waits for the next one", () => {
    const { rung } = alarmAt(start + 5, 100);
    vi.advanceTimersByTime(5);
    expect(rung).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(rung).toEqual([start + 6]);
  });

  it("an alarm that is cancelled stays silent, whatever the clock does", () => {
    const { rung, alarm } = alarmAt(start + HOUR);
    alarm.cancel();
    vi.setSystemTime(start + DAY);
    vi.advanceTimersByTime(2 * HOUR);
    expect(rung).toEqual([]);
  });

  it.each([-HOUR, HOUR])("steady time does not feel a jump of %i ms", (ms) => {
    let isOver = false;
    systemSteadyClock.after(MINUTE, () => {
      isOver = true;
    });
    const before = systemSteadyClock.nowMs();
    vi.setSystemTime(Date.now() + ms);
    expect(systemSteadyClock.nowMs()).toBe(before);
    vi.advanceTimersByTime(MINUTE - 1);
    expect(isOver).toBe(false);
    vi.advanceTimersByTime(1);
    expect(isOver).toBe(true);
  });

  it("a steady delay of 60 days does not overflow a timeout", () => {
    let isOver = false;
    systemSteadyClock.after(60 * DAY, () => {
      isOver = true;
    });
    vi.advanceTimersByTime(60 * DAY - 1);
    expect(isOver).toBe(false);
    vi.advanceTimersByTime(1);
    expect(isOver).toBe(true);
  });
});

describe("a hub whose clock jumps at random", () => {
  const clock = rig("T-CLOCK");
  const runs = clock.count(40, 2_000);

  it("fires no timer early and loses none, and its turns have clocks that only grow", async () => {
    let timers = 0;
    let jumps = 0;
    for (let seed = clock.seed; seed < clock.seed + runs; seed += 1) {
      const random = new Random(seed);
      await using hub = await openHub();
      const sleeper = await Sleeper.start(hub, random);
      for (let step = 0; step < 30; step += 1) {
        jumps += await passOrJump(hub, random);
        await sleeper.look();
      }
      // Each look may set more of them, twelve in all.
      for (let round = 0; round < 8 && sleeper.waiting.length > 0; round += 1) {
        hub.clock.set(timestampFromMs(sleeper.latestDueMs));
        await hub.pass(MINUTE);
        await sleeper.look();
      }
      expect(sleeper.waiting, `timers that never fired, SEED=${seed}`).toEqual([]);
      timers += sleeper.fired;
    }
    clock.report({ runs, timers, clockJumps: jumps });
  });

  it.each([-HOUR, HOUR, -30 * DAY, 30 * DAY])("a jump of %i ms ends no lease", async (ms) => {
    await using hub = await openHub();
    const first = hub.worker({ turns: 1 });
    const second = hub.worker({ turns: 1 });
    await hub.start("a");
    const turn = await first.turn("a");
    hub.clock.advance(ms);
    await hub.pass(4 * MINUTE);
    expect(await second.waiting(), "within 5 minutes of real time it is the first one's").toEqual(
      [],
    );
    await hub.pass(MINUTE);
    const items = [...(await first.waiting()), ...(await second.waiting())];
    expect(items, "behind them it comes back").toEqual(["turn a"]);
    await first.complete(turn);
    expect(await hub.status("a"), "and the first one's answer is late").toBe("PENDING");
  });
});

/** Time passes, or the clock is set: an hour as summer time does it, a leap second, a day. */
async function passOrJump(hub: TestHub, random: Random): Promise<number> {
  if (random.chance(50)) {
    await hub.pass(random.pick([1, 999, 30 * SECOND, MINUTE, HOUR]) ?? 1);
    return 0;
  }
  if (random.chance(20)) {
    await hub.crash({ downMs: random.below(2 * HOUR) });
    return 0;
  }
  const ms = random.pick([SECOND, HOUR, DAY]) ?? SECOND;
  hub.clock.advance(random.chance(50) ? ms : -ms);
  await hub.settled();
  return 1;
}
