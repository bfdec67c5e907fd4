/**
 * Calls that wait for an instance to change. A waiter costs one small object and leaves with its
 * call.
 */
import type { InstanceState } from "../engine/state.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";

/** Whether a state is worth waking up for; undefined: the instance does not exist (any more). */
export type Interest = (state: InstanceState | undefined) => boolean;

export interface Subscription extends Disposable {
  /**
   * Resolves at the next change of interest after the last call, at once if there was one
   * meanwhile.
   *
   * @throws the reason of `signal` when the call ends, or the error of `endAll`
   */
  next(signal: AbortSignal): Promise<void>;
}

interface Waiter {
  readonly interest: Interest;
  changed: boolean;
  ended: Error | undefined;
  wake: (() => void) | undefined;
}

export class Waiters {
  readonly #byInstance = new Map<string, Set<Waiter>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * Subscribe before reading the state, or a change between the two is lost. An instance of 50
   * activities changes a hundred times before it completes: `interest` keeps a waiter asleep.
   */
  subscribe(instanceId: string, interest: Interest): Subscription {
    if (this.#count >= LIMITS.waitersMax) {
      throw new HubError("limit-exceeded", `more than ${LIMITS.waitersMax} calls are waiting`);
    }
    const waiter: Waiter = { interest, changed: false, ended: undefined, wake: undefined };
    const waiters = this.#byInstance.get(instanceId) ?? new Set();
    this.#byInstance.set(instanceId, waiters.add(waiter));
    this.#count += 1;
    return {
      next: (signal) => nextChange(waiter, signal),
      [Symbol.dispose]: () => this.#remove(instanceId, waiter),
    };
  }

  /** A new state is durable. */
  notify(instanceId: string, state: InstanceState | undefined): void {
    for (const waiter of this.#byInstance.get(instanceId) ?? []) {
      if (!waiter.interest(state)) continue;
      waiter.changed = true;
      waiter.wake?.();
    }
  }

  /** Ends all waits that there are now, once it is durable that the hub was deleted. */
  async endAll(error: Error, durable: Promise<void>): Promise<void> {
    const waiters = [...this.#byInstance.values()].flatMap((each) => [...each]);
    await durable;
    for (const waiter of waiters) {
      waiter.ended = error;
      waiter.wake?.();
    }
  }

  #remove(instanceId: string, waiter: Waiter): void {
    const waiters = this.#byInstance.get(instanceId);
    if (waiters?.delete(waiter)) this.#count -= 1;
    if (waiters?.size === 0) this.#byInstance.delete(instanceId);
  }
}

async function nextChange(waiter: Waiter, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!waiter.changed && waiter.ended === undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    waiter.wake = resolve;
    try {
      await promise;
    } finally {
      waiter.wake = undefined;
      signal.removeEventListener("abort", stop);
    }
  }
  if (waiter.ended !== undefined) throw waiter.ended;
  waiter.changed = false;
}
