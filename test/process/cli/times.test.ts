import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  parseTimeAgo,
  parseTimeAhead,
  parseTimeOrDuration,
  showDurationMs,
  showTime,
} from "../../../sidecar/process/cli/client/times.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");

test.each([
  ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"],
  ["2026-11-21 12:00+02:00", "2026-11-21T10:00:00Z"],
  ["2026-11-21", "2026-11-21T00:00:00Z"],
  ["2h", "2026-11-21T10:00:00Z"],
])("%s as a time that has passed is %s", (text, time) => {
  expect(showTime(parseTimeAgo(text, "--created-after", nowMs))).toBe(time);
});

test("a duration as a time to come is one from now on", () => {
  expect(showTime(parseTimeAhead("90m", "--at", nowMs))).toBe("2026-11-21T13:30:00Z");
});

test.each(["2026-11-21T10:00:00", "21.11.2026", "tomorrow", "", "2026-13-01"])(
  "%j is no time",
  (text) => {
    expect(() => parseTimeOrDuration(text, "--at")).toThrow(
      `--at: ${JSON.stringify(text)} is neither a time with its zone`,
    );
  },
);

test.each([
  [0, "0ms"],
  [850, "850ms"],
  [12_900, "12s"],
  [192_000, "3m12s"],
  [7_500_000, "2h05m"],
  [356_400_000, "4d03h"],
  [-5, "0ms"],
])("%d ms are shown as %s", (milliseconds, shown) => {
  expect(showDurationMs(milliseconds)).toBe(shown);
});

test("times are shown in UTC to the second, and nothing as nothing", () => {
  expect(showTime(timestampFromMs(nowMs + 999))).toBe("2026-11-21T12:00:00Z");
  expect(showTime(undefined)).toBe("");
});
