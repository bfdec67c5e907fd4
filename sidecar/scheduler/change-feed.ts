/**
 * The last visible changes of one task hub, kept in memory for all who watch it. A reader is a
 * place in the order of changes: there is no queue for each, so that a slow one costs nothing, and
 * one that the feed has overtaken starts over.
 *
 * A change is noted when it is decided, in one step with the state that it leads to, and read when
 * it is durable.
 */
import { assert } from "../foundation/assert.ts";
import type { Ids } from "../foundation/ids.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CommitPosition } from "../store/store.ts";
import type { Shown } from "./shown.ts";
import { Subscription, wakeAll } from "./subscription.ts";

/** Stands in place of an instance id for the holds of the hub. No instance has this id. */
export const HUB_HOLDS = "";

/** One visible change. It has no payloads: readers show the newest state. */
export interface Change {
  readonly instanceId: string;
  /** The instance before it; undefined: there was none. */
  readonly before: Shown | undefined;
  /** Sequence of the change before of the same instance; -1 when the feed did not have it. */
  readonly older: number;
  /** Sequence of the change after it of the same instance; Infinity while there is none. */
  newer: number;
  readonly position: CommitPosition;
}

export class ChangeFeed {
  readonly #ids: Ids;
  readonly #max: number;
  /** Grows as it fills, and goes round when it is full: see `#placeOf`. */
  #ring: Change[] = [];
  readonly #newest = new Map<string, number>();
  readonly #readers = new Set<Subscription>();
  readonly #sleeping = new Set<Subscription>();
  #id: string | undefined;
  #isRecording = false;
  /** Sequence of the change that the ring began with. */
  #base = 0;
  #first = 0;
  #durable = 0;
  #end = 0;

  constructor(ids: Ids, max: number = LIMITS.watchedChangesMax) {
    this.#ids = ids;
    this.#max = max;
  }

  /** Tells this feed from all others, also from those of other processes. */
  get id(): string {
    this.#id ??= this.#ids.next();
    return this.#id;
  }

  /** How many read it. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Sequence of the oldest change that is kept. */
  get first(): number {
    return this.#first;
  }

  /** Sequence that the next change gets. */
  get end(): number {
    return this.#end;
  }

  /** Changes before this sequence are durable. */
  get durableEnd(): number {
    return this.#durable;
  }

  /** Whether a reader can go on from here. */
  reaches(sequence: number): boolean {
    return sequence >= this.#first && sequence <= this.#end;
  }

  at(sequence: number): Change {
    const change = this.#ring[this.#placeOf(sequence)];
    assert(change !== undefined && sequence < this.#end, "a reader is within the feed");
    return change;
  }

  /** Sequence of the newest change of an instance; -1 when the feed has none. */
  newestOf(instanceId: string): number {
    return this.#newest.get(instanceId) ?? -1;
  }

  /**
   * Notes a change that is decided. Nothing is kept before somebody has read the feed: nobody can
   * come back to it.
   */
  note(instanceId: string, before: Shown | undefined, position: CommitPosition): void {
    if (!this.#isRecording) return;
    const sequence = this.#end;
    const older = this.newestOf(instanceId);
    if (older !== -1) this.at(older).newer = sequence;
    if (sequence - this.#first >= this.#max) this.#forgetFirst();
    const change = { instanceId, before, older, newer: Number.POSITIVE_INFINITY, position };
    this.#ring[this.#placeOf(sequence)] = change;
    this.#newest.set(instanceId, sequence);
    this.#end += 1;
  }

  /** Everything up to this position is durable: whoever waits for it wakes. */
  settle(position: CommitPosition): void {
    const before = this.#durable;
    this.#durable = Math.max(before, this.#first);
    while (this.#durable < this.#end && this.at(this.#durable).position <= position) {
      this.#durable += 1;
    }
    if (this.#durable > before) this.#wake();
  }

  /** The hub was deleted, durably: what readers know is out of date. */
  clear(): void {
    this.#ring = [];
    this.#newest.clear();
    // A reader at the very end has to start over too.
    this.#end += 1;
    this.#base = this.#end;
    this.#first = this.#end;
    this.#durable = this.#end;
    this.#wake();
  }

  subscribe(): Subscription {
    this.#isRecording = true;
    const reader = new Subscription(() => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  /**
   * Resolves when there is a durable change at `sequence` or behind it.
   *
   * @throws what `Subscription.next` throws
   */
  async next(reader: Subscription, sequence: number, signal: AbortSignal): Promise<void> {
    reader.check(signal);
    while (this.reaches(sequence) && this.#durable <= sequence) {
      this.#sleeping.add(reader);
      try {
        await reader.next(signal);
      } finally {
        this.#sleeping.delete(reader);
      }
    }
  }

  endAll(error: Error): void {
    for (const reader of this.#readers) reader.end(error);
  }

  #placeOf(sequence: number): number {
    return (sequence - this.#base) % this.#max;
  }

  #forgetFirst(): void {
    const { instanceId } = this.at(this.#first);
    if (this.newestOf(instanceId) === this.#first) this.#newest.delete(instanceId);
    this.#first += 1;
  }

  #wake(): void {
    wakeAll(this.#sleeping);
  }
}
