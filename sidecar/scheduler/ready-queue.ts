/**
 * Work of one kind that waits for a worker, by name and version: round-robin over names, first come
 * first served within one. What a stream does not accept is passed over and never stands in front
 * of anything (trap T36).
 */
import { type Head, weightOf } from "./head.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { WorkerStream } from "./worker-stream.ts";

export interface ReadyItem {
  readonly kind: "turn" | "activity";
  readonly head: Head;
  /** Storage number of the life: an item of a replaced or purged one is void. */
  readonly number: bigint;
  /** Identity of the activity; 0 for a turn. */
  readonly workId: bigint;
  readonly name: string;
  readonly version: string;
  /** Deliveries before this one that ended without an answer. */
  readonly attempts: number;
  /** The stream that gave it back last: another one is preferred. */
  readonly avoid: WorkerStream | undefined;
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

export class ReadyQueue {
  readonly #budget: MemoryBudget;
  readonly #byName = new Map<string, Queued[]>();
  readonly #cursors = new Map<string, number>();
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
    for (const [key, queue] of this.#byName) {
      const at = this.#cursors.get(key) ?? 0;
      const first = queue[at];
      if (first === undefined) continue;
      const { kind, name, version } = first.item;
      yield { kind, name, version, count: queue.length - at };
    }
  }

  *items(): Generator<ReadyItem> {
    for (const [key, queue] of this.#byName) {
      for (let at = this.#cursors.get(key) ?? 0; at < queue.length; at += 1) {
        const queued = queue[at];
        if (queued !== undefined) yield queued.item;
      }
    }
  }

  push(item: ReadyItem): void {
    const key = keyOf(item);
    const queue = this.#byName.get(key);
    const queued = { item, bytes: bytesOf(item) };
    if (queue === undefined) this.#byName.set(key, [queued]);
    else queue.push(queued);
    this.#size += 1;
    this.#budget.take(queued.bytes);
  }

  /** Takes the next item that `accepts` lets pass; undefined when there is none. */
  take(accepts: (item: ReadyItem) => boolean): ReadyItem | undefined {
    for (const [key, queue] of this.#byName) {
      const at = this.#cursors.get(key) ?? 0;
      const queued = queue[at];
      if (queued === undefined || !accepts(queued.item)) continue;
      this.#advance(key, queue, at + 1);
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
    const live = Array.from(this.#byName.entries(), ([key, queue]) => {
      return queue.slice(this.#cursors.get(key) ?? 0).filter(({ item }) => !isVoid(item));
    });
    this.clear();
    for (const { item } of live.flat()) this.push(item);
  }

  clear(): void {
    for (const [key, queue] of this.#byName) {
      for (const { bytes } of queue.slice(this.#cursors.get(key) ?? 0)) this.#budget.take(-bytes);
    }
    this.#byName.clear();
    this.#cursors.clear();
    this.#size = 0;
  }

  /**
   * Moves the name to the end of the round; an array is cut in bulk, because shifting it is linear.
   */
  #advance(key: string, queue: Queued[], next: number): void {
    this.#byName.delete(key);
    if (next === queue.length) {
      this.#cursors.delete(key);
      return;
    }
    const worthCutting = next >= 1_024 && next * 2 >= queue.length;
    this.#byName.set(key, worthCutting ? queue.slice(next) : queue);
    this.#cursors.set(key, worthCutting ? 0 : next);
  }
}

/** A head with many activities is counted once, a part with each of them. */
function bytesOf({ kind, head }: ReadyItem): number {
  const bytes = weightOf(head);
  return kind === "turn" ? bytes : Math.ceil(bytes / Math.max(1, head.activities.size));
}

function keyOf(item: ReadyItem): string {
  // Length first: a name may contain any character.
  return `${item.name.length}:${item.name}${item.version}`;
}
