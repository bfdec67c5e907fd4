import { expect, test } from "vitest";
import { LiveLine, progressBar, progressOf } from "../../../sidecar/process/cli/client/progress.ts";

test.each([
  [undefined, undefined, ""],
  ["plain text", undefined, "plain text"],
  ['"a text"', undefined, "a text"],
  ["[1]", undefined, "[1]"],
  ["50", undefined, "50"],
  ['{"percent":40}', 0.4, ""],
  ['{"percent":140}', 1, ""],
  ['{"percent":-3}', 0, ""],
  ['{"progress":0.25,"message":"baking"}', 0.25, "baking"],
  ['{"progress":25}', 0.25, ""],
  ['{"progress":{"percent":75,"phase":"ship"}}', 0.75, "ship"],
  ['{"done":3,"total":12,"step":"pack"}', 0.25, "3/12 pack"],
  ['{"progress":{"done":1,"total":2}}', 0.5, "1/2"],
  ['{"done":0,"total":0}', undefined, '{"done":0,"total":0}'],
  ['{"percent":"40"}', undefined, '{"percent":"40"}'],
  ['{"stage":"waiting"}', undefined, "waiting"],
])("%s", (customStatus, fraction, text) => {
  expect(progressOf(customStatus)).toEqual({ fraction, text });
});

test.each([
  [0, "[--------------------]   0%"],
  [0.4, "[########------------]  40%"],
  [0.999, "[####################]  99%"],
  [1, "[####################] 100%"],
])("%d as a bar", (fraction, bar) => {
  expect(progressBar(fraction)).toBe(bar);
});

test("a live line is one line, whatever is drawn", () => {
  const written: string[] = [];
  const live = new LiveLine((text) => written.push(text));
  live.erase();
  live.draw("a\nb\u001b[2J and more than fits", 12);
  live.erase();
  live.erase();
  live.draw("end", 12);
  live.keep();
  live.keep();
  const erase = "\r\u001b[2K";
  expect(written).toEqual([`${erase}a\\nb\\u001b…`, erase, `${erase}end`, "\n"]);
});
