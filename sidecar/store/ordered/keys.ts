/**
 * Keys of logs, of what finds them, and of what is to be done. How keys are made is told in
 * `key-parts.ts`; those of the indexes that queries read are in `query-keys.ts`.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { StorageNumber } from "../store.ts";
import type { KeyRange } from "./bytes.ts";
import {
  KIND,
  newKey,
  numberKey,
  readSequence,
  readTime,
  textKey,
  viewOf,
  writeSequence,
  writeTime,
} from "./key-parts.ts";

const GENERATION_MAX = 2 ** 32 - 1;

export function groupKey(sequence: number): Uint8Array {
  const key = newKey(KIND.group, 8);
  writeSequence(key, sequence, 1);
  return key;
}

export function isGroupKey(key: Uint8Array): boolean {
  return key[0] === KIND.group;
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

export function instanceIdOf(key: Uint8Array): string {
  return viewOf(key).toString("utf8", 9);
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

export function snapshotGenerationOf(key: Uint8Array): number {
  return viewOf(key).readUInt32BE(9);
}

export function readyKey(number: StorageNumber): Uint8Array {
  return numberKey(KIND.ready, number);
}

export function garbageKey(number: StorageNumber): Uint8Array {
  return numberKey(KIND.garbage, number);
}

/** A hub that is being imported. */
export function importKey(hub: StorageNumber): Uint8Array {
  return numberKey(KIND.import, hub);
}

/** The number of a ready row, a garbage row or an import row. */
export function numberOf(key: Uint8Array): StorageNumber {
  return viewOf(key).readBigUInt64BE(1);
}

export function dueKey(
  due: Pick<Timestamp, "seconds" | "nanos">,
  number: StorageNumber,
): Uint8Array {
  const key = newKey(KIND.due, 20);
  writeTime(key, due, 1);
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
  return { ...readTime(view, 1), number: view.readBigUInt64BE(13) };
}

/** All rows of a kind. */
export function kindRange(kind: keyof typeof KIND): KeyRange {
  return { from: Buffer.of(KIND[kind]), to: Buffer.of(KIND[kind] + 1) };
}

/** The rows of all instances of a hub. */
export function hubInstancesRange(hub: StorageNumber): KeyRange {
  return { from: numberKey(KIND.instance, hub), to: numberKey(KIND.instance, hub + 1n) };
}

/** The rows of instances of a hub whose ids begin with `prefix`. */
export function idPrefixRange(hub: StorageNumber, prefix: string): KeyRange {
  const from = instanceKey(hub, prefix);
  // No text has this byte.
  return { from, to: Buffer.concat([from, Buffer.of(0xff)]) };
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
