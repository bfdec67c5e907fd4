/** Reading instances: their state, their history, and waiting for a state. */
import type { InstanceState } from "../engine/state.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Store } from "../store/store.ts";
import { historyChunks, isForWorkers } from "../wire/work-item-bytes.ts";
import { turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { Waiters } from "./waiters.ts";

/** Reads what is wanted from a state, at once: the state goes on changing. */
export type View<T> = (state: InstanceState) => T;

export class InstanceReader {
  readonly #store: Store;
  readonly #heads: Heads;
  readonly #waiters: Waiters;

  constructor(store: Store, heads: Heads, waiters: Waiters) {
    this.#store = store;
    this.#heads = heads;
    this.#waiters = waiters;
  }

  /** What `view` makes of the newest state; undefined when the instance does not exist. */
  async read<T>(instanceId: string, view: View<T>): Promise<T | undefined> {
    const head = await this.#heads.pin(instanceId);
    try {
      const seen = head.state && view(head.state);
      await this.#store.whenDurable(head.position);
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
    let existed = false;
    using changes = this.#waiters.subscribe(instanceId, (state) => {
      if (state === undefined) return existed;
      existed = true;
      return done(state);
    });
    // Ends with the state that is waited for, with the call, or with the instance.
    for (;;) {
      const seen = await this.read(instanceId, (state) => ({
        view: done(state) ? view(state) : undefined,
      }));
      if (seen?.view !== undefined) return seen.view;
      if (seen === undefined && existed) {
        throw new HubError("instance-not-found", "the instance was purged while it was waited for");
      }
      existed ||= seen !== undefined;
      await changes.next(signal);
    }
  }

  /**
   * The committed history of the current generation in encoded HistoryChunks.
   *
   * @param forWorker exactly the past events of the turn in flight, without events for readers only
   * @throws HubError "instance-not-found" before the first chunk, also when `executionId` is not
   * current
   */
  async *history(
    instanceId: string,
    executionId: string | undefined,
    forWorker: boolean,
  ): AsyncGenerator<Uint8Array> {
    const head = await this.#heads.pin(instanceId);
    try {
      await this.#heads.loadHistory(head);
      const { state } = head;
      const current = executionId === undefined || executionId === state?.executionId;
      if (state === undefined || !current) {
        await this.#store.whenDurable(head.position);
        throw new HubError(
          "instance-not-found",
          `instance ${JSON.stringify(instanceId)} does not exist in this execution`,
        );
      }
      const events = forWorker
        ? head.history.slice(0, turnInFlight(head)?.pastEvents).filter(isForWorkers)
        : head.history.slice();
      await this.#store.whenDurable(head.position);
      yield* historyChunks(events, LIMITS.historyChunkBytes);
    } finally {
      this.#heads.unpin(head);
    }
  }
}
