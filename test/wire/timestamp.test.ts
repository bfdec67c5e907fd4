import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addMilliseconds,
  compareTimestamps,
  isAfter,
  laterOf,
} from "../../sidecar/wire/timestamp.ts";

const nanosPerSecond = 1_000_000_000n;

/** The whole range of the type: the years 1 to 9999. */
const anyTimestamp = fc
  .tuple(
    fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    fc.integer({ min: 0, max: 999_999_999 }),
  )
  .map(([seconds, nanos]) => create(TimestampSchema, { seconds, nanos }));

function at(seconds: bigint, nanos: number): Timestamp {
  return create(TimestampSchema, { seconds, nanos });
}

function inNanos({ seconds, nanos }: Timestamp): bigint {
  return seconds * nanosPerSecond + BigInt(nanos);
}

describe("compareTimestamps", () => {
  test("orders as the number of nanoseconds does", async () => {
    await fc.assert(
      fc.property(anyTimestamp, anyTimestamp, (left, right) => {
        const difference = inNanos(left) - inNanos(right);
        expect(Math.sign(compareTimestamps(left, right))).toBe(
          difference < 0n ? -1 : Number(difference > 0n),
        );
      }),
    );
  });

  test("sees one nanosecond, also before 1970", () => {
    expect(compareTimestamps(at(5n, 1), at(5n, 2))).toBeLessThan(0);
    expect(compareTimestamps(at(-5n, 2), at(-5n, 1))).toBeGreaterThan(0);
    expect(compareTimestamps(at(-1n, 999_999_999), at(0n, 0))).toBeLessThan(0);
  });
});

test("isAfter is strict", () => {
  expect(isAfter(at(5n, 1), at(5n, 0))).toBe(true);
  expect(isAfter(at(5n, 0), at(5n, 0))).toBe(false);
  expect(isAfter(at(4n, 999_999_999), at(5n, 0))).toBe(false);
});

test("laterOf gives the later one as it is, and the first of two equal ones", () => {
  const early = at(5n, 0);
  const late = at(5n, 1);
  const sameAsLate = at(5n, 1);
  expect(laterOf(early, late)).toBe(late);
  expect(laterOf(late, early)).toBe(late);
  expect(laterOf(late, sameAsLate)).toBe(late);
});

describe("addMilliseconds", () => {
  test.each([
    [at(5n, 100), 1, at(5n, 1_000_100)],
    [at(5n, 999_999_999), 1, at(6n, 999_999)],
    [at(5n, 0), 2_500, at(7n, 500_000_000)],
    [at(5n, 500_000_000), 500, at(6n, 0)],
    [at(0n, 0), -1, at(-1n, 999_000_000)],
    [at(0n, 1), -1_000, at(-1n, 1)],
    [at(5n, 7), 0, at(5n, 7)],
  ])("%o and %i ms", (time, milliseconds, expected) => {
    expect(addMilliseconds(time, milliseconds)).toEqual(expected);
  });

  test("moves by exactly that much, keeps the rest and leaves what it was given", async () => {
    await fc.assert(
      fc.property(anyTimestamp, fc.maxSafeInteger(), (time, milliseconds) => {
        const before = inNanos(time);
        const moved = addMilliseconds(time, milliseconds);
        expect(inNanos(moved)).toBe(before + BigInt(milliseconds) * 1_000_000n);
        expect(moved.nanos).toBeGreaterThanOrEqual(0);
        expect(BigInt(moved.nanos)).toBeLessThan(nanosPerSecond);
        expect(inNanos(time)).toBe(before);
      }),
    );
  });
});

test("a timestamp comes back from its bytes to the nanosecond", async () => {
  await fc.assert(
    fc.property(anyTimestamp, (time) => {
      expect(fromBinary(TimestampSchema, toBinary(TimestampSchema, time))).toEqual(time);
    }),
  );
});
