/** Texts that are none, that must not be, and that only look as if. */
import { broken, type Expected, type HostileCase } from "./hostile-case.ts";
import type { TextRule } from "./text-rules.ts";

const notUtf8: readonly [string, string][] = [
  ["C3 28", "c328"],
  ["half a surrogate pair", "eda080"],
  ["both halves of a surrogate pair", "eda080edb080"],
  ["NUL in two bytes", "c080"],
  ["FF", "ff"],
  ["half an emoji", "f09f"],
  ["a character beyond Unicode", "f4908080"],
];

const controls: readonly [string, string][] = [
  ["NUL", "a\u0000b"],
  ["CR LF", "a\r\nb"],
  ["a tab", "a\tb"],
  ["an escape", "\u001b[31m"],
  ["a delete", "a\u007f"],
  ["a C1 control", "a\u0085b"],
];

/** Legal, and not to be stumbled over. */
export const oddTexts: readonly string[] = [
  "..",
  "../../etc/passwd",
  "a/b::c%2Fd",
  "__proto__",
  "constructor",
  "toString",
  "🎉👩‍👩‍👧",
  "\u202eevil\u200f",
  "\ufeffbom\uffff",
  "'; DROP TABLE instances; --",
  "%s%n{{7*7}}",
];

/** @param bytesOf the field with a text in it */
export function texts(
  bytesOf: (text: Uint8Array) => Buffer,
  rule: TextRule | undefined,
  where = "",
): HostileCase[] {
  if (rule === undefined) return [];
  const taking: Expected = rule.refusesAll ? "refused" : "taken";
  const encoded = (what: string, text: string, expected: Expected): HostileCase => ({
    what: `${what} ${where}`.trim(),
    bytes: bytesOf(Buffer.from(text)),
    expected,
  });
  if (rule.isOpaque) {
    return [
      broken(`invalid UTF-8 ${where}`.trim(), bytesOf(Buffer.from("c328", "hex"))),
      broken(`half a surrogate pair ${where}`.trim(), bytesOf(Buffer.from("eda080", "hex"))),
      ...["", "a\u0000b", "__proto__"].map((text) => encoded(JSON.stringify(text), text, "taken")),
    ];
  }
  const { bytesMax = 100_000, isPayload } = rule;
  const beyond: Expected = rule.bytesMax === undefined ? taking : "refused";
  return [
    ...notUtf8.map(([what, hex]) =>
      broken(`invalid UTF-8, ${what}, ${where}`, bytesOf(Buffer.from(hex, "hex"))),
    ),
    ...controls.map(([what, text]) =>
      encoded(what, text, rule.refusesControls ? "refused" : taking),
    ),
    encoded("the empty text", "", rule.refusesEmpty ? "refused" : "taken"),
    ...oddTexts.map((text) => encoded(JSON.stringify(text), text, taking)),
    encoded("the id of an entity", "@e@k", rule.entities ?? taking),
    encoded(`${bytesMax} bytes`, "x".repeat(bytesMax), taking),
    encoded("one byte more", "x".repeat(bytesMax + 1), isPayload ? "too large" : beyond),
    encoded(
      "that in fewer characters",
      `${"é".repeat(bytesMax / 2)}x`,
      isPayload ? "too large" : beyond,
    ),
  ];
}
