/**
 * The seam below a store: keys in byte order, and batches that are durable when they resolve. What
 * a store means (keys, codec, groups, reading, garbage) is written once above it; LevelDB and a
 * sorted map in memory are below.
 */

import { HubError } from "../../foundation/errors.ts";

export interface Put {
  readonly type: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Delete {
  readonly type: "del";
  readonly key: Uint8Array;
}

export type Write = Put | Delete;

/** Keys from `from` (included) to `to` (not included), in byte order. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface ReadOptions {
  readonly limit?: number;
  /** From the end of the range. */
  readonly reverse?: boolean;
}

export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** What can be read, of bytes as they are now or of a snapshot. */
export interface ReadableBytes {
  /** @throws HubError "store-distrusted" when the value cannot be read */
  get(key: Uint8Array): Uint8Array | undefined;

  /**
   * A consistent view, as of the call.
   *
   * @throws HubError "store-distrusted" when the rows cannot be read
   */
  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]>;

  /** Like `rows`, for callers that need no values. */
  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]>;
}

/**
 * All keys as of one moment, which stay as they were while writes go on. It pins what the disk could
 * give back: whoever asked for it closes it. After that, and when the bytes are closed, reading
 * throws HubError "unavailable".
 */
export interface BytesSnapshot extends ReadableBytes {
  /** All rows of a range, in order, a bounded number of bytes in memory. */
  each(range: KeyRange): AsyncGenerator<Row, void, undefined>;

  /** Idempotent. */
  close(): Promise<void>;
}

export interface OrderedBytes extends ReadableBytes {
  /**
   * Applies all writes or none; resolves when they are durable and readable. Never called while
   * another call runs. After it rejected once it is not called again: whether that batch landed is
   * not known.
   */
  writeDurably(writes: readonly Write[]): Promise<void>;

  /**
   * Bytes that a range takes on the disk, roughly: what was deleted counts until it is given back, and
   * what was written last does not yet.
   */
  sizeOf?(range: KeyRange): Promise<number>;

  /** Gives back what was deleted in a range, beside reads and writes. It cannot be interrupted. */
  compact?(range: KeyRange): Promise<void>;

  /** Shows what is durable at the moment of the call. */
  snapshot(): BytesSnapshot;

  close(): Promise<void>;
}

/**
 * A key as text with one code unit a byte: equal, and in the same order, exactly when the keys are.
 */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** What reading a snapshot throws when there is none any more. */
export function snapshotClosed(cause?: unknown): HubError {
  return new HubError("unavailable", "what was to be read is not open any more", { cause });
}
