/**
 * Bytes whose writes fail as a test says, over every opening: what fails once is whole again when it
 * is opened anew, unless it is said to fail for ever.
 */
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../../sidecar/store/ordered/bytes.ts";

/** What happens to one write: nothing, an error before it, or an error though it has landed. */
export type WriteFate = "lands" | "fails" | "lands-and-fails";

export class WriteFaults {
  /** How often the bytes were opened. */
  openings = 0;
  /** Writes over all openings. */
  writes = 0;
  readonly #fate: (write: number) => WriteFate;

  /** `fate` is asked before each write, counted from 1 over all openings. */
  constructor(fate: (write: number) => WriteFate) {
    this.#fate = fate;
  }

  readonly wrap = (inner: OrderedBytes): OrderedBytes => {
    this.openings += 1;
    return new FaultyBytes(inner, () => {
      this.writes += 1;
      return this.#fate(this.writes);
    });
  };
}

class FaultyBytes implements OrderedBytes {
  readonly #inner: OrderedBytes;
  readonly #fate: () => WriteFate;
  /** After a failed write nothing may be written to the same opening any more. */
  #hasFailed = false;

  constructor(inner: OrderedBytes, fate: () => WriteFate) {
    this.#inner = inner;
    this.#fate = fate;
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    if (this.#hasFailed) throw new Error("a handle was used again after a failed write");
    const fate = this.#fate();
    if (fate !== "fails") await this.#inner.writeDurably(writes);
    if (fate === "lands") return;
    this.#hasFailed = true;
    throw new Error("the write failed");
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#inner.rows(range, options);
  }

  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    return this.#inner.keys(range, options);
  }

  snapshot(): BytesSnapshot {
    return this.#inner.snapshot();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
