/**
 * The rows of the protocol, sections 2 to 7, and what covers each of them: checks, or tests of this
 * repository where an address is not enough.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROWS = fileURLToPath(new URL("./rows.json", import.meta.url));
const ELSEWHERE = fileURLToPath(new URL("./elsewhere.json", import.meta.url));

export interface Row {
  /** `4.10`. */
  readonly section: string;
  /** What the protocol asks for there. */
  readonly fact: string;
  /** Ids of checks, which may be of other sections. */
  readonly checks: readonly string[];
}

/** What cannot be checked by somebody who has nothing but an address. */
export interface Elsewhere {
  readonly section: string;
  readonly fact: string;
  /** Why it cannot. */
  readonly because: string;
  readonly traps?: readonly string[];
  /** `test/file.test.ts > describe > title`. */
  readonly tests: readonly string[];
}

export function readRows(): readonly Row[] {
  const sections: Record<string, Record<string, readonly string[]>> = JSON.parse(
    readFileSync(ROWS, "utf8"),
  );
  return Object.entries(sections).flatMap(([section, rows]) =>
    Object.entries(rows).map(([fact, checks]) => ({ section, fact, checks })),
  );
}

export function readElsewhere(): readonly Elsewhere[] {
  return JSON.parse(readFileSync(ELSEWHERE, "utf8"));
}
