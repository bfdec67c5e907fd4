/** Which ready instances wait outside memory, and how they come back when workers have room. */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { isHeld } from "../engine/status.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import type { Background } from "./background.ts";
import { Backlog, type WorkName } from "./backlog.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ReadyName } from "./ready-queue.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** How many instances come back at once, while there is room for them and when there is none. */
const recallMax = { room: 128, full: 16 } as const;

/**
 * While there is other work in memory, those of which nobody knows what they wait for are looked at
 * a few at a time: most of them turn out to wait for what is there already.
 */
const unhurried = { instances: 2, pauseMs: 10 } as const;

export interface BacklogDeskOptions {
  readonly store: Store;
  readonly heads: Heads;
  readonly hub: HubLog;
  readonly background: Background;
  /** What ready instances may take in memory. */
  readonly budget: MemoryBudget;
  /** What could be handed out of it now. */
  readonly worksOf: (head: Head) => readonly WorkName[];
  /** A stream waits for such work this moment. */
  readonly isWanted: (work: WorkName) => boolean;
  /** Queues everything of an instance that could be handed out. */
  readonly queue: (head: Head) => void;
  /** Runs something later; never after the hub was closed. */
  readonly later: (delayMs: number, run: () => void) => void;
  /** Streams that wait ask again. */
  readonly feedAll: () => void;
}

export class BacklogDesk {
  readonly #options: BacklogDeskOptions;
  readonly #backlog = new Backlog();
  /** Taken out of the backlog: nothing is known of them yet. */
  readonly #asked = new Set<StorageNumber>();
  /** On their way into memory, where they will be queued. */
  readonly #coming = new Set<StorageNumber>();
  #closed = false;

  constructor(options: BacklogDeskOptions) {
    this.#options = options;
  }

  /** Some instances wait outside memory, or would have to. */
  get isBusy(): boolean {
    return this.size > 0 || this.#isFetching || this.#options.budget.isFull;
  }

  /** How many instances wait here. */
  get size(): number {
    return this.#backlog.size;
  }

  has(number: StorageNumber): boolean {
    return this.#backlog.has(number) || this.#asked.has(number) || this.#coming.has(number);
  }

  names(): Iterable<ReadyName> {
    return this.#backlog.names();
  }

