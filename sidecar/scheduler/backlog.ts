/**
 * Instances that are ready and not in memory: there is more work than workers take, and a head for
 * each would cost thousands of bytes instead of eight. They are loaded when a stream asks for work
 * of their kind, in the order in which they came here.
 */
import type { StorageNumber } from "../store/store.ts";
import { NumberQueue, NumberSet } from "./number-queue.ts";
import type { ReadyName } from "./ready-queue.ts";

/** Work of one kind, name and version. */
export type WorkName = Pick<ReadyName, "kind" | "name" | "version">;

interface Waiting {
  readonly work: WorkName;
  readonly numbers: NumberQueue;
}

export class Backlog {
  readonly #byName = new Map<string, Waiting>();
  /** What they wait for shows when they are loaded. */
  readonly #unknown = new NumberQueue();
  readonly #numbers = new NumberSet();
  /** Those that stand in a queue of turns, or of batches. */
  readonly #turns = new NumberSet();

  /** How many instances. */
  get size(): number {
    return this.#numbers.size;
  }

  has(number: StorageNumber): boolean {
    return this.#numbers.has(number);
  }

  /** Whether others wait for the same work: who comes now comes behind them. */
  isBehind({ kind, name, version }: WorkName): boolean {
    return this.#byName.has(keyOf({ kind, name, version }));
  }

  /**
   * Puts an instance here that waits for such work. Of one that is here already only the turn can be
   * new: activities come from turns.
   */
  add(number: StorageNumber, works: Iterable<WorkName>): void {
    const isNew = this.#numbers.add(number);
    for (const work of works) {
      if (!(work.kind === "activity" ? isNew : this.#turns.add(number))) continue;
      const key = keyOf(work);
      const waiting = this.#byName.get(key);
      if (waiting !== undefined) waiting.numbers.push(number);
      else {
        const numbers = new NumberQueue();
        numbers.push(number);
        this.#byName.set(key, { work, numbers });
      }
    }
  }

  /** Puts an instance here of which nothing is known but that it is ready. */
  addUnknown(number: StorageNumber): void {
    if (this.#numbers.add(number)) this.#unknown.push(number);
  }

  /**
   * Takes at most so many instances out, the longest here first, that wait for work that `accepts`
   * lets pass, or for nobody knows what; of the latter at most `unknownLimit`.
   */
  take(accepts: (work: WorkName) => boolean, limit: number, unknownLimit = limit): StorageNumber[] {
    const taken: StorageNumber[] = [];
    let accepted = [...this.#byName].filter(([, { work }]) => accepts(work));
    // In rounds, one of each name: no name holds up another.
    while (accepted.length > 0 && taken.length < limit) {
      accepted = accepted.filter(([key, { numbers }]) => {
        this.#takeFrom(numbers, Math.min(limit, taken.length + 1), taken);
        if (numbers.size > 0) return true;
        this.#byName.delete(key);
        return false;
      });
    }
    this.#takeFrom(this.#unknown, Math.min(limit, taken.length + unknownLimit), taken);
    return taken;
  }

  /** It is in memory, and what it waits for is queued there. */
  forget(number: StorageNumber): void {
    // Its place in the queues is passed over when its turn comes.
    this.#remove(number);
  }

  *names(): Generator<ReadyName> {
    for (const { work, numbers } of this.#byName.values()) yield { ...work, count: numbers.size };
  }

  clear(): void {
    this.#byName.clear();
    this.#numbers.clear();
    this.#turns.clear();
    while (this.#unknown.shift() !== undefined);
  }

  /** One that waits for several kinds of work stands in several queues, and is taken once. */
  #takeFrom(numbers: NumberQueue, limit: number, taken: StorageNumber[]): void {
    while (taken.length < limit) {
      const number = numbers.shift();
      if (number === undefined) return;
      if (this.#remove(number)) taken.push(number);
    }
  }

  #remove(number: StorageNumber): boolean {
    this.#turns.delete(number);
    return this.#numbers.delete(number);
  }
}

function keyOf({ kind, name, version }: WorkName): string {
  // Length first: a name may contain any character.
  return `${kind}${name.length}:${name}${version}`;
}
