/** What all parts of a check read, and how. */
import { fromBinary } from "@bufbuild/protobuf";
import { GarbageRowSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { unseal } from "../envelope.ts";
import type { StorageNumber } from "../store.ts";
import type { KeyRange, ReadableBytes, Row } from "./bytes.ts";
import { type Findings, wordsOf } from "./check-findings.ts";
import { garbageKey, rangeBehind } from "./keys.ts";

/** What the check knows of the hubs before it reads the logs. */
export interface KnownHubs {
  /** Names of hubs, by storage number. */
  readonly live: ReadonlyMap<StorageNumber, string>;
  /** Hubs that are being deleted, or imported: nobody reads what is left, or there already. */
  readonly setAside: ReadonlySet<StorageNumber>;
  /** Storage numbers that were given out are below this one. */
  readonly reserved: StorageNumber;
}

/** Rows read at once. */
const PAGE = 1_000;

/** The rows of a range, in pages. What LevelDB cannot read is a problem, and ends it. */
export function eachRow(
  bytes: ReadableBytes,
  range: KeyRange,
  findings: Findings,
  limit = PAGE,
): AsyncGenerator<Row> {
  const read = (rest: KeyRange) => bytes.rows(rest, { limit });
  return inPages(read, ([key]) => key, range, findings, limit);
}

/** Likewise, without the values. */
export function eachKey(
  bytes: ReadableBytes,
  range: KeyRange,
  findings: Findings,
): AsyncGenerator<Uint8Array> {
  const read = (rest: KeyRange) => bytes.keys(rest, { limit: PAGE });
  return inPages(read, (key) => key, range, findings, PAGE);
}

async function* inPages<T>(
  read: (range: KeyRange) => Promise<readonly T[]>,
  keyOf: (item: T) => Uint8Array,
  range: KeyRange,
  findings: Findings,
  limit: number,
): AsyncGenerator<T> {
  let last: Uint8Array | undefined;
  for (;;) {
    let page: readonly T[];
    try {
      page = await read(rangeBehind(range, last));
    } catch (error) {
      const where = Buffer.from(last ?? range.from).toString("hex");
      await findings.damage(`rows behind key ${where} cannot be read: ${wordsOf(error)}`);
      return;
    }
    yield* page;
    const end = page.at(-1);
    if (end === undefined || page.length < limit) return;
    last = keyOf(end);
  }
}

/**
 * Generations of a log below this one are on their way out; 0 when none is. A garbage row that is
 * damaged was told when all of them were read.
 */
export function dyingBelow(bytes: ReadableBytes, number: StorageNumber): number {
  try {
    const value = bytes.get(garbageKey(number));
    if (value === undefined) return 0;
    const { belowGeneration } = fromBinary(GarbageRowSchema, unseal(value, "a garbage row"));
    return belowGeneration === 0 ? Number.POSITIVE_INFINITY : belowGeneration;
  } catch {
    return 0;
  }
}