  /**
   * Whether the work of an instance waits outside memory, perhaps from now on. What holds of the hub
   * may hold back is always in memory, because somebody counts it.
   */
  postpones(head: Head): boolean {
    const { state } = head;
    if (state === undefined || !this.isBusy) return false;
    if (this.#coming.has(state.number)) return true;
    const wasAsked = this.#asked.delete(state.number);
    const works = this.#postponable(head, wasAsked);
    if (works !== undefined) {
      this.#backlog.add(state.number, works);
      return true;
    }
    // Whoever asks for it finds that it is taken care of, and this commit has made only some of its
    // work possible.
    this.bringUp(head);
    if (wasAsked) this.#options.queue(head);
    return false;
  }

  /** Postpones an instance that was ready when the process ended, without loading it. */
  postponesUnknown(number: StorageNumber): boolean {
    const { budget, hub } = this.#options;
    if (hub.hasHolds || (this.size === 0 && !budget.isFull)) return false;
    this.#backlog.addUnknown(number);
    return true;
  }

  /** Somebody looks at it: its work is queued like that of others in memory. */
  bringUp(head: Head): void {
    const { state } = head;
    if (state === undefined || !this.#backlog.has(state.number)) return;
    this.#backlog.forget(state.number);
    this.#options.queue(head);
  }

  /**
   * Loads what a stream would take, the longest here first.
   *
   * @param isHungry there is next to no work in memory
   */
  recall(stream: WorkerStream, isHungry: boolean): void {
    if (this.#closed || this.size === 0 || this.#isFetching) return;
    const { background, budget, feedAll } = this.#options;
    // What it has credit for now: those that come will take it, one by one.
    const room = {
      turn: stream.hasCredit("turn"),
      activity: stream.hasCredit("activity"),
      batch: stream.hasCredit("batch"),
    };
    const isAccepted = (work: WorkName) => room[work.kind] && stream.accepts(work);
    const limit = recallMax[budget.isFull ? "full" : "room"];
    const numbers = this.#backlog.take(isAccepted, limit, isHungry ? limit : unhurried.instances);
    if (numbers.length === 0) return;
    const goOn = () => (isHungry ? feedAll() : this.#options.later(unhurried.pauseMs, feedAll));
    background.run(this.#load(numbers, isAccepted).then(goOn));
  }

  /** Loads everything: something may hold it from now on. */
  recallAll(): void {
    const { background, feedAll } = this.#options;
    // Streams that asked meanwhile were put off.
    if (this.size > 0) background.run(this.#loadAll().then(feedAll));
  }

  close(): void {
    this.#closed = true;
  }

  clear(): void {
    this.#backlog.clear();
  }

  get #isFetching(): boolean {
    return this.#asked.size > 0 || this.#coming.size > 0;
  }

  async #loadAll(): Promise<void> {
    // Ends when nobody waits any more: nobody is postponed while there are holds.
    while (!this.#closed && this.#options.hub.hasHolds) {
      const numbers = this.#backlog.take(() => true, recallMax.room);
      if (numbers.length === 0) return;
      await this.#load(numbers, () => true);
      await nextLoopTurn();
    }
  }

  /** They are read side by side, and queued in their order. */
  async #load(
    numbers: readonly StorageNumber[],
    isAccepted: (work: WorkName) => boolean,
  ): Promise<void> {
    for (const number of numbers) this.#asked.add(number);
    const heads = await Promise.all(numbers.map((number) => this.#loadOne(number)));
    for (const [index, head] of heads.entries()) {
      const number = numbers[index];
      if (head === undefined || number === undefined) continue;
      this.#coming.delete(number);
      this.#putUp(head, number, isAccepted);
      this.#options.heads.unpin(head);
    }
  }

  /** Pins an instance that still has something to do. */
  async #loadOne(number: StorageNumber): Promise<Head | undefined> {
    const { store, heads } = this.#options;
    const [row] = await store.readReady(number - 1n, 1);
    // Somebody else has looked at it, or it has nothing to do any more: whatever gives it something
    // looks at it again.
    if (!this.#asked.delete(number) || row?.number !== number) return undefined;
    this.#coming.add(number);
    return await heads.pin(row.address.instanceId);
  }

  /** What it waits for, if it may do so outside memory. */
  #postponable(head: Head, wasAsked: boolean): readonly WorkName[] | undefined {
    const { budget, hub, worksOf, isWanted } = this.#options;
    const { state } = head;
    // What is held back is counted, by holds of its own as by those of the hub.
    if (state === undefined || isHeld(state) || hub.hasHolds || isResident(head)) return undefined;
    const works = worksOf(head);
    if (works.some(isWanted)) return undefined;
    if (this.#backlog.has(state.number)) return works;
    if (works.length === 0) return undefined;
    const isBehind = () => works.some((work) => this.#backlog.isBehind(work));
    return wasAsked || budget.isFull || isBehind() ? works : undefined;
  }

  #putUp(head: Head, number: StorageNumber, isAccepted: (work: WorkName) => boolean): void {
    if (head.state?.number !== number) return;
    const works = this.#options.worksOf(head);
    const isElsewhere = works.length > 0 && !works.some(isAccepted);
    // A hold may have come meanwhile, and counts what it holds back.
    if (isElsewhere && !this.#options.hub.hasHolds && !isResident(head)) {
      this.#backlog.add(number, works);
    } else this.#options.queue(head);
  }
}

/** Its work is in memory anyway, or a worker has some of it. */
function isResident(head: Head): boolean {
  return head.turn !== undefined || head.activities.size > 0;
}
