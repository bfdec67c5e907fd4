/** Results as a file: what docs/compatibility.md is made of. */
import type { CheckResult } from "./runner.ts";

type Kept = Pick<CheckResult, "id" | "outcome" | "reason"> & Partial<Pick<CheckResult, "calls">>;

export interface ResultsFile {
  /** `Python SDK, in-memory backend`. */
  readonly service: string;
  /** `durabletask 1.12.0`. */
  readonly version: string;
  /** The day, in UTC: `2026-11-22`. */
  readonly date: string;
  readonly results: readonly Kept[];
}

export function resultsFile(
  service: string,
  version: string,
  now: Date,
  results: readonly CheckResult[],
): ResultsFile {
  return {
    service,
    version,
    date: now.toISOString().slice(0, 10),
    results: results.map(({ id, outcome, reason, calls }) => ({
      id,
      outcome,
      reason: steady(reason),
      calls,
    })),
  };
}

/** Without what differs from run to run: the tag of a check, generated ids, times. */
function steady(reason: string): string {
  return reason
    .replaceAll(/\b1[0-9]{9}\.[0-9]{9}\b/g, "(a time)")
    .replaceAll(/\b1[0-9]{9}n, nanos: [0-9]+/g, "…")
    .replaceAll(/\b127\.0\.0\.1:[0-9]+/g, "(its address)")
    .replaceAll(/cf[0-9a-z]{6}x[0-9a-z]+z/g, "cf")
    .replaceAll(/\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "(an id)");
}
