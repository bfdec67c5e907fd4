import { describe, expect, test } from "vitest";
import {
  parseAges,
  parseBytes,
  parseCount,
  parseDurationMs,
  parseDurationOrOff,
} from "../../sidecar/process/setting-values.ts";

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["15m", 900_000],
    ["1h", 3_600_000],
    ["1h30m", 5_400_000],
    ["0.5h", 1_800_000],
    ["7d", 604_800_000],
    ["0s", 0],
  ])("%s is %d ms", (text, milliseconds) => {
    expect(parseDurationMs(text)).toBe(milliseconds);
  });

  test.each(["", "1", "h", "-1h", "1 h", "1H", "1h ", "1w", "off"])("%j is none", (text) => {
    expect(() => parseDurationMs(text)).toThrow(`${JSON.stringify(text)} is not a duration`);
  });

  test("more than a century is none that anybody means", () => {
    expect(() => parseDurationMs("36501d")).toThrow("is longer than 100 years");
  });

  test("off is no duration, and 0 is not off", () => {
    expect(parseDurationOrOff("off")).toBe(undefined);
    expect(parseDurationOrOff("2h")).toBe(7_200_000);
    expect(() => parseDurationOrOff("0s")).toThrow("off switches it off");
  });
});

test.each([
  ["1", 1],
  ["64KiB", 65_536],
  ["2MiB", 2_097_152],
])("%s is %d bytes", (text, bytes) => {
  expect(parseBytes(text, 2_097_152)).toBe(bytes);
});

test.each(["0", "", "2097153", "3MiB", "1.5KiB", "64kb", "-1"])(
  "%j is no size up to 2 MiB",
  (text) => {
    expect(() => parseBytes(text, 2_097_152)).toThrow("is not a size such as 65536");
  },
);

test.each(["0", "11", "", "1e1", "-1", "2.5"])("%j is no count from 1 to 10", (text) => {
  expect(() => parseCount(text, 1, 10)).toThrow("is not a whole number from 1 to 10");
});

test.each([
  ["off", {}],
  ["completed=30d", { completed: 30 * 86_400_000 }],
  ["failed=1h30m, canceled=500ms", { failed: 5_400_000, canceled: 500 }],
])("%s are ages", (text, ages) => {
  expect(parseAges(text)).toEqual(ages);
});

test.each([
  ["", "is not a list such as completed=30d,failed=90d, or off"],
  ["completed", "is not a list such as"],
  ["completed=30d,", "is not a list such as"],
  ["completed=30", "is not a duration"],
  ["completed=-1d", "is not a duration"],
  ["completed=off", "is not a duration"],
  ["completed=0s", "for no time at all"],
  ["completed=1d,completed=2d", "names completed twice"],
  ["running=1d", "is not one of: completed, failed, terminated, canceled"],
  ["__proto__=1d", "is not one of"],
])("%j are no ages", (text, words) => {
  expect(() => parseAges(text)).toThrow(words);
});
