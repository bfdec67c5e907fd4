/**
 * What the tests of the scheduler put below a store: a switch for durability, and one for the
 * power.
 */
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../../../sidecar/store/ordered/bytes.ts";

const NEVER = new Promise<never>(() => {});

export class SwitchedBytes implements OrderedBytes {
  readonly #inner: OrderedBytes;
  #held: PromiseWithResolvers<void> | undefined;
  #heldReads: PromiseWithResolvers<void> | undefined;
  #unheld = 0;
  #isDead = false;
  #running = 0;
  #calls = 0;

  constructor(inner: OrderedBytes) {
    this.#inner = inner;
  }

  /** How many calls there were; the same number twice says that nothing went on in between. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether a call runs that nobody holds back. */
  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Nothing becomes durable until `release`, but for the next `unheld` groups. */
  hold(unheld = 0): void {
    this.#held ??= Promise.withResolvers<void>();
    this.#unheld = unheld;
  }

  /** Lets the group that is held back become durable, and holds back the next. */
  releaseOne(): void {
    this.release();
    this.hold();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
    this.#unheld = 0;
  }

  /** No range is read until `releaseReads`. */
  holdReads(): void {
    this.#heldReads ??= Promise.withResolvers<void>();
  }

  releaseReads(): void {
    this.#heldReads?.resolve();
    this.#heldReads = undefined;
  }

  /** The process is gone: nothing it still has under way is written, or comes back. */
  kill(): void {
    this.#isDead = true;
    this.release();
    this.releaseReads();
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    this.#calls += 1;
    if (this.#unheld > 0) this.#unheld -= 1;
    else await this.#held?.promise;
    return this.#run(() => this.#inner.writeDurably(writes));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#calls += 1;
    return this.#inner.get(key);
  }

  async rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    this.#calls += 1;
    await this.#heldReads?.promise;
    return this.#run(() => this.#inner.rows(range, options));
  }

  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    this.#calls += 1;
    return this.#run(() => this.#inner.keys(range, options));
  }

  snapshot(): BytesSnapshot {
    this.#calls += 1;
    return this.#inner.snapshot();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isDead) return NEVER;
    this.#running += 1;
    try {
      const result = await call();
      return this.#isDead ? NEVER : result;
    } finally {
      this.#running -= 1;
      this.#calls += 1;
    }
  }
}
