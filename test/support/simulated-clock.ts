/** A wall clock that is set back and forth, and the clocks that one process sees. */
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Alarm, HubClock, SteadyClock } from "../../sidecar/foundation/clock.ts";
import type { Random } from "../model/kit/random.ts";
import type { SimulatedLoop } from "./simulated-loop.ts";

const BEGINNING_MS = Date.parse("2026-01-01T10:00:00Z");

/** A process notices within so much time that the wall clock was set. */
const NOTICED_WITHIN_MS = 1_000;

interface WallAlarm {
  readonly dueMs: number;
  arm(delayMs: number): void;
}

export class WallClock {
  readonly loop: SimulatedLoop;
  readonly #random: Random;
  readonly #alarms = new Set<WallAlarm>();
  #aheadMs = 0;
  #highestMs = 0;
  jumps = 0;

  constructor(loop: SimulatedLoop, random: Random) {
    this.loop = loop;
    this.#random = random;
  }

  /** Whole milliseconds, as Date.now() gives them. */
  get nowMs(): number {
    const nowMs = BEGINNING_MS + Math.floor(this.loop.nowMs) + this.#aheadMs;
    this.#highestMs = Math.max(this.#highestMs, nowMs);
    return nowMs;
  }

  /** The latest time that it has ever shown. */
  get highestMs(): number {
    return Math.max(this.#highestMs, this.nowMs);
  }

  now(): Timestamp {
    return timestampFromMs(this.nowMs);
  }

  /** Sets the clock, forward or back. */
  jump(ms: number): void {
    this.#highestMs = this.highestMs;
    this.jumps += 1;
    this.#aheadMs += Math.round(ms);
    for (const alarm of this.#alarms) {
      const leftMs = alarm.dueMs - this.nowMs;
      alarm.arm(leftMs <= 0 ? this.#random.below(NOTICED_WITHIN_MS) : leftMs);
    }
  }

  wakeAt(time: Timestamp, isAlive: () => boolean, wake: () => void): Alarm {
    const dueMs = Number(time.seconds) * 1_000 + Math.ceil(time.nanos / 1_000_000);
    let cancelTimeout = () => {};
    const ring = () => {
      // It was set back meanwhile.
      if (this.nowMs < dueMs) return alarm.arm(dueMs - this.nowMs);
      this.#alarms.delete(alarm);
      if (isAlive()) wake();
    };
    const alarm: WallAlarm = {
      dueMs,
      arm: (delayMs) => {
        cancelTimeout();
        cancelTimeout = this.loop.after(delayMs, "wall alarm", ring);
      },
    };
    this.#alarms.add(alarm);
    alarm.arm(dueMs - this.nowMs);
    return {
      cancel: () => {
        cancelTimeout();
        this.#alarms.delete(alarm);
      },
    };
  }
}

/** What a process has of time. It ends with the process: alarms of a dead one never ring. */
export function processClocks(
  wall: WallClock,
  isAlive: () => boolean,
): { readonly hubClock: HubClock; readonly steadyClock: SteadyClock } {
  const { loop } = wall;
  return {
    hubClock: {
      now: () => wall.now(),
      wakeAt: (time, wake) => wall.wakeAt(time, isAlive, wake),
    },
    steadyClock: {
      nowMs: () => loop.nowMs,
      after(delayMs, run) {
        const cancel = loop.after(delayMs, "alarm", () => {
          if (isAlive()) run();
        });
        return { cancel };
      },
    },
  };
}
