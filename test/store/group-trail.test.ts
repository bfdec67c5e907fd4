import { expect, test } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { GroupTrail } from "../../sidecar/store/ordered/group-trail.ts";
import { groupSequenceOf } from "../../sidecar/store/ordered/keys.ts";

const WINDOW = 1_000;

/**
 * The sequences that go with each of so many groups of the same size, the first with sequence 1.
 */
function trimmed(trail: GroupTrail, groups: number, bytes: number): number[][] {
  return Array.from({ length: groups }, () => {
    const sequences = trail.takeTrimmable().map((write) => groupSequenceOf(write.key));
    trail.add(bytes);
    return sequences;
  });
}

test("records are kept while less than the window was written behind them", () => {
  expect(trimmed(new GroupTrail(WINDOW, 1, 0), 20, 100).flat()).toEqual([]);
});

test("records behind twice the window go in bulk, down to the window", () => {
  const [last] = trimmed(new GroupTrail(WINDOW, 1, 0), 22, 100).slice(-1);
  expect(last).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("one group deletes only a slice of the old records", () => {
  const trail = new GroupTrail(10_000, 1, 0);
  const slices = trimmed(trail, 22_000, 1).map((slice) => slice.length);
  expect(Math.max(...slices)).toBe(LIMITS.groupRecordTrimMax);
  expect(slices.reduce((sum, length) => sum + length)).toBeGreaterThan(10_000);
});

test("the newest record stays, however large its group was", () => {
  const trail = new GroupTrail(WINDOW, 1, 0);
  expect(trimmed(trail, 4, 10 * WINDOW)).toEqual([[], [], [1], [2]]);
});

test("records found at opening go once enough was written behind them", () => {
  const trail = new GroupTrail(WINDOW, 41, 50);
  const gone = trimmed(trail, 22, 100).flat();
  expect(gone.slice(0, 10)).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
});
