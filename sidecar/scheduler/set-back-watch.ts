/**
 * Notices within a minute that the wall clock was set back. Nothing falls due because of that, so no
 * alarm tells: a window that had begun has to begin again, and lets go what it held back. A clock
 * that was set back by less than a minute has made up for it by then.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Alarm, HubClock, SteadyClock } from "../foundation/clock.ts";
import { isAfter } from "../wire/timestamp.ts";

const everyMs = 60_000;

export interface SetBackWatchOptions {
  readonly hubClock: HubClock;
  readonly clock: SteadyClock;
  readonly noticed: () => void;
}

export class SetBackWatch {
  readonly #options: SetBackWatchOptions;
  #seen: Timestamp | undefined;
  #alarm: Alarm | undefined;

  constructor(options: SetBackWatchOptions) {
    this.#options = options;
  }

  /** Looks every minute from now on. */
  start(): void {
    const { hubClock, clock, noticed } = this.#options;
    const now = hubClock.now();
    const isSetBack = this.#seen !== undefined && isAfter(this.#seen, now);
    this.#seen = now;
    if (isSetBack) noticed();
    this.#alarm = clock.after(everyMs, () => this.start());
  }

  close(): void {
    this.#alarm?.cancel();
  }
}
