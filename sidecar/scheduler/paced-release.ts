/**
 * A hold that goes away instance by instance. Who was let through stays through as long as the
 * process lives; the pace itself is durable, and begins again after a crash.
 */
import type { SteadyClock } from "../foundation/clock.ts";
import type { PacedRelease as Pace } from "../wire/gen/taskhub/internal/v1/state_pb.ts";

/** What was not used in the last moments may be caught up on, so that alarms need not be exact. */
const catchUpMs = 100;

export class PacedRelease {
  /** Instances that wait for room, by id, who came first before the others. */
  readonly waiting = new Set<string>();
  readonly #clock: SteadyClock;
  readonly #through = new Set<bigint>();
  #pace: Pace;
  #letThrough = 0;
  #nextAtMs: number;

  constructor(pace: Pace, clock: SteadyClock) {
    this.#pace = pace;
    this.#clock = clock;
    this.#nextAtMs = clock.nowMs();
  }

  get pace(): Pace {
    return this.#pace;
  }

  /** Instances each second; 0 is all at once. Canaries are one second apart unless the pace says more. */
  get rate(): number {
    const { instancesPerSecond, canaries } = this.#pace;
    return instancesPerSecond === 0 && canaries > 0 ? 1 : instancesPerSecond;
  }

  /** How many were let through since the process was started. */
  get letThrough(): number {
    return this.#through.size;
  }

  /** All canaries are through, and somebody has to say how it goes on. */
  get awaitingResume(): boolean {
    return this.#pace.canaries > 0 && this.#letThrough >= this.#pace.canaries;
  }

  /** A second resume: who is through stays through. */
  continueWith(pace: Pace): void {
    this.#pace = pace;
    this.#letThrough = 0;
    this.#nextAtMs = this.#clock.nowMs();
  }

  isThrough(number: bigint): boolean {
    return this.#through.has(number);
  }

  /** One more could be let through now. */
  get hasRoom(): boolean {
    return !this.awaitingResume && this.#nextAtMs <= this.#clock.nowMs();
  }

  /**
   * Those that there is room for now, and not many more. Whoever does not go, because something else
   * holds it too, does not wait here any more once it was looked at.
   */
  next(): string[] {
    if (!this.hasRoom) return [];
    return [...this.waiting.values().take(this.#room)];
  }

  /** How many could be let through now; at least one. */
  get #room(): number {
    const { rate } = this;
    if (rate === 0) return 1_000;
    const lateMs = Math.min(catchUpMs, this.#clock.nowMs() - this.#nextAtMs);
    return 1 + Math.floor((lateMs * rate) / 1_000);
  }

  letThroughNow(number: bigint): void {
    this.#through.add(number);
    this.#letThrough += 1;
    const { rate } = this;
    if (rate === 0) return;
    const from = Math.max(this.#nextAtMs, this.#clock.nowMs() - catchUpMs);
    this.#nextAtMs = from + 1_000 / rate;
  }

  /** Milliseconds until there is room; undefined when that depends on somebody. */
  get roomInMs(): number | undefined {
    if (this.awaitingResume) return undefined;
    return Math.max(0, Math.ceil(this.#nextAtMs - this.#clock.nowMs()));
  }
}
