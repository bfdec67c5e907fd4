/**
 * What binary keys are made of. One byte says the kind of row, then come fixed-width, big-endian
 * numbers, so that byte order is the order of reading. Text has no fixed width, and any byte may
 * occur in it: it is always the last component.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import type { StorageNumber } from "../store.ts";

/** Part of the stored format: a kind keeps its byte for ever. */
export const KIND = {
  group: 1,
  hub: 2,
  instance: 3,
  log: 4,
  snapshot: 5,
  ready: 6,
  due: 7,
  garbage: 8,
  query: 9,
  completed: 10,
  held: 11,
  import: 12,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

/** A time to the nanosecond, without being a message. */
export type KeyTime = Pick<Timestamp, "seconds" | "nanos">;

/** Bytes that a time takes in a key. */
export const TIME_BYTES = 12;

const U32 = 2 ** 32;

/**
 * 0001-01-01, the earliest time that a protobuf Timestamp may hold, is key 0. Times before it share
 * that key, so that they come first and no negative number has to be ordered.
 */
const TIME_BIAS_SECONDS = 62_135_596_800n;

export function newKey(kind: Kind, bytesBehindKind: number): Buffer {
  const key = Buffer.allocUnsafe(1 + bytesBehindKind);
  key[0] = kind;
  return key;
}

export function numberKey(kind: Kind, number: StorageNumber): Buffer {
  const key = newKey(kind, 8);
  key.writeBigUInt64BE(number, 1);
  return key;
}

export function textKey(prefix: Buffer, text: string): Uint8Array {
  // UTF-8 has no lone surrogates: two different texts with one would become the same key.
  assert(text.isWellFormed(), "text of a key has a lone surrogate");
  return Buffer.concat([prefix, Buffer.from(text, "utf8")]);
}

export function writeTime(key: Buffer, time: KeyTime, offset: number): void {
  const seconds = time.seconds + TIME_BIAS_SECONDS;
  key.writeBigUInt64BE(seconds < 0n ? 0n : seconds, offset);
  key.writeUInt32BE(seconds < 0n ? 0 : time.nanos, offset + 8);
}

export function readTime(key: Buffer, offset: number): KeyTime {
  return {
    seconds: key.readBigUInt64BE(offset) - TIME_BIAS_SECONDS,
    nanos: key.readUInt32BE(offset + 8),
  };
}

/** A u64 without a bigint: sequences stay below 2^53. */
export function writeSequence(key: Buffer, sequence: number, offset: number): void {
  assert(Number.isSafeInteger(sequence) && sequence >= 0, `no sequence: ${sequence}`);
  key.writeUInt32BE(Math.floor(sequence / U32), offset);
  key.writeUInt32BE(sequence % U32, offset + 4);
}

export function readSequence(key: Buffer, offset: number): number {
  return key.readUInt32BE(offset) * U32 + key.readUInt32BE(offset + 4);
}

export function viewOf(key: Uint8Array): Buffer {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength);
}
