/** Storage numbers in order of arrival, and which ones there are: a few bytes each, by the million. */
import type { StorageNumber } from "../store/store.ts";

const PART = 1_024;

/** First in, first out: eight bytes a number. Numbers stay below 2^48, so a double holds them. */
export class NumberQueue {
  readonly #parts: Float64Array[] = [];
  /** Taken from the first part, and put into the last one. */
  #head = 0;
  #tail = PART;

  get size(): number {
    return this.#parts.length === 0 ? 0 : (this.#parts.length - 1) * PART + this.#tail - this.#head;
  }

  push(number: StorageNumber): void {
    if (this.#tail === PART) {
      this.#parts.push(new Float64Array(PART));
      this.#tail = 0;
    }
    const last = this.#parts.at(-1);
    if (last !== undefined) last[this.#tail] = Number(number);
    this.#tail += 1;
  }

  shift(): StorageNumber | undefined {
    if (this.size === 0) return undefined;
    const number = this.#parts[0]?.[this.#head];
    this.#head += 1;
    if (this.#head === PART || this.size === 0) {
      this.#parts.shift();
      this.#head = 0;
      if (this.#parts.length === 0) this.#tail = PART;
    }
    return number === undefined ? undefined : BigInt(number);
  }
}

const WORDS = 32;
const PAGE = WORDS * 32;

/** A set of numbers, one bit each where they lie close together, as those of instances do. */
export class NumberSet {
  readonly #pages = new Map<number, Uint32Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(number: StorageNumber): boolean {
    if (this.#size === 0) return false;
    const { page, word, bit } = placeOf(number);
    return ((this.#pages.get(page)?.[word] ?? 0) & bit) !== 0;
  }

  /** False when it was there already. */
  add(number: StorageNumber): boolean {
    const { page, word, bit } = placeOf(number);
    let words = this.#pages.get(page);
    if (words === undefined) {
      words = new Uint32Array(WORDS);
      this.#pages.set(page, words);
    }
    const before = words[word] ?? 0;
    if ((before & bit) !== 0) return false;
    words[word] = before | bit;
    this.#size += 1;
    return true;
  }

  /** False when it was not there. */
  delete(number: StorageNumber): boolean {
    const { page, word, bit } = placeOf(number);
    const words = this.#pages.get(page);
    const before = words?.[word] ?? 0;
    if (words === undefined || (before & bit) === 0) return false;
    words[word] = before & ~bit;
    this.#size -= 1;
    if (words.every((each) => each === 0)) this.#pages.delete(page);
    return true;
  }

  clear(): void {
    this.#pages.clear();
    this.#size = 0;
  }
}

function placeOf(number: StorageNumber): { page: number; word: number; bit: number } {
  const value = Number(number);
  const within = value % PAGE;
  return { page: (value - within) / PAGE, word: within >>> 5, bit: 1 << (within & 31) };
}
