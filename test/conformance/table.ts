/** Results as a person reads them. */
import type { CheckResult, Outcome } from "./runner.ts";

const WORDS: Record<Outcome, string> = {
  passed: "pass",
  failed: "FAIL",
  "not offered": "not offered",
  skipped: "skipped",
};

/** One line for each check, the reason below it when there is one, and the sums. */
export function resultTable(results: readonly CheckResult[]): string {
  const idWidth = Math.max(0, ...results.map(({ id }) => id.length));
  const wordWidth = Math.max(...Object.values(WORDS).map(({ length }) => length));
  const lines = results.flatMap(({ id, title, outcome, reason, traps }) => {
    const trap = traps.length === 0 ? "" : ` [${traps.join(", ")}]`;
    const line = `${WORDS[outcome].padEnd(wordWidth)}  ${id.padEnd(idWidth)}  ${title}${trap}`;
    return reason === "" ? [line] : [line, `${" ".repeat(wordWidth + 2)}${reason}`];
  });
  return [...lines, "", sums(results)].join("\n");
}

/** `151 passed, 2 failed, 1 not offered, 3 skipped`. */
export function sums(results: readonly CheckResult[]): string {
  const count = (outcome: Outcome) => results.filter((result) => result.outcome === outcome).length;
  return (["passed", "failed", "not offered", "skipped"] as const)
    .map((outcome) => `${count(outcome)} ${outcome}`)
    .join(", ");
}
