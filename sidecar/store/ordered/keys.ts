/**
 * Binary keys. One byte says the kind of row, then come fixed-width, big-endian numbers, so that
 * byte order is the order of reading. Text has no fixed width, and any byte may occur in it: it is
 * always the last component.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import type { StorageNumber } from "../store.ts";
import type { KeyRange } from "./bytes.ts";

/** Part of the stored format: a kind keeps its byte for ever. */
const KIND = {
  group: 1,
  hub: 2,
  instance: 3,
  log: 4,
  snapshot: 5,
  ready: 6,
  due: 7,
  garbage: 8,
} as const;

type Kind = (typeof KIND)[keyof typeof KIND];

const U32 = 2 ** 32;
const GENERATION_MAX = U32 - 1;

/**
 * 0001-01-01, the earliest time that a protobuf Timestamp may hold, is key 0. Times before it share
 * that key, so that they are due first and no negative number has to be ordered.
 */
const DUE_BIAS_SECONDS = 62_135_596_800n;

export function groupKey(sequence: number): Uint8Array {
  const key = newKey(KIND.group, 8);
  writeSequence(key, sequence, 1);
  return key;
}

export function groupSequenceOf(key: Uint8Array): number {
  return readSequence(viewOf(key), 1);
}

export function hubKey(name: string): Uint8Array {
  return textKey(newKey(KIND.hub, 0), name);
}

export function hubNameOf(key: Uint8Array): string {
  return viewOf(key).toString("utf8", 1);
}

export function instanceKey(hub: StorageNumber, instanceId: string): Uint8Array {
  return textKey(numberKey(KIND.instance, hub), instanceId);
}

export function logKey(number: StorageNumber, generation: number, sequence: number): Uint8Array {
  const key = newKey(KIND.log, 20);
  key.writeBigUInt64BE(number, 1);
  key.writeUInt32BE(generation, 9);
  writeSequence(key, sequence, 13);
  return key;
}

export function logGenerationOf(key: Uint8Array): number {
  return viewOf(key).readUInt32BE(9);
}

export function logSequenceOf(key: Uint8Array): number {
  return readSequence(viewOf(key), 13);
}

export function snapshotKey(number: StorageNumber, generation: number): Uint8Array {
  const key = newKey(KIND.snapshot, 12);
  key.writeBigUInt64BE(number, 1);
  key.writeUInt32BE(generation, 9);
  return key;
}

export function readyKey(number: StorageNumber): Uint8Array {
  return numberKey(KIND.ready, number);
}

export function garbageKey(number: StorageNumber): Uint8Array {
  return numberKey(KIND.garbage, number);
}

/** The number of a ready row or a garbage row. */
export function numberOf(key: Uint8Array): StorageNumber {
  return viewOf(key).readBigUInt64BE(1);
}

export function dueKey(
  due: Pick<Timestamp, "seconds" | "nanos">,
  number: StorageNumber,
): Uint8Array {
  const key = newKey(KIND.due, 20);
  const seconds = due.seconds + DUE_BIAS_SECONDS;
  key.writeBigUInt64BE(seconds < 0n ? 0n : seconds, 1);
  key.writeUInt32BE(seconds < 0n ? 0 : due.nanos, 9);
  key.writeBigUInt64BE(number, 13);
  return key;
}

export interface DueKeyParts {
  readonly seconds: bigint;
  readonly nanos: number;
  readonly number: StorageNumber;
}

export function dueKeyParts(key: Uint8Array): DueKeyParts {
  const view = viewOf(key);
  return {
    seconds: view.readBigUInt64BE(1) - DUE_BIAS_SECONDS,
    nanos: view.readUInt32BE(9),
    number: view.readBigUInt64BE(13),
  };
}

/** All rows of a kind. */
export function kindRange(kind: keyof typeof KIND): KeyRange {
  return { from: Buffer.of(KIND[kind]), to: Buffer.of(KIND[kind] + 1) };
}

/** The rows of all instances of a hub. */
export function hubInstancesRange(hub: StorageNumber): KeyRange {
  return { from: numberKey(KIND.instance, hub), to: numberKey(KIND.instance, hub + 1n) };
}

/** One generation of a log from the key `fromSequence` on. */
export function logRange(
  number: StorageNumber,
  generation: number,
  fromSequence: number,
): KeyRange {
  return {
    from: logKey(number, generation, fromSequence),
    to: behindGeneration(number, generation),
  };
}

/** The generations of a log below one; 0 means all of them. */
export function logGenerationsRange(number: StorageNumber, belowGeneration: number): KeyRange {
  const to = belowGeneration === 0 ? logKey(number + 1n, 0, 0) : logKey(number, belowGeneration, 0);
  return { from: logKey(number, 0, 0), to };
}

/** The snapshots of generations below one; 0 means all of them. */
export function snapshotGenerationsRange(number: StorageNumber, belowGeneration: number): KeyRange {
  const to =
    belowGeneration === 0 ? snapshotKey(number + 1n, 0) : snapshotKey(number, belowGeneration);
  return { from: snapshotKey(number, 0), to };
}

/** The first key that can follow this one. */
export function behind(key: Uint8Array): Uint8Array {
  const next = Buffer.alloc(key.length + 1);
  next.set(key);
  return next;
}

/** What is left of a range behind a key. */
export function rangeBehind(range: KeyRange, key: Uint8Array | undefined): KeyRange {
  return key === undefined ? range : { from: behind(key), to: range.to };
}

function behindGeneration(number: StorageNumber, generation: number): Uint8Array {
  return generation === GENERATION_MAX
    ? logKey(number + 1n, 0, 0)
    : logKey(number, generation + 1, 0);
}

function newKey(kind: Kind, bytesBehindKind: number): Buffer {
  const key = Buffer.allocUnsafe(1 + bytesBehindKind);
  key[0] = kind;
  return key;
}

function numberKey(kind: Kind, number: StorageNumber): Buffer {
  const key = newKey(kind, 8);
  key.writeBigUInt64BE(number, 1);
  return key;
}

function textKey(prefix: Buffer, text: string): Uint8Array {
  // UTF-8 has no lone surrogates: two different texts with one would become the same key.
  assert(text.isWellFormed(), "text of a key has a lone surrogate");
  return Buffer.concat([prefix, Buffer.from(text, "utf8")]);
}

/** A u64 without a bigint: sequences stay below 2^53. */
function writeSequence(key: Buffer, sequence: number, offset: number): void {
  assert(Number.isSafeInteger(sequence) && sequence >= 0, `no sequence: ${sequence}`);
  key.writeUInt32BE(Math.floor(sequence / U32), offset);
  key.writeUInt32BE(sequence % U32, offset + 4);
}

function readSequence(key: Buffer, offset: number): number {
  return key.readUInt32BE(offset) * U32 + key.readUInt32BE(offset + 4);
}

function viewOf(key: Uint8Array): Buffer {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength);
}
