/**
 * What tests put between a store and its bytes, to look at writes, hold them back, or let them
 * fail.
 */
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../../sidecar/store/ordered/bytes.ts";

const EVERYTHING: KeyRange = { from: Buffer.of(0), to: Buffer.of(255) };
const GROUP_RECORDS_END = Buffer.of(2);

export class WatchedBytes implements OrderedBytes {
  /** Each batch that was written or tried, in order. */
  readonly batches: (readonly Write[])[] = [];
  readonly #inner: OrderedBytes;
  #held: PromiseWithResolvers<void> | undefined;
  /** How many batches are not held back. */
  #unheld = 0;
  #heldKeys: { readonly reached: () => void; readonly released: Promise<void> } | undefined;
  #failure: { readonly batch: number; readonly error: Error } | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(inner: OrderedBytes) {
    this.#inner = inner;
  }

  /** Batches from now on wait for `release`; the next `unheld` of them do not. */
  hold(unheld = 0): void {
    this.#held ??= Promise.withResolvers<void>();
    this.#unheld = this.batches.length + unheld;
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** The next read of keys, which only background deletion does unasked, waits for `release`. */
  holdKeys(): { readonly reached: Promise<void>; readonly release: () => void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#heldKeys = { reached: reached.resolve, released: released.promise };
    return { reached: reached.promise, release: released.resolve };
  }

  /** The batch with this number, counted from 1, is not written and fails. */
  failBatch(batch: number, error: Error): void {
    this.#failure = { batch, error };
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    this.batches.push(writes);
    if (this.#failure?.batch === this.batches.length) throw this.#failure.error;
    if (this.batches.length > this.#unheld) await this.#held?.promise;
    await this.#inner.writeDurably(writes);
    for (const watcher of this.#watchers) watcher();
  }

  /** Resolves when `isTrue` holds, which it is asked now and after each write. */
  async until(isTrue: () => Promise<boolean>): Promise<void> {
    let written = Promise.withResolvers<void>();
    const watcher = () => written.resolve();
    this.#watchers.add(watcher);
    while (!(await isTrue())) {
      await written.promise;
      written = Promise.withResolvers<void>();
    }
    this.#watchers.delete(watcher);
  }

  /** Every row but the group records, which are there whatever a test does. */
  storedRows(): Promise<readonly Row[]> {
    return this.rows({ from: GROUP_RECORDS_END, to: EVERYTHING.to });
  }

  /** Changes one row behind the store's back; undefined deletes it. */
  tamper(key: Uint8Array, value: Uint8Array | undefined): Promise<void> {
    const write: Write = value === undefined ? { type: "del", key } : { type: "put", key, value };
    return this.#inner.writeDurably([write]);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#inner.rows(range, options);
  }

  async keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    const held = this.#heldKeys;
    this.#heldKeys = undefined;
    held?.reached();
    await held?.released;
    return this.#inner.keys(range, options);
  }

  snapshot(): BytesSnapshot {
    return this.#inner.snapshot();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
