/**
 * Work of one kind that waits for a worker, by name and version: round-robin over names, first come
 * first served within one. What a stream does not accept is passed over and never stands in front
 * of anything (trap T36).
 */
import type { Head } from "./head.ts";
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

export class ReadyQueue {
  readonly #byName = new Map<string, ReadyItem[]>();
  readonly #cursors = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: ReadyItem): void {
    const key = keyOf(item);
    const queue = this.#byName.get(key);
    if (queue === undefined) this.#byName.set(key, [item]);
    else queue.push(item);
    this.#size += 1;
  }

  /** Takes the next item that `accepts` lets pass; undefined when there is none. */
  take(accepts: (item: ReadyItem) => boolean): ReadyItem | undefined {
    for (const [key, queue] of this.#byName) {
      const at = this.#cursors.get(key) ?? 0;
      const item = queue[at];
      if (item === undefined || !accepts(item)) continue;
      this.#advance(key, queue, at + 1);
      this.#size -= 1;
      return item;
    }
    return undefined;
  }

  /**
   * Forgets items that are void by now. Called when the queue has doubled since: without a worker
   * they would gather, each with its head.
   */
  dropVoid(isVoid: (item: ReadyItem) => boolean): void {
    const live = Array.from(this.#byName.entries(), ([key, queue]) => {
      return queue.slice(this.#cursors.get(key) ?? 0).filter((item) => !isVoid(item));
    });
    this.clear();
    for (const item of live.flat()) this.push(item);
  }

  clear(): void {
    this.#byName.clear();
    this.#cursors.clear();
    this.#size = 0;
  }

  /**
   * Moves the name to the end of the round; an array is cut in bulk, because shifting it is linear.
   */
  #advance(key: string, queue: ReadyItem[], next: number): void {
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

function keyOf(item: ReadyItem): string {
  // Length first: a name may contain any character.
  return `${item.name.length}:${item.name}${item.version}`;
}
