import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";

/**
 * Something that will happen once, unless it is cancelled. Cancelling twice, or too late, does
 * nothing.
 */
export interface Alarm {
  cancel(): void;
}

/**
 * Hub time: what users see in timers, scheduled starts, expiries and histories. It follows the wall
 * clock and may jump. A test hub moves it by hand.
 */
export interface HubClock {
  now(): Timestamp;
  /**
   * Calls `wake` once hub time may have reached `time`: never early by this clock, also over jumps.
   */
  wakeAt(time: Timestamp, wake: () => void): Alarm;
}

/** Real time that only moves forward: leases, pings, grace, back-off. */
export interface SteadyClock {
  nowMs(): number;
  after(delayMs: number, run: () => void): Alarm;
}

/** A longer sleep is taken in slices, so that a jump of the wall clock is noticed soon. */
const longestSleepMs = 1_000;

/** What a `setTimeout` can be; one above it runs at once. */
const longestTimeoutMs = 2 ** 31 - 1;

export const systemHubClock: HubClock = {
  now: () => timestampFromMs(Date.now()),
  wakeAt(time, wake) {
    let timeout: NodeJS.Timeout | undefined;
    const sleep = () => {
      // Rounded up: a due time within the running millisecond must not be reached early.
      const dueMs = Number(time.seconds) * 1_000 + Math.ceil(time.nanos / 1_000_000);
      const remainingMs = dueMs - Date.now();
      if (remainingMs <= 0) {
        timeout = undefined;
        wake();
        return;
      }
      timeout = setTimeout(sleep, Math.min(remainingMs, longestSleepMs));
    };
    timeout = setTimeout(sleep, 0);
    return { cancel: () => clearTimeout(timeout) };
  },
};

export const systemSteadyClock: SteadyClock = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const dueMs = performance.now() + delayMs;
    const sleep = (restMs: number) =>
      restMs <= longestTimeoutMs
        ? setTimeout(run, restMs)
        : setTimeout(() => {
            timeout = sleep(dueMs - performance.now());
          }, longestTimeoutMs);
    let timeout = sleep(delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};
