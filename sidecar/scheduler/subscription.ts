/** Somebody who waits, asleep or busy with what came before. It costs one small object. */
import { setImmediate as atNextLoopTurn } from "node:timers";
import type { SteadyClock } from "../foundation/clock.ts";

/** How many wake in one turn of the event loop: each may have much to tell. */
const wokenAtOnce = 128;

/**
 * Wakes whom it is given, a few in each turn of the event loop, however many changes wake them: one
 * group of commits may touch thousands that are waited for.
 */
export class WakeQueue {
  /** In the order in which they came; whoever is there already need not be woken twice. */
  readonly #asleep = new Set<Subscription>();
  #wokenInThisTurn = 0;
  #isScheduled = false;

  add(subscription: Subscription): void {
    this.#asleep.add(subscription);
    this.#wakeSome();
  }

  #wakeSome(): void {
    // Asked first: to find the first of a set costs something while many have left it.
    if (this.#wokenInThisTurn < wokenAtOnce) this.#wakeUpTo(wokenAtOnce);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    atNextLoopTurn(() => {
      this.#isScheduled = false;
      this.#wokenInThisTurn = 0;
      if (this.#asleep.size > 0) this.#wakeSome();
    });
  }

  #wakeUpTo(max: number): void {
    for (const subscription of this.#asleep) {
      this.#asleep.delete(subscription);
      subscription.wake();
      this.#wokenInThisTurn += 1;
      if (this.#wokenInThisTurn === max) return;
    }
  }
}

/** Wakes all of them, and lets others go on in between when they are many. */
export function wakeAll(subscriptions: Iterable<Subscription>): void {
  const queue = new WakeQueue();
  for (const subscription of [...subscriptions]) queue.add(subscription);
}

export class Subscription implements Disposable {
  readonly #leave: (subscription: Subscription) => void;
  #changed = false;
  #ended: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param leave must do nothing when it is called again */
  constructor(leave: (subscription: Subscription) => void) {
    this.#leave = leave;
  }

  /** Wakes it; if it is busy, it will not fall asleep. */
  wake(): void {
    this.#changed = true;
    this.#wake?.();
  }

  /** Ends its waits, the one to come included. */
  end(error: Error): void {
    this.#ended ??= error;
    this.#wake?.();
  }

  /** @throws the reason of `signal` when the call ends, or the error it was ended with */
  check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
  }

  /**
   * Resolves at the next change of interest after the last call, at once if there was one
   * meanwhile.
   *
   * @throws what `check` throws
   */
  async next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#changed && this.#ended === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      this.#wake = resolve;
      try {
        await promise;
      } finally {
        this.#wake = undefined;
        signal.removeEventListener("abort", stop);
      }
    }
    if (this.#ended !== undefined) throw this.#ended;
    this.#changed = false;
  }

  /**
   * Lets time pass, whatever changes meanwhile: look behind it.
   *
   * @throws what `check` throws
   */
  async pause(ms: number, clock: SteadyClock, signal: AbortSignal): Promise<void> {
    let isOver = false;
    const alarm = clock.after(ms, () => {
      isOver = true;
      this.wake();
    });
    try {
      while (!isOver) await this.next(signal);
    } finally {
      alarm.cancel();
    }
  }

  [Symbol.dispose](): void {
    this.#leave(this);
  }
}
