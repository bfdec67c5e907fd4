/**
 * The heads of one task hub: one for each instance id in use, loaded once however many ask for it.
 */
import { eventsOf, eventsOfState } from "../engine/entry-events.ts";
import { evolve } from "../engine/evolve.ts";
import type { InstanceState } from "../engine/state.ts";
import { fromStoredState } from "../engine/stored-state.ts";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CommitPosition, StorageNumber, Store } from "../store/store.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  StoredEvent,
  InstanceState as StoredState,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Head, indexedViewOf, newHead, settle, weightOf } from "./head.ts";
import type { HubLog } from "./hub-log.ts";
import { shownOf } from "./shown.ts";

/** Heads that nobody uses, over all hubs: the oldest go when they weigh too much together. */
export class IdleHeads {
  readonly #heads = new Map<Head, { readonly weight: number; readonly forget: () => void }>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  add(head: Head, forget: () => void): void {
    this.remove(head);
    const weight = weightOf(head);
    this.#heads.set(head, { weight, forget });
    this.#bytes += weight;
    // Looking for the oldest passes over all that have left before it: not unless somebody must go.
    if (this.#bytes <= this.#bytesMax) return;
    for (const [oldest, idle] of this.#heads) {
      if (this.#bytes <= this.#bytesMax) break;
      this.remove(oldest);
      idle.forget();
    }
  }

  remove(head: Head): void {
    const idle = this.#heads.get(head);
    if (idle === undefined) return;
    this.#heads.delete(head);
    this.#bytes -= idle.weight;
  }
}

export class Heads {
  readonly #heads = new Map<string, Head>();
  readonly #loading = new Map<string, Promise<Head>>();
  readonly #store: Store;
  readonly #hub: Pick<HubLog, "number" | "position">;
  readonly #idle: IdleHeads;
  /** What was going on when the instance was last in memory has to go on now. */
  readonly #onLoaded: (head: Head) => void;

  constructor(
    store: Store,
    hub: Pick<HubLog, "number" | "position">,
    idle: IdleHeads,
    onLoaded: (head: Head) => void,
  ) {
    this.#store = store;
    this.#hub = hub;
    this.#idle = idle;
    this.#onLoaded = onLoaded;
  }

  /** The head if it is in memory. */
  peek(instanceId: string): Head | undefined {
    return this.#heads.get(instanceId);
  }

  /** Somebody uses a head, or is told something that is not durable yet. */
  get inUse(): boolean {
    return this.#heads.size > 0 || this.#loading.size > 0;
  }

  all(): IterableIterator<Head> {
    return this.#heads.values();
  }

