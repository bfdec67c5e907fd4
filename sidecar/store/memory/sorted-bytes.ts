/** Ordered bytes in memory: a sorted list of sorted chunks. */
import { assert } from "../../foundation/assert.ts";
import {
  type BytesSnapshot,
  type KeyRange,
  keyText,
  type OrderedBytes,
  type ReadOptions,
  type Row,
  snapshotClosed,
  type Write,
} from "../ordered/bytes.ts";
import { rangeBehind } from "../ordered/keys.ts";

/** Inserting moves at most so many keys; a full chunk becomes two. */
const CHUNK_KEYS_MAX = 512;

/**
 * Keys are kept as latin1 strings: one code unit is one byte, so that comparing strings is
 * comparing bytes, at the speed of the engine's own comparison. Values are kept as they were sealed
 * and never handed over as objects, so that aliasing shows here as it would on a disk.
 */
export class SortedBytes implements OrderedBytes {
  readonly #values: Map<string, Uint8Array>;
  /** Never empty; every chunk but the first of an empty list has keys. */
  readonly #chunks: string[][];
  readonly #chunkKeysMax: number;

  constructor(
    chunkKeysMax = CHUNK_KEYS_MAX,
    values = new Map<string, Uint8Array>(),
    chunks: string[][] = [[]],
  ) {
    this.#chunkKeysMax = chunkKeysMax;
    this.#values = values;
    this.#chunks = chunks;
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    for (const write of writes) {
      const key = keyText(write.key);
      if (write.type === "put") this.#put(key, write.value);
      else this.#delete(key);
    }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(keyText(key));
  }

  async rows(range: KeyRange, options: ReadOptions = {}): Promise<readonly Row[]> {
    return this.#select(range, options).map((key) => {
      const value = this.#values.get(key);
      assert(value !== undefined, "a key of a chunk has no value");
      return [bytesOf(key), value];
    });
  }

  async keys(range: KeyRange, options: ReadOptions = {}): Promise<readonly Uint8Array[]> {
    return this.#select(range, options).map(bytesOf);
  }

  /** A copy: what is kept in memory is small enough for one. Keys and values are shared. */
  snapshot(): BytesSnapshot {
    const values = new Map(this.#values);
    return new SortedSnapshot(
      new SortedBytes(
        this.#chunkKeysMax,
        values,
        this.#chunks.map((chunk) => [...chunk]),
      ),
    );
  }

  async close(): Promise<void> {
    this.#values.clear();
    this.#chunks.splice(0, this.#chunks.length, []);
  }

  #put(key: string, value: Uint8Array): void {
    const isNew = !this.#values.has(key);
    this.#values.set(key, value);
    if (!isNew) return;
    const index = this.#chunkFor(key);
    const chunk = this.#chunkAt(index);
    chunk.splice(firstAtOrBehind(chunk, key), 0, key);
    if (chunk.length <= this.#chunkKeysMax) return;
    // Keys that only grow fill the last chunk: splitting it near its end leaves full chunks behind.
    const isLast = index === this.#chunks.length - 1;
    this.#chunks.splice(index + 1, 0, chunk.splice(isLast ? -1 : this.#chunkKeysMax / 2));
  }

  #delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const index = this.#chunkFor(key);
    const chunk = this.#chunkAt(index);
    chunk.splice(firstAtOrBehind(chunk, key), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(index, 1);
  }

  #select({ from, to }: KeyRange, { limit = Infinity, reverse = false }: ReadOptions): string[] {
    const first = keyText(from);
    const end = keyText(to);
    const selected: string[] = [];
    let index = this.#chunkFor(reverse ? end : first);
    const step = reverse ? -1 : 1;
    for (; selected.length < limit; index += step) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) break;
      const inRange = chunk.slice(firstAtOrBehind(chunk, first), firstAtOrBehind(chunk, end));
      if (reverse) inRange.reverse();
      for (const key of inRange.slice(0, limit - selected.length)) selected.push(key);
      const last = reverse ? chunk[0] : chunk.at(-1);
      if (last !== undefined && (reverse ? last < first : last >= end)) break;
    }
    return selected;
  }

  /** The last chunk that begins at or before the key, else the first one. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const [first] = this.#chunkAt(middle);
      if (first !== undefined && first <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  #chunkAt(index: number): string[] {
    const chunk = this.#chunks[index];
    assert(chunk !== undefined, "a search left the list of chunks");
    return chunk;
  }
}

/** Rows that `each` has in memory at once. */
const PAGE = 256;

class SortedSnapshot implements BytesSnapshot {
  readonly #copy: SortedBytes;
  #isClosed = false;

  constructor(copy: SortedBytes) {
    this.#copy = copy;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#open().get(key);
  }

  async rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#open().rows(range, options);
  }

  async keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    return this.#open().keys(range, options);
  }

  async *each(range: KeyRange): AsyncGenerator<Row, void, undefined> {
    let rest = range;
    for (;;) {
      const page = await this.rows(rest, { limit: PAGE });
      yield* page;
      if (page.length < PAGE) return;
      rest = rangeBehind(range, page.at(-1)?.[0]);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#copy.close();
  }

  #open(): SortedBytes {
    if (this.#isClosed) throw snapshotClosed();
    return this.#copy;
  }
}

/** Where the key is or would be. */
function firstAtOrBehind(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = keys[middle];
    if (found !== undefined && found < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bytesOf(key: string): Uint8Array {
  return Buffer.from(key, "latin1");
}
