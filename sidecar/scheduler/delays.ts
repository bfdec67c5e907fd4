import type { Alarm, SteadyClock } from "../foundation/clock.ts";

/** What is to be done after a while, unless its owner is closed before. */
export class Delays {
  readonly #clock: Pick<SteadyClock, "after">;
  readonly #alarms = new Set<Alarm>();

  constructor(clock: Pick<SteadyClock, "after">) {
    this.#clock = clock;
  }

  /** Runs something later, at once when the delay is 0. */
  later(delayMs: number, run: () => void): void {
    if (delayMs === 0) {
      run();
      return;
    }
    const alarm = this.#clock.after(delayMs, () => {
      this.#alarms.delete(alarm);
      run();
    });
    this.#alarms.add(alarm);
  }

  close(): void {
    for (const alarm of this.#alarms) alarm.cancel();
  }
}
