/**
 * The heads of one task hub: one for each instance id in use, loaded once however many ask for it.
 */
import { eventsOf, eventsOfState } from "../engine/entry-events.ts";
import { evolve } from "../engine/evolve.ts";
import type { InstanceState } from "../engine/state.ts";
import { fromStoredState } from "../engine/stored-state.ts";
import { assert } from "../foundation/assert.ts";
import type { CommitPosition, StorageNumber, Store } from "../store/store.ts";
import type {
  StoredEvent,
  InstanceState as StoredState,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Head, indexedViewOf, newHead, weightOf } from "./head.ts";
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
    const { state, historyFrom } = head;
    if (state === undefined || historyFrom === 0) return;
    const { number, generation } = state;
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
    }
    for (const { sequence, entry } of await this.#store.readLog(
      number,
      generation,
      head.historyFrom + 1,
    )) {
      if (entry.base !== undefined) head.history = [];
      else for (const { event } of eventsOf(entry)) head.tailBytes += event.length;
      head.state = evolve(head.state, number, sequence, entry, (event) => head.history.push(event));
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
    for (const event of eventsOfState(state)) {
      bytes += event.event.length;
      if (event.length === 0) continue;
      const [carrier] = await this.#store.readLog(
        number,
        generation,
        Number(event.originSequence),
        1,
      );
      const origin = carrier && eventsOf(carrier.entry)[event.originIndex];
      assert(origin?.event.length === event.length, "a reference leads to its event");
      event.event = origin.event;
      event.length = 0;
    }
    return bytes;
  }
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
