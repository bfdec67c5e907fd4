/**
 * Work of one kind that waits for a worker, by name and version: round-robin over names, first come
 * first served within one. What a stream does not accept is passed over and never stands in front
 * of anything (trap T36): what is too large for some streams waits apart.
 */
import { Fifo } from "./fifo.ts";
import { type Head, weightOf } from "./head.ts";
import type { Lease } from "./leases.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import { type MessageSize, sizeClassOf } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

export interface ReadyItem {
  readonly kind: Lease["kind"];
  readonly head: Head;
  /** Storage number of the life: an item of a replaced or purged one is void. */
  readonly number: bigint;
  /** Identity of the activity; 0 for a turn or a batch. */
  readonly workId: bigint;
  readonly name: string;
  readonly version: string;
  /** Deliveries before this one that ended without an answer. */
  readonly attempts: number;
  /** The stream that gave it back last: another one is preferred. */
  readonly avoid: WorkerStream | undefined;
  /** What it takes in a message; without it, no more than any worker can be sent. */
  readonly size?: MessageSize;
}

/** Work of one name and version that waits. */
export interface ReadyName extends Pick<ReadyItem, "kind" | "name" | "version"> {
  readonly count: number;
}

/** An item, and the memory that is counted for it. */
interface Queued {
  readonly item: ReadyItem;
  readonly bytes: number;
}

/** What waits of one name and version, with what workers have given back in front. */
class Waiting {
  readonly #givenBack = new Fifo<Queued>();
  readonly #others = new Fifo<Queued>();

  get size(): number {
    return this.#givenBack.size + this.#others.size;
  }

  push(queued: Queued): void {
    const queue = isGivenBack(queued.item) ? this.#givenBack : this.#others;
    queue.push(queued);
  }

  /** What was given back and is not accepted stands in front of nothing (trap T36). */
  take(accepts: (item: ReadyItem) => boolean): Queued | undefined {
    for (const queue of [this.#givenBack, this.#others]) {
      const { first } = queue;
      if (first === undefined || !accepts(first.item)) continue;
      queue.shift();
      return first;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<Queued> {
    yield* this.#givenBack;
    yield* this.#others;
  }
}

/** Activities and batches return to the head; a turn waits behind other instances (PROTOCOL.md 2.3). */
function isGivenBack({ kind, avoid }: ReadyItem): boolean {
  return kind !== "turn" && avoid !== undefined;
}

export class ReadyQueue {
  readonly #budget: MemoryBudget;
  readonly #byName = new Map<string, Waiting>();
  #size = 0;

  /** @param budget what all queues of this kind may keep in memory together */
  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#size;
  }

  /** What waits, by name and version. Void items are counted until they are forgotten. */
  *names(): Generator<ReadyName> {
    for (const waiting of this.#byName.values()) {
      for (const { item } of waiting) {
        const { kind, name, version } = item;
        yield { kind, name, version, count: waiting.size };
        break;
      }
    }
  }

  *items(): Generator<ReadyItem> {
    for (const waiting of this.#byName.values()) for (const { item } of waiting) yield item;
  }

  push(item: ReadyItem): void {
    const key = keyOf(item);
    let waiting = this.#byName.get(key);
    if (waiting === undefined) {
      waiting = new Waiting();
      this.#byName.set(key, waiting);
    }
    const queued = { item, bytes: bytesOf(item) };
    waiting.push(queued);
    this.#size += 1;
    this.#budget.take(queued.bytes);
  }

  /** Takes the next item that `accepts` lets pass; undefined when there is none. */
  take(accepts: (item: ReadyItem) => boolean): ReadyItem | undefined {
    for (const [key, waiting] of this.#byName) {
      const queued = waiting.take(accepts);
      if (queued === undefined) continue;
      // The name goes to the end of the round.
      this.#byName.delete(key);
      if (waiting.size > 0) this.#byName.set(key, waiting);
      this.#size -= 1;
      this.#budget.take(-queued.bytes);
      return queued.item;
    }
    return undefined;
  }

  /**
   * Forgets items that are void by now. Called when the queue has doubled since: without a worker
   * they would gather, each with its head.
   */
  dropVoid(isVoid: (item: ReadyItem) => boolean): void {
    const live = [...this.items()].filter((item) => !isVoid(item));
    if (live.length === this.#size) return;
    this.clear();
    for (const item of live) this.push(item);
  }

  clear(): void {
    for (const waiting of this.#byName.values()) {
      for (const { bytes } of waiting) this.#budget.take(-bytes);
    }
    this.#byName.clear();
    this.#size = 0;
  }
}

/** A head with many activities is counted once, a part with each of them. */
function bytesOf({ kind, head }: ReadyItem): number {
  const bytes = weightOf(head);
  return kind === "activity" ? Math.ceil(bytes / Math.max(1, head.activities.size)) : bytes;
}

function keyOf(item: ReadyItem): string {
  // Length first: a name may contain any character.
  const sizeClass = item.size === undefined ? "" : sizeClassOf(item.size);
  return `${sizeClass}:${item.name.length}:${item.name}${item.version}`;
}
