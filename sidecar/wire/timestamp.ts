/**
 * Timestamps are carried as they came: peers write 100 ns digits that a conversion to milliseconds
 * would lose. They are only compared and moved here.
 */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";

/**
 * Whether this is a time at all: between the years 1 and 9999, as the protobuf type says. Others
 * must not reach keys and clocks.
 */
export function isTime({ seconds, nanos }: Timestamp): boolean {
  return seconds >= SECONDS_MIN && seconds <= SECONDS_MAX && nanos >= 0 && nanos <= NANOS_MAX;
}

/** The time that an ISO 8601 text names; undefined when it names none. */
export function parseTime(text: string): Timestamp | undefined {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return undefined;
  const time = timestampFromMs(milliseconds);
  return isTime(time) ? time : undefined;
}

/** 0001-01-01T00:00:00Z. */
const SECONDS_MIN = -62_135_596_800n;
/** 9999-12-31T23:59:59Z. */
const SECONDS_MAX = 253_402_300_799n;
const NANOS_MAX = 999_999_999;

/** Negative when `left` is earlier, positive when it is later, 0 when they are the same instant. */
export function compareTimestamps(left: Timestamp, right: Timestamp): number {
  if (left.seconds !== right.seconds) return left.seconds < right.seconds ? -1 : 1;
  return left.nanos - right.nanos;
}

export function isAfter(left: Timestamp, right: Timestamp): boolean {
  return compareTimestamps(left, right) > 0;
}

export function laterOf(left: Timestamp, right: Timestamp): Timestamp {
  return isAfter(right, left) ? right : left;
}

export function addMilliseconds(time: Timestamp, milliseconds: number): Timestamp {
  const wholeSeconds = Math.floor(milliseconds / 1_000);
  const nanos = time.nanos + (milliseconds - wholeSeconds * 1_000) * 1_000_000;
  const carry = nanos >= 1_000_000_000 ? 1 : 0;
  return create(TimestampSchema, {
    seconds: time.seconds + BigInt(wholeSeconds + carry),
    nanos: nanos - carry * 1_000_000_000,
  });
}

export function earlierOf(left: Timestamp, right: Timestamp): Timestamp {
  return isAfter(left, right) ? right : left;
}

/** Negative when `to` is earlier. */
export function nanosecondsBetween(from: Timestamp, to: Timestamp): bigint {
  return (to.seconds - from.seconds) * NANOS_OF_SECOND + BigInt(to.nanos - from.nanos);
}

/** No later than the last time that a Timestamp may hold. */
export function addNanoseconds(time: Timestamp, nanoseconds: bigint): Timestamp {
  const nanos = BigInt(time.nanos) + nanoseconds;
  // The remainder of a negative number is negative.
  const rest = ((nanos % NANOS_OF_SECOND) + NANOS_OF_SECOND) % NANOS_OF_SECOND;
  const seconds = time.seconds + (nanos - rest) / NANOS_OF_SECOND;
  if (seconds > SECONDS_MAX) {
    return create(TimestampSchema, { seconds: SECONDS_MAX, nanos: NANOS_MAX });
  }
  return create(TimestampSchema, { seconds, nanos: Number(rest) });
}

const NANOS_OF_SECOND = 1_000_000_000n;
