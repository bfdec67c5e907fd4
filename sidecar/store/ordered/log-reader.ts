/** Reads logs back, and proves that nothing is missing. */
import { fromBinary } from "@bufbuild/protobuf";
import { HubError } from "../../foundation/errors.ts";
import type { Entry, HubEntry, LogRecord } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { GarbageRowSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { decodeLogRecord } from "../entry-codec.ts";
import { unseal } from "../envelope.ts";
import type { StorageNumber, StoredEntry } from "../store.ts";
import type { ReadableBytes } from "./bytes.ts";
import {
  garbageKey,
  logGenerationOf,
  logGenerationsRange,
  logKey,
  logRange,
  logSequenceOf,
} from "./keys.ts";

/** The entries of one generation of an instance's log from `fromSequence` on. */
export function readInstanceLog(
  bytes: ReadableBytes,
  number: StorageNumber,
  generation: number,
  fromSequence: number,
  limit = Number.POSITIVE_INFINITY,
): Promise<readonly StoredEntry<Entry>[]> {
  const log: Log<Entry> = { number, generation, entriesOf: (record) => record.entries };
  return readLog(bytes, log, fromSequence, limit);
}

/** The entries of a hub's log in its newest generation. */
export async function readHubLog(
  bytes: ReadableBytes,
  number: StorageNumber,
): Promise<readonly StoredEntry<HubEntry>[]> {
  const last = await bytes.keys(logGenerationsRange(number, 0), { limit: 1, reverse: true });
  if (last[0] === undefined) return [];
  const generation = logGenerationOf(last[0]);
  const log: Log<HubEntry> = { number, generation, entriesOf: (record) => record.hubEntries };
  return readLog(bytes, log, 1, Number.POSITIVE_INFINITY);
}

interface Log<E> {
  readonly number: StorageNumber;
  readonly generation: number;
  entriesOf(record: LogRecord): readonly E[];
}

async function readLog<E extends { readonly base?: unknown }>(
  bytes: ReadableBytes,
  log: Log<E>,
  fromSequence: number,
  limit: number,
): Promise<readonly StoredEntry<E>[]> {
  const { number, generation, entriesOf } = log;
  const what = `generation ${generation} of log ${number}`;
  const start = await startOfPut(bytes, log, fromSequence);
  const entries: StoredEntry<E>[] = [];
  let next: number | undefined;
  // Each put holds an entry at least; a put more, because the first may begin before the sequence.
  const puts = { limit: limit + 1 };
  for (const [key, value] of await bytes.rows(logRange(number, generation, start), puts)) {
    const first = logSequenceOf(key);
    if (next !== undefined && next !== first) throw hole(what, next);
    next = first;
    for (const entry of entriesOf(decodeLogRecord(value, what))) {
      if (next >= fromSequence && entries.length < limit) entries.push({ sequence: next, entry });
      next += 1;
    }
  }
  const first = entries[0];
  const isWhole = first === undefined || first.sequence <= fromSequence || beginsGeneration(first);
  if (isWhole) return entries;
  if (await isCollected(bytes, log)) return [];
  throw hole(what, first.sequence - 1);
}

/** The sequence by which the put is keyed that holds `fromSequence`: puts hold several entries. */
async function startOfPut<E>(
  bytes: ReadableBytes,
  { number, generation }: Log<E>,
  fromSequence: number,
): Promise<number> {
  if (fromSequence <= 1) return 0;
  const from = logKey(number, generation, 0);
  const to = logKey(number, generation, fromSequence + 1);
  const [key] = await bytes.keys({ from, to }, { limit: 1, reverse: true });
  return key === undefined ? 0 : logSequenceOf(key);
}

/** Whatever generation a log is in, it goes back to a base; only the first one may do without. */
function beginsGeneration<E extends { readonly base?: unknown }>(stored: StoredEntry<E>): boolean {
  return stored.sequence === 1 || stored.entry.base !== undefined;
}

/**
 * A beginning is also missing while the log is being collected as garbage, which a slow reader may
 * run into. Then there is a garbage row, or by now the whole range is gone.
 */
async function isCollected<E>(bytes: ReadableBytes, log: Log<E>): Promise<boolean> {
  const value = bytes.get(garbageKey(log.number));
  if (value !== undefined) {
    const row = fromBinary(GarbageRowSchema, unseal(value, "a garbage row"));
    return row.belowGeneration === 0 || log.generation < row.belowGeneration;
  }
  const left = await bytes.keys(logRange(log.number, log.generation, 0), { limit: 1 });
  return left.length === 0;
}

function hole(what: string, missing: number): HubError {
  return new HubError(
    "store-distrusted",
    `stored data is damaged: entry ${missing} of ${what} is missing though later ones are there`,
  );
}
