import { expect, test } from "vitest";
import { escapeControls, escapeJsonControls } from "../../sidecar/process/safe-text.ts";

test.each([
  ["plain äöü 漢字 👩‍🚀", "plain äöü 漢字 👩‍🚀"],
  ["a\nb\r\tc", "a\\nb\\r\\tc"],
  ["\u001b[2J\u0007", "\\u001b[2J\\u0007"],
  ["\u009b2J\u007f", "\\u009b2J\\u007f"],
  ["gpj\u202eexe", "gpj\\u202eexe"],
  ["\u2066x\u2028y\u2029\u200e\ufeff", "\\u2066x\\u2028y\\u2029\\u200e\\ufeff"],
  ["half \ud800 character", "half \\ud800 character"],
])("%j is shown as %s", (text, shown) => {
  expect(escapeControls(text)).toBe(shown);
});

test("JSON that is made safe means the same", () => {
  const value = { "\u009b": "\u202e\n\u007f", list: ["\ud800"] };
  const text = escapeJsonControls(JSON.stringify(value, undefined, 2));
  expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
  expect(JSON.parse(text)).toEqual(value);
});
