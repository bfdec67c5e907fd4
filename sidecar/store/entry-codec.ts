/** Log entries as bytes and back. */
import { fromBinary } from "@bufbuild/protobuf";
import { HubError } from "../foundation/errors.ts";
import { blank } from "../wire/blank.ts";
import { encode } from "../wire/encode.ts";
import {
  type Entry,
  type HubEntry,
  type LogRecord,
  LogRecordSchema,
} from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { unseal } from "./envelope.ts";

/**
 * One entry as an encoded LogRecord.
 *
 * Records may simply be put one behind the other: protobuf merges concatenated messages, and
 * repeated fields append. So each entry is encoded once, when it is decided, and entries that
 * share a put are not encoded again.
 */
export function encodeEntry(entry: Entry): Uint8Array {
  const record = blank(LogRecordSchema);
  record.entries.push(entry);
  return encode(LogRecordSchema, record);
}

/** One entry of a task hub's log, likewise. */
export function encodeHubEntry(entry: HubEntry): Uint8Array {
  const record = blank(LogRecordSchema);
  record.hubEntries.push(entry);
  return encode(LogRecordSchema, record);
}

/** @throws HubError "store-distrusted" when the value is damaged or holds no entry */
export function decodeLogRecord(value: Uint8Array, what: string): LogRecord {
  const record = fromBinary(LogRecordSchema, unseal(value, what));
  if (record.entries.length === 0 && record.hubEntries.length === 0) {
    throw new HubError("store-distrusted", `stored data is damaged: ${what} holds no entry`);
  }
  return record;
}
