/** Commits for tests of stores, as short as what they say. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { encodeEntry, encodeHubEntry } from "../../sidecar/store/entry-codec.ts";
import type { Commit, IndexChange, LogAppend, StorageNumber } from "../../sidecar/store/store.ts";
import {
  type Entry,
  EntrySchema,
  type HubEntry,
  HubEntrySchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  GarbageRowSchema,
  type InstanceAddress,
  InstanceAddressSchema,
  InstanceRowSchema,
  SnapshotSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";

/** An entry that can be told from others by its label. */
export function entryOf(label: string): Entry {
  return create(EntrySchema, { header: { requestId: label } });
}

/** The entry that begins a generation behind the first one. */
export function baseOf(label: string): Entry {
  return create(EntrySchema, { header: { requestId: label }, base: { instanceId: label } });
}

export function hubEntryOf(label: string): HubEntry {
  return create(HubEntrySchema, { header: { requestId: label } });
}

export function hubBaseOf(label: string): HubEntry {
  return create(HubEntrySchema, { header: { requestId: label }, base: { name: label } });
}

export function labelsOf(entries: readonly { readonly entry: Entry | HubEntry }[]): string[] {
  return entries.map(({ entry }) => entry.header?.requestId ?? "");
}

export interface LogPlace {
  readonly number: StorageNumber;
  readonly generation?: number;
  readonly sequence: number;
}

export function instanceAppend(place: LogPlace, entry: Entry | string): LogAppend {
  const record = encodeEntry(typeof entry === "string" ? entryOf(entry) : entry);
  return { generation: 1, ...place, record };
}

export function hubAppend(place: LogPlace, entry: HubEntry | string): LogAppend {
  const record = encodeHubEntry(typeof entry === "string" ? hubEntryOf(entry) : entry);
  return { generation: 1, ...place, record };
}

/** `length` entries from sequence `from` on, labelled by their sequence. */
export function instanceAppends(
  place: Omit<LogPlace, "sequence">,
  from: number,
  length: number,
): LogAppend[] {
  return Array.from({ length }, (_, index) => {
    const sequence = from + index;
    return instanceAppend({ ...place, sequence }, String(sequence));
  });
}

export function addressOf(hub: StorageNumber, instanceId: string): InstanceAddress {
  return create(InstanceAddressSchema, { hub, instanceId });
}

export function instanceChange(
  hub: StorageNumber,
  instanceId: string,
  number: StorageNumber | undefined,
  generation = 1,
): IndexChange {
  const row = number === undefined ? undefined : create(InstanceRowSchema, { number, generation });
  return { index: "instance", hub, instanceId, row };
}

export function readyChange(number: StorageNumber, row: InstanceAddress | undefined): IndexChange {
  return { index: "ready", number, row };
}

export function dueChange(
  due: Timestamp,
  number: StorageNumber,
  row: InstanceAddress | undefined,
): IndexChange {
  return { index: "due", due, number, row };
}

/** A snapshot that covers everything up to `sequence`; undefined deletes it. */
export function snapshotChange(
  number: StorageNumber,
  generation: number,
  sequence: number | undefined,
): IndexChange {
  const row =
    sequence === undefined ? undefined : create(SnapshotSchema, { sequence: BigInt(sequence) });
  return { index: "snapshot", number, generation, row };
}

export function garbageChange(row: MessageInitShape<typeof GarbageRowSchema>): IndexChange {
  return { index: "garbage", row: create(GarbageRowSchema, row) };
}

export function commitOf(...changes: readonly (LogAppend | IndexChange)[]): Commit {
  return {
    appends: changes.filter((change) => "record" in change),
    index: changes.filter((change) => "index" in change),
  };
}

/**
 * A time by its text, which may have digits behind the milliseconds:
 * "1969-12-31T23:59:59.000000001Z".
 */
export function timestampOf(text: string): Timestamp {
  const [, second, fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  return create(TimestampSchema, {
    seconds: BigInt(Date.parse(`${second}Z`)) / 1000n,
    nanos: Number(fraction.padEnd(9, "0")),
  });
}
