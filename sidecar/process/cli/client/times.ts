/** Times and durations, as people write them and as they are shown. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { durationFromMs, durationMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { looksLikeDuration, parseDurationMs } from "../../setting-values.ts";

/** Either a moment, or a distance from one that the reader knows. */
export type TimeOrDuration =
  | { readonly kind: "time"; readonly time: Timestamp }
  | { readonly kind: "duration"; readonly duration: Duration };

const timePattern =
  /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d))?$/;

/**
 * `2026-11-21T10:00:00Z`, `2026-11-21 12:00+02:00`, `2026-11-21` (midnight UTC), or `2h`.
 *
 * @param flag what to name in the error
 * @throws ExitError 64
 */
export function parseTimeOrDuration(text: string, flag: string): TimeOrDuration {
  if (looksLikeDuration(text)) return { kind: "duration", duration: parseDuration(text, flag) };
  const milliseconds = timePattern.test(text) ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new ExitError(
      EXIT.usage,
      `${flag}: ${JSON.stringify(text)} is neither a time with its zone, such as ` +
        "2026-11-21T10:00:00Z, nor a duration, such as 2h",
    );
  }
  return { kind: "time", time: timestampFromMs(milliseconds) };
}

/** As `parseTimeOrDuration`; a duration is one before now. */
export function parseTimeAgo(text: string, flag: string, nowMs: number): Timestamp {
  const parsed = parseTimeOrDuration(text, flag);
  if (parsed.kind === "time") return parsed.time;
  return timestampFromMs(nowMs - durationMs(parsed.duration));
}

/** As `parseTimeOrDuration`; a duration is one from now on. */
export function parseTimeAhead(text: string, flag: string, nowMs: number): Timestamp {
  const parsed = parseTimeOrDuration(text, flag);
  if (parsed.kind === "time") return parsed.time;
  return timestampFromMs(nowMs + durationMs(parsed.duration));
}

/** @throws ExitError 64 */
export function parseDuration(text: string, flag: string): Duration {
  try {
    return durationFromMs(parseDurationMs(text));
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    throw new ExitError(EXIT.usage, `${flag}: ${error.message}`, { cause: error });
  }
}

/** To the second, in UTC: `2026-11-21T10:00:00Z`. Empty when there is none. */
export function showTime(time: Timestamp | undefined): string {
  if (time === undefined) return "";
  return new Date(timestampMs(time)).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The two largest units: `850ms`, `12s`, `3m12s`, `2h05m`, `4d03h`. */
export function showDurationMs(milliseconds: number): string {
  const total = Math.max(0, milliseconds);
  if (total < 1_000) return `${Math.round(total)}ms`;
  const seconds = Math.floor(total / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${twoDigits(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${twoDigits(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d${twoDigits(hours % 24)}h`;
}

export function showDuration(duration: Duration | undefined): string {
  return duration === undefined ? "" : showDurationMs(durationMs(duration));
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