  /** Loads the head and keeps it in memory until `unpin`. Callers get it in the order of calls. */
  async pin(instanceId: string): Promise<Head> {
    let loading = this.#loading.get(instanceId);
    if (loading === undefined) {
      const hot = this.#heads.get(instanceId);
      if (hot !== undefined) return this.#pinned(hot);
      loading = this.#load(instanceId);
      this.#loading.set(instanceId, loading);
    }
    try {
      return this.#pinned(await loading);
    } finally {
      // Not earlier: a call in between would be quicker, and let the head go when it is done.
      if (this.#loading.get(instanceId) === loading) this.#loading.delete(instanceId);
    }
  }

  /** Lets go of a head that was pinned. */
  unpin(head: Head): void {
    head.pins -= 1;
    this.release(head);
  }

  /**
   * Lets go of a head that was pinned only to be looked at: when nobody else needs it, it takes no
   * room from those that are kept because they may be.
   */
  dismiss(head: Head): void {
    head.pins -= 1;
    if (this.#loading.has(head.instanceId) || isBusy(head, this.#store.durablePosition)) return;
    this.#idle.remove(head);
    this.#heads.delete(head.instanceId);
  }

  /** The head is ahead of the disk: until it is released it must not be loaded from there. */
  touch(head: Head): void {
    this.#idle.remove(head);
  }

  /** Keeps the head only as long as there is room, if nobody and nothing needs it. */
  release(head: Head): void {
    const { instanceId } = head;
    // Whoever has it loaded is about to pin it.
    if (this.#loading.has(instanceId) || isBusy(head, this.#store.durablePosition)) return;
    this.#idle.remove(head);
    if (head.state === undefined) this.#heads.delete(instanceId);
    else this.#idle.add(head, () => this.#heads.delete(instanceId));
  }

  /** The history from its beginning, reading what only the disk has. */
  async loadHistory(head: Head): Promise<void> {
    // While it is read, somebody who is done with it may leave it to the disk again.
    while (head.state !== undefined && head.historyFrom !== 0) {
      await this.#loadEarlier(head, head.state);
    }
  }

  /**
   * Forgets the history if all of it is on the disk: whoever needs it loads it again. Not worth it
   * for one that is short.
   */
  unloadHistory(head: Head): void {
    const { state } = head;
    if (state === undefined || !isLong(head)) return;
    settle(head, this.#store.durablePosition);
    if (head.durableSequence === state.sequence) forgetHistory(head, state);
  }

  async #loadEarlier(head: Head, { number, generation }: InstanceState): Promise<void> {
    const { historyFrom } = head;
    const earlier: StoredEvent[] = [];
    let past: InstanceState | undefined;
    for (const { sequence, entry } of await this.#store.readLog(number, generation, 0)) {
      if (sequence > historyFrom) break;
      past = evolve(past, number, sequence, entry, (event) => earlier.push(event));
    }
    // Another call may have been quicker, or the generation may be over.
    if (head.historyFrom !== historyFrom || head.state?.number !== number) return;
    if (head.state.generation !== generation) return;
    head.history = [...earlier, ...head.history];
    head.historyFrom = 0;
    head.earlierEvents = 0;
    head.earlierBytes = 0;
  }

  #pinned(head: Head): Head {
    head.pins += 1;
    this.#idle.remove(head);
    return head;
  }

  async #load(instanceId: string): Promise<Head> {
    const hub = this.#hub.number;
    const head = newHead(instanceId);
    if (hub !== undefined) await this.#read(hub, head);
    // The hub may have been deleted meanwhile: the instance went with it.
    const current = this.#hub.number === hub ? head : newHead(instanceId);
    current.position = this.#hub.position;
    this.#heads.set(instanceId, current);
    if (current.state !== undefined) this.#onLoaded(current);
    return current;
  }

  async #read(hub: StorageNumber, head: Head): Promise<void> {
    const row = await this.#store.findInstance(hub, head.instanceId);
    if (row === undefined) return;
    const { number, generation } = row;
    const snapshot = await this.#store.readSnapshot(number, generation);
    if (snapshot?.state !== undefined) {
      head.snapshotBytes = await this.#resolve(snapshot.state, number, generation);
      head.historyFrom = Number(snapshot.sequence);
      head.state = fromStoredState(snapshot.state, number, head.historyFrom);
      forgetHistory(head, head.state);
    }
    let from = head.historyFrom + 1;
    // Ends with the log.
    for (;;) {
      const page = await this.#store.readLog(number, generation, from, logPage);
      for (const { sequence, entry } of page) applyStored(head, number, sequence, entry);
      if (head.state !== undefined && isLong(head)) forgetHistory(head, head.state);
      const last = page.at(-1);
      if (last === undefined || page.length < logPage) break;
      from = last.sequence + 1;
    }
    assert(head.state !== undefined, "an instance row has a log");
    head.durableSequence = head.state.sequence;
    head.indexed = indexedViewOf(head);
    head.shown = shownOf(head.state);
    head.dueChanged = false;
  }

  /**
   * Fills in the bytes of events that a snapshot only refers to. Returns the bytes of the events it
   * carries.
   */
  async #resolve(state: StoredState, number: bigint, generation: number): Promise<number> {
    let bytes = 0;
    // Many events may be of one entry, which may be large: it is read once.
    let carrier: { readonly of: bigint; readonly events: readonly StoredEvent[] } | undefined;
    for (const event of eventsOfState(state)) {
      bytes += event.event.length;
      if (event.length === 0) continue;
      const { originSequence: of } = event;
      if (carrier?.of !== of) {
        const [stored] = await this.#store.readLog(number, generation, Number(of), 1);
        carrier = { of, events: stored === undefined ? [] : eventsOf(stored.entry) };
      }
      const origin = carrier.events[event.originIndex];
      assert(origin?.event.length === event.length, "a reference leads to its event");
      event.event = origin.event;
      event.length = 0;
    }
    return bytes;
  }
}

/** Entries that are read at once. */
const logPage = 256;

/** Applies an entry that is on the disk. */
function applyStored(head: Head, number: bigint, sequence: number, entry: Entry): void {
  if (entry.base === undefined) {
    for (const { event } of eventsOf(entry)) head.tailBytes += event.length;
    head.tailBytes += entry.entity?.text?.length ?? 0;
  } else {
    head.history = [];
    head.snapshotBytes = entry.base.entity?.text?.length ?? 0;
  }
  head.state = evolve(head.state, number, sequence, entry, (event) => head.history.push(event));
}

/** Memory has more of its history than is worth keeping for those who may want it. */
function isLong({ state, earlierBytes }: Head): boolean {
  return state !== undefined && state.historyBytes - earlierBytes > LIMITS.streamedHistoryBytes;
}

/** Leaves the history to the disk, which must have all of it. */
function forgetHistory(head: Head, state: InstanceState): void {
  head.history = [];
  head.historyFrom = state.sequence;
  head.earlierEvents = state.historyEvents;
  head.earlierBytes = state.historyBytes;
}

/** Something will still come of it, or what was said of it is not durable yet. */
function isBusy(head: Head, durablePosition: CommitPosition): boolean {
  return (
    head.pins > 0 ||
    head.turn !== undefined ||
    head.activities.size > 0 ||
    head.mailing !== undefined ||
    head.position > durablePosition
  );
}
