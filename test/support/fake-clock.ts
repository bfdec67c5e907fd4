/** Time that moves only when a test moves it, and identities that come in a known order. */
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Alarm, HubClock, SteadyClock } from "../../sidecar/foundation/clock.ts";
import type { Ids } from "../../sidecar/foundation/ids.ts";
import { addMilliseconds, isAfter } from "../../sidecar/wire/timestamp.ts";

interface HubAlarm {
  readonly time: Timestamp;
  readonly wake: () => void;
}

/** Hub time. It jumps, forward and back, as a wall clock does. */
export class FakeHubClock implements HubClock {
  readonly #alarms = new Set<HubAlarm>();
  #now: Timestamp;

  constructor(start: string) {
    this.#now = timestampFromMs(Date.parse(start));
  }

  /** How many alarms are set. */
  get alarms(): number {
    return this.#alarms.size;
  }

  now(): Timestamp {
    return this.#now;
  }

  /** The time so many milliseconds from now. */
  in(ms: number): Timestamp {
    return addMilliseconds(this.#now, ms);
  }

  wakeAt(time: Timestamp, wake: () => void): Alarm {
    const alarm = { time, wake };
    this.#alarms.add(alarm);
    // Like a timeout of 0: never within the call that sets it.
    if (!isAfter(time, this.#now)) setImmediate(() => this.#ring(alarm));
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** Moves the clock, back too, and rings what has come due. */
  advance(ms: number): void {
    this.set(this.in(ms));
  }

  set(time: Timestamp): void {
    this.#now = time;
    for (const alarm of [...this.#alarms]) this.#ring(alarm);
  }

  /** The process that set the alarms is gone. */
  forgetAlarms(): void {
    this.#alarms.clear();
  }

  #ring(alarm: HubAlarm): void {
    if (!this.#alarms.has(alarm) || isAfter(alarm.time, this.#now)) return;
    this.#alarms.delete(alarm);
    alarm.wake();
  }
}

interface SteadyAlarm {
  readonly atMs: number;
  readonly run: () => void;
}

/** Real time: it only moves forward, and rings every alarm at its own moment. */
export class FakeSteadyClock implements SteadyClock {
  readonly #alarms = new Set<SteadyAlarm>();
  #nowMs = 0;

  /** How many alarms are set. */
  get alarms(): number {
    return this.#alarms.size;
  }

  /** How long until the next alarm; Infinity when none is set. */
  get untilNextMs(): number {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? Number.POSITIVE_INFINITY : next.atMs - this.#nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Alarm {
    const alarm = { atMs: this.#nowMs + delayMs, run };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  /** Alarms that are set by those that ring are rung too, when their moment lies within `ms`. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#alarms.delete(next);
      next.run();
    }
    this.#nowMs = endMs;
  }

  /** Time has passed, and no alarm has rung yet: the event loop was busy. */
  skipTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  /** The process that set the alarms is gone. */
  forgetAlarms(): void {
    this.#alarms.clear();
  }

  #next(endMs: number): SteadyAlarm | undefined {
    let next: SteadyAlarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs <= endMs && (next === undefined || alarm.atMs < next.atMs)) next = alarm;
    }
    return next;
  }
}

/** 32 digits each, told apart by `seed`, counted from 1. */
export function countedIds(seed: string): Ids {
  let count = 0;
  return {
    next() {
      count += 1;
      return `${seed}${String(count).padStart(32 - seed.length, "0")}`;
    },
  };
}
