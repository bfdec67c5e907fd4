/** Files of exported hubs, as bytes: made, taken apart, changed, and brought back. */
import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import { BackupReader } from "../../sidecar/store/backup/reader.ts";
import { renumberEntry, renumberHubEntry } from "../../sidecar/store/backup/renumber.ts";
import {
  EntrySchema,
  HubEntrySchema,
  LogRecordSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  BackupEntry,
  BackupHeader,
  BackupTrailer,
} from "../../sidecar/wire/gen/taskhub/v1/backup_pb.ts";

const NEVER = new AbortController().signal;

/** The file of a hub. */
export async function exported(hubs: TaskHubs, name = "default"): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of hubs.exports.export(name, NEVER)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Brings a file back in parts of this size. */
export async function importFile(
  hubs: TaskHubs,
  file: Uint8Array,
  { name = "default", partBytes = 1_000 } = {},
) {
  const id = await hubs.imports.begin(name);
  for (const [part, data] of partsOf(file, partBytes)) await hubs.imports.add(name, id, part, data);
  return hubs.imports.finish(name, id);
}

export function* partsOf(file: Uint8Array, bytes: number): Generator<[bigint, Uint8Array]> {
  for (let at = 0, part = 1n; at < file.length; at += bytes, part += 1n) {
    yield [part, file.subarray(at, at + bytes)];
  }
}

/** What a whole file holds. */
export interface OpenedFile {
  readonly header: BackupHeader;
  readonly entries: readonly BackupEntry[];
  readonly trailer: BackupTrailer;
}

export function opened(file: Uint8Array): OpenedFile {
  const reader = new BackupReader();
  const entries = reader.push(file).flatMap((item) => (item.kind === "entry" ? [item.entry] : []));
  return { ...reader.end(), entries };
}

/**
 * The records of a file as data to compare: storage numbers count from that of the hub, and the hub
 * has no name and no incarnation.
 */
export function comparable(file: Uint8Array): readonly unknown[] {
  const { entries } = opened(file);
  const hub = entries[0]?.number ?? 0n;
  // Positive for all: lives may be older than their hub.
  const renumber = (number: bigint) => (number === 0n ? 0n : number - hub + 2n ** 40n);
  return entries.map(({ instanceId, number, generation, sequence, entry }) => {
    const record = fromBinary(LogRecordSchema, entry);
    for (const each of record.entries) renumberEntry(each, renumber);
    for (const each of record.hubEntries) {
      renumberHubEntry(each, renumber);
      if (each.base !== undefined) Object.assign(each.base, { name: "", incarnation: "" });
    }
    return {
      key: `${instanceId}/${renumber(number)}/${generation}/${sequence}`,
      entries: record.entries.map((each) => toJson(EntrySchema, each)),
      hubEntries: record.hubEntries.map((each) => toJson(HubEntrySchema, each)),
    };
  });
}

/** Where each record of a file begins, and where the last one ends. */
export function recordPlaces(file: Buffer): number[] {
  const places: number[] = [];
  let at = file.indexOf("\n") + 1;
  while (at < file.length) {
    places.push(at);
    at += 8 + file.readUInt32BE(at);
  }
  return [...places, at];
}
