/** Reading instances: their state, and waiting for one. */
import { orchestrationOf } from "../engine/kind.ts";
import type { InstanceState } from "../engine/state.ts";
import { assert } from "../foundation/assert.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { CommitPosition, Store } from "../store/store.ts";
import type { Heads } from "./heads.ts";
import type { Waiters } from "./waiters.ts";

/** Reads what is wanted from a state, at once: the state goes on changing. */
export type View<T> = (state: InstanceState) => T;

/** How a wait ended: with what was waited for, or because the time was up. */
export type Waited<T> =
  | { readonly reached: true; readonly seen: T }
  /** `seen` is undefined when the instance does not exist. */
  | { readonly reached: false; readonly seen: T | undefined };

/** A time after which a wait ends. */
export interface Timeout {
  readonly clock: SteadyClock;
  readonly ms: number;
}

/** Entities are instances too, but nobody who asks for instances sees them. */
export class InstanceReader {
  readonly #store: Store;
  readonly #heads: Heads;
  readonly #waiters: Waiters;
  readonly #hub: { readonly position: CommitPosition };

  /** @param hub its newest commit: what is said of holds of the hub depends on it */
  constructor(
    store: Store,
    heads: Heads,
    waiters: Waiters,
    hub: { readonly position: CommitPosition },
  ) {
    this.#store = store;
    this.#heads = heads;
    this.#waiters = waiters;
    this.#hub = hub;
  }

  /** What `view` makes of the newest state; undefined when the instance does not exist. */
  read<T>(instanceId: string, view: View<T>): Promise<T | undefined> {
    return this.look(instanceId, (state) => state && view(state));
  }

  /** Like `read`, and looks also when there is no instance. */
  async look<T>(instanceId: string, view: (state: InstanceState | undefined) => T): Promise<T> {
    const head = await this.#heads.pin(instanceId);
    try {
      const seen = view(orchestrationOf(head.state));
      await this.#store.whenDurable(Math.max(head.position, this.#hub.position));
      return seen;
    } finally {
      this.#heads.unpin(head);
    }
  }

  /**
   * Waits until `done`, whatever generation or life the instance is in then. An instance that does
   * not exist may still be created.
   *
   * @throws HubError "instance-not-found" when it is purged meanwhile; the signal's reason when the
   * call ends
   */
  async wait<T>(
    instanceId: string,
    done: (state: InstanceState) => boolean,
    view: View<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const waited = await this.waitAtMost(instanceId, done, view, undefined, signal);
    assert(waited.reached, "a wait without a timeout ends with what it waits for");
    return waited.seen;
  }

  /** Like `wait`, and ends with the newest state when the time is up. */
  async waitAtMost<T>(
    instanceId: string,
    done: (state: InstanceState) => boolean,
    view: View<T>,
    timeout: Timeout | undefined,
    signal: AbortSignal,
  ): Promise<Waited<T>> {
    let existed = false;
    using changes = this.#waiters.subscribe(instanceId, (any) => {
      const state = orchestrationOf(any);
      if (state === undefined) return existed;
      existed = true;
      return done(state);
    });
    let timeIsUp = timeout !== undefined && timeout.ms <= 0;
    const alarm = timeout?.clock.after(timeout.ms, () => {
      timeIsUp = true;
      changes.wake();
    });
    try {
      // Ends with the state that is waited for, with the time, with the call, or with the instance.
      for (;;) {
        const isLast = timeIsUp;
        const seen = await this.read(instanceId, (state): { waited: Waited<T> | undefined } => {
          if (done(state)) return { waited: { reached: true, seen: view(state) } };
          return { waited: isLast ? { reached: false, seen: view(state) } : undefined };
        });
        if (seen === undefined && existed) {
          throw new HubError(
            "instance-not-found",
            "the instance was purged while it was waited for",
          );
        }
        if (seen?.waited !== undefined) return seen.waited;
        if (isLast) return { reached: false, seen: undefined };
        existed ||= seen !== undefined;
        await changes.next(signal);
      }
    } finally {
      alarm?.cancel();
    }
  }
}
