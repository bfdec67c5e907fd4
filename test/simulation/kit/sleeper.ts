/** An instance that sets timer after timer, and knows when each may fire. */
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import type { Random } from "../../model/kit/random.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import type { Turn } from "../../support/worker.ts";
import { createTimer } from "../../support/worker-actions.ts";

const DAY_MS = 86_400_000;

export class Sleeper {
  fired = 0;
  latestDueMs = 0;
  readonly #hub: TestHub;
  readonly #random: Random;
  readonly #due = new Map<number, number>();
  #turnClockMs = 0;
  #timers = 0;

  private constructor(hub: TestHub, random: Random) {
    this.#hub = hub;
    this.#random = random;
  }

  static async start(hub: TestHub, random: Random): Promise<Sleeper> {
    const sleeper = new Sleeper(hub, random);
    await hub.start("sleeper");
    await sleeper.look();
    return sleeper;
  }

  /** Timers that have not fired, by their action id. */
  get waiting(): readonly number[] {
    return [...this.#due.keys()];
  }

  /** Takes the turns that there are. Each sets another timer, as long as there are not too many. */
  async look(): Promise<void> {
    const worker = this.#hub.worker({ turns: 1 });
    for (let has = await worker.waiting(); has.length > 0; has = await worker.waiting()) {
      await this.#answer(worker, await worker.turn("sleeper"));
    }
    await worker.close();
  }

  async #answer(worker: ReturnType<TestHub["worker"]>, turn: Turn): Promise<void> {
    const nowMs = timestampMs(this.#hub.clock.now());
    for (const { timestamp, eventType: type } of turn.request.newEvents) {
      if (timestamp === undefined) throw new Error("an event has its time");
      if (type.case === "orchestratorStarted") {
        expect(timestampMs(timestamp), "turn clocks grow").toBeGreaterThan(this.#turnClockMs);
        this.#turnClockMs = timestampMs(timestamp);
      }
      if (type.case !== "timerFired") continue;
      const due = this.#due.get(type.value.timerId);
      expect(due, "a timer fires once").toBeDefined();
      expect(timestampMs(timestamp), "and not early").toBeGreaterThanOrEqual(due ?? 0);
      this.#due.delete(type.value.timerId);
      this.fired += 1;
    }
    await worker.complete(turn, this.#timers < 12 ? [this.#timer(nowMs), this.#timer(nowMs)] : []);
  }

  #timer(nowMs: number) {
    this.#timers += 1;
    const span = this.#random.pick([1, 60_000, 3_600_000, 30 * DAY_MS]) ?? 1;
    const dueMs = nowMs + this.#random.below(span) + 1;
    this.#due.set(this.#timers, dueMs);
    this.latestDueMs = Math.max(this.latestDueMs, dueMs);
    return createTimer(this.#timers, timestampFromMs(dueMs));
  }
}
