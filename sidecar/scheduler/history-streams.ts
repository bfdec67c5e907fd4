/**
 * Histories on their way to readers and to workers. A long one is read from a snapshot of the store
 * as it is taken, a few pages in memory, so that it stays whole whatever happens to its instance
 * meanwhile.
 */
import { evolve } from "../engine/evolve.ts";
import { orchestrationOf } from "../engine/kind.ts";
import type { InstanceState } from "../engine/state.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Store } from "../store/store.ts";
import type { SnapshotInstance, StoreSnapshot } from "../store/store-snapshot.ts";
import type { StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { HistoryChunks, historyChunks, isForWorkers } from "../wire/work-item-bytes.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { Slots } from "./slots.ts";
import { WatchedSnapshot } from "./watched-snapshot.ts";

export interface HistoryStreamsOptions {
  readonly store: Store;
  readonly heads: Heads;
  readonly steadyClock: SteadyClock;
  /** For long histories that are being read. */
  readonly historySlots: Slots;
}

/** Whose history is wanted, and how much of it. */
export interface HistoryWish {
  readonly instanceId: string;
  /** Undefined: the current one. */
  readonly executionId: string | undefined;
  /** Exactly the past events of the turn in flight, without events for readers only. */
  readonly forWorker: boolean;
}

/** The events of a history from its beginning that somebody gets. */
interface Extent {
  readonly instance: SnapshotInstance;
  /** Events of the history that are looked at. */
  readonly events: number;
  readonly forWorker: boolean;
}

export class HistoryStreams {
  readonly #options: HistoryStreamsOptions;

  constructor(options: HistoryStreamsOptions) {
    this.#options = options;
  }

  /**
   * The committed history of the current generation in encoded HistoryChunks of at most 256 KiB; a
   * larger event is a chunk of its own.
   *
   * @throws HubError "instance-not-found" before the first chunk, also when the execution id is not
   * current; "deadline-exceeded" when nobody takes the next chunk for too long; "unavailable" when
   * the store was opened again meanwhile
   */
  async *history(wish: HistoryWish): AsyncGenerator<Uint8Array, void, undefined> {
    const events = await this.#shortHistory(wish);
    if (events !== undefined) yield* historyChunks(events, LIMITS.historyChunkBytes);
    else yield* this.#longHistory(wish);
  }

  /** Undefined when it is too long to be loaded for this. */
  async #shortHistory(wish: HistoryWish): Promise<readonly StoredEvent[] | undefined> {
    const { heads, store } = this.#options;
    const head = await heads.pin(wish.instanceId);
    try {
      if ((head.state?.historyBytes ?? 0) > LIMITS.streamedHistoryBytes) return undefined;
      await heads.loadHistory(head);
      const extent = extentOf(head, wish);
      const events = extent && head.history.slice(0, extent.events);
      await store.whenDurable(head.position);
      if (events === undefined) throw notThere(wish.instanceId);
      return wish.forWorker ? events.filter(isForWorkers) : events;
    } finally {
      heads.unpin(head);
    }
  }

  async *#longHistory(wish: HistoryWish): AsyncGenerator<Uint8Array, void, undefined> {
    const { store, steadyClock: clock, historySlots } = this.#options;
    using slot = await historySlots.take();
    const extent = await this.#durableExtent(wish);
    await using snapshot = new WatchedSnapshot(await store.snapshot(), {
      clock,
      idleMs: LIMITS.historyIdleMs,
      what: "the history",
      gaveUp: () => slot[Symbol.dispose](),
    });
    // What is over may be garbage by now. What was not when the snapshot was taken is in it.
    await this.#stillCurrent(wish.instanceId, extent.instance);
    yield* chunksOf(extent, snapshot);
  }

  /** @throws HubError "instance-not-found" */
  async #durableExtent(wish: HistoryWish): Promise<Extent> {
    const { heads, store } = this.#options;
    const head = await heads.pin(wish.instanceId);
    try {
      const extent = extentOf(head, wish);
      await store.whenDurable(head.position);
      if (extent === undefined) throw notThere(wish.instanceId);
      return extent;
    } finally {
      heads.unpin(head);
    }
  }

  /** @throws HubError "instance-not-found" */
  async #stillCurrent(instanceId: string, { number, generation }: SnapshotInstance): Promise<void> {
    const { heads, store } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const { state } = head;
      if (state?.number === number && state.generation === generation) return;
      await store.whenDurable(head.position);
      throw notThere(instanceId);
    } finally {
      heads.unpin(head);
    }
  }
}

/** Undefined when there is no such execution. */
function extentOf(head: Head, { executionId, forWorker }: HistoryWish): Extent | undefined {
  const { instanceId } = head;
  const state = orchestrationOf(head.state);
  if (state === undefined) return undefined;
  if (executionId !== undefined && executionId !== state.executionId) return undefined;
  // A history does not grow under a turn in flight: all of it is that turn's past.
  const { number, generation, historyEvents: events } = state;
  return { instance: { instanceId, number, generation }, events, forWorker };
}

async function* chunksOf(
  { instance, events, forWorker }: Extent,
  snapshot: WatchedSnapshot,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = new HistoryChunks(LIMITS.historyChunkBytes);
  let left = events;
  for await (const page of historyPages(snapshot.stored, instance)) {
    for (const event of page.slice(0, left)) {
      const chunk = forWorker && !isForWorkers(event) ? undefined : chunks.add(event);
      if (chunk === undefined) continue;
      yield chunk;
      snapshot.goOn();
    }
    left -= Math.min(left, page.length);
    if (left === 0) break;
  }
  if (left > 0) throw new HubError("store-distrusted", "stored data is damaged: a history is cut");
  const rest = chunks.finish();
  if (rest !== undefined) yield rest;
}

/** What each entry of a log adds to the history. Only what is taken is in memory. */
async function* historyPages(
  stored: StoreSnapshot,
  instance: SnapshotInstance,
): AsyncGenerator<readonly StoredEvent[], void, undefined> {
  let state: InstanceState | undefined;
  for await (const { sequence, entry } of stored.log(instance)) {
    const page: StoredEvent[] = [];
    state = evolve(state, instance.number, sequence, entry, (event) => page.push(event));
    yield page;
  }
}

function notThere(instanceId: string): HubError {
  return new HubError(
    "instance-not-found",
    `instance ${JSON.stringify(instanceId)} does not exist in this execution`,
  );
}
