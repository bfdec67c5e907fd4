/** What may stand behind flags and variables: words, numbers, sizes, durations. */
import { EXIT, ExitError } from "./exit-codes.ts";

/** @throws ExitError 64 when it is none of them */
export function oneOf<Value extends string>(values: readonly Value[], text: string): Value {
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw malformed(text, `is not one of: ${values.join(", ")}`);
}

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** As much as a timer of protobuf and of JavaScript can both be trusted with: 100 years. */
const durationMsMax = 100 * 365 * 86_400_000;

/** Whether it is meant to be a duration: `90s`, `1h30m`, `7d`. */
export function looksLikeDuration(text: string): boolean {
  return /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text);
}

/**
 * Milliseconds of `500ms`, `30s`, `15m`, `1h`, `1h30m`, `7d`.
 *
 * @throws ExitError 64
 */
export function parseDurationMs(text: string): number {
  if (!looksLikeDuration(text)) {
    throw malformed(text, "is not a duration such as 30s, 15m, 1h30m or 7d");
  }
  let total = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(amount) * (unitMs[unit] ?? 0);
  }
  if (total > durationMsMax) throw malformed(text, "is longer than 100 years");
  return Math.round(total);
}

/** As `parseDurationMs`, longer than nothing; undefined for `off`. */
export function parseDurationOrOff(text: string): number | undefined {
  if (text === "off") return undefined;
  const milliseconds = parseDurationMs(text);
  if (milliseconds === 0) throw malformed(text, "is no time at all; off switches it off");
  return milliseconds;
}

/**
 * A whole number between `min` and `max`.
 *
 * @throws ExitError 64
 */
export function parseCount(text: string, min: number, max: number): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= min && count <= max) return count;
  throw malformed(text, `is not a whole number from ${min} to ${max}`);
}

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 1024,
  MiB: 1024 * 1024,
};

/**
 * Bytes of `65536`, `64KiB` or `2MiB`, from 1 to `max`.
 *
 * @throws ExitError 64
 */
export function parseBytes(text: string, max: number): number {
  const [, amount = "", unit = ""] = /^(\d{1,15})(KiB|MiB)?$/.exec(text) ?? [];
  const bytes = amount === "" ? Number.NaN : Number(amount) * (unitBytes[unit] ?? 0);
  if (bytes >= 1 && bytes <= max) return bytes;
  throw malformed(text, `is not a size such as 65536, 64KiB or 2MiB, from 1 to ${max} bytes`);
}

const ENDINGS = ["completed", "failed", "terminated", "canceled"] as const;

/**
 * Ages in milliseconds of `completed=30d,failed=90d`; none for `off`.
 *
 * @throws ExitError 64
 */
export function parseAges(text: string): Partial<Record<(typeof ENDINGS)[number], number>> {
  const ages: Partial<Record<(typeof ENDINGS)[number], number>> = {};
  if (text === "off") return ages;
  for (const part of text.split(",")) {
    const [, name = "", age = ""] = /^\s*(\w+)=(\S+)\s*$/.exec(part) ?? [];
    if (age === "") throw malformed(text, "is not a list such as completed=30d,failed=90d, or off");
    const ending = oneOf(ENDINGS, name);
    if (ages[ending] !== undefined) throw malformed(text, `names ${ending} twice`);
    ages[ending] = parseDurationMs(age);
    if (ages[ending] === 0) throw malformed(text, `keeps what is ${ending} for no time at all`);
  }
  return ages;
}

function malformed(text: string, why: string): ExitError {
  return new ExitError(EXIT.usage, `${JSON.stringify(text)} ${why}`);
}
