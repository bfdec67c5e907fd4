/** Keys of the indexes that queries read: by creation, by completion, by the age of holds. */
import type {
  HeldCursor,
  InstanceClass,
  InstanceCursor,
  StorageNumber,
  TimeRange,
} from "../store.ts";
import type { KeyRange } from "./bytes.ts";
import {
  type KeyTime,
  KIND,
  type Kind,
  newKey,
  numberKey,
  readTime,
  TIME_BYTES,
  textKey,
  viewOf,
  writeTime,
} from "./key-parts.ts";
import { rangeBehind } from "./keys.ts";

/** Part of the stored format. */
const CLASS: Readonly<Record<InstanceClass, number>> = {
  live: 1,
  completed: 2,
  failed: 3,
  terminated: 4,
  canceled: 5,
};

/** Kind and hub. */
const HUB_BYTES = 1 + 8;

/** hub | class | created at | instance id */
export function queryKey(
  hub: StorageNumber,
  instanceClass: InstanceClass,
  createdAt: KeyTime,
  instanceId: string,
): Uint8Array {
  return textKey(timeKey(classKey(hub, instanceClass), createdAt), instanceId);
}

/** Where an instance stands in the order of creation. */
export function queryKeyParts(key: Uint8Array): { time: KeyTime; instanceId: string } {
  return instanceParts(viewOf(key), HUB_BYTES + 1);
}

/** Instances of one class that were created within a range, from behind a cursor on. */
export function queryRange(
  hub: StorageNumber,
  instanceClass: InstanceClass,
  created: TimeRange,
  after: InstanceCursor | undefined,
): KeyRange {
  const last = after && queryKey(hub, instanceClass, after.time, after.instanceId);
  return rangeWithin(classKey(hub, instanceClass), created, last);
}

/** hub | completed at | instance id */
export function completedKey(
  hub: StorageNumber,
  completedAt: KeyTime,
  instanceId: string,
): Uint8Array {
  return textKey(timeKey(numberKey(KIND.completed, hub), completedAt), instanceId);
}

/** Where an instance stands in the order of completion. */
export function completedKeyParts(key: Uint8Array): { time: KeyTime; instanceId: string } {
  return instanceParts(viewOf(key), HUB_BYTES);
}

export function completedRange(
  hub: StorageNumber,
  completed: TimeRange,
  after: InstanceCursor | undefined,
): KeyRange {
  const last = after && completedKey(hub, after.time, after.instanceId);
  return rangeWithin(numberKey(KIND.completed, hub), completed, last);
}

/** hub | placed at | storage number | name of the hold */
export function heldKey(hub: StorageNumber, { time, number, name }: HeldCursor): Uint8Array {
  const prefix = timeKey(numberKey(KIND.held, hub), time);
  const behindTime = Buffer.allocUnsafe(8);
  behindTime.writeBigUInt64BE(number);
  return textKey(Buffer.concat([prefix, behindTime]), name);
}

export function heldKeyParts(key: Uint8Array): {
  readonly time: KeyTime;
  readonly number: StorageNumber;
  readonly name: string;
} {
  const view = viewOf(key);
  const behindTime = HUB_BYTES + TIME_BYTES;
  return {
    time: readTime(view, HUB_BYTES),
    number: view.readBigUInt64BE(behindTime),
    name: view.toString("utf8", behindTime + 8),
  };
}

export function heldRange(
  hub: StorageNumber,
  placed: TimeRange,
  after: HeldCursor | undefined,
): KeyRange {
  return rangeWithin(numberKey(KIND.held, hub), placed, after && heldKey(hub, after));
}

/** Everything that the indexes of this file say of one hub. */
export function hubQueryRanges(hub: StorageNumber): readonly KeyRange[] {
  const kinds: readonly Kind[] = [KIND.query, KIND.completed, KIND.held];
  return kinds.map((kind) => ({ from: numberKey(kind, hub), to: numberKey(kind, hub + 1n) }));
}

function classKey(hub: StorageNumber, instanceClass: InstanceClass): Buffer {
  const key = newKey(KIND.query, 9);
  key.writeBigUInt64BE(hub, 1);
  key[HUB_BYTES] = CLASS[instanceClass];
  return key;
}

function timeKey(prefix: Buffer, time: KeyTime): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + TIME_BYTES);
  key.set(prefix);
  writeTime(key, time, prefix.length);
  return key;
}

/** The part of a prefix's keys whose time lies within the range, behind a key if there is one. */
function rangeWithin(prefix: Buffer, { from, to }: TimeRange, last?: Uint8Array): KeyRange {
  const range = {
    from: from === undefined ? prefix : timeKey(prefix, from),
    to: to === undefined ? prefixEnd(prefix) : timeKey(prefix, to),
  };
  // A cursor may stand before the range: its filter may have been a wider one.
  const isBefore = last !== undefined && Buffer.compare(last, range.from) < 0;
  return rangeBehind(range, isBefore ? undefined : last);
}

/** The first key behind all that begin with the prefix: times never fill their bytes. */
function prefixEnd(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.alloc(TIME_BYTES, 0xff)]);
}

function instanceParts(key: Buffer, timeAt: number): { time: KeyTime; instanceId: string } {
  return { time: readTime(key, timeAt), instanceId: key.toString("utf8", timeAt + TIME_BYTES) };
}
