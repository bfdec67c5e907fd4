/** Why other services differ from ours: kept beside the checks, shown in docs/compatibility.md. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ResultsFile } from "./results.ts";

const EXPLANATIONS = fileURLToPath(new URL("./explanations.json", import.meta.url));
const RESULTS = fileURLToPath(new URL("../../docs/conformance/", import.meta.url));

/** One sentence for all the checks that differ for the same reason. */
export interface Explanation {
  /** As in the file of its results. */
  readonly service: string;
  readonly because: string;
  /** They differ in some runs only, whatever the last one has found. */
  readonly sometimes?: boolean;
  readonly checks: readonly string[];
}

/** A check with another outcome than ours. */
export interface Difference {
  readonly id: string;
  readonly service: string;
}

export function readExplanations(): readonly Explanation[] {
  return JSON.parse(readFileSync(EXPLANATIONS, "utf8"));
}

/** The results of all services that were checked, ours first. */
export function readResults(): readonly ResultsFile[] {
  return readdirSync(RESULTS)
    .filter((file) => file.endsWith(".json"))
    .toSorted((left, right) => Number(right === OURS) - Number(left === OURS))
    .map((file): ResultsFile => JSON.parse(readFileSync(`${RESULTS}${file}`, "utf8")));
}

const OURS = "taskhub.json";

export function differences([ours, ...others]: readonly ResultsFile[]): readonly Difference[] {
  const outcomes = new Map(ours?.results.map(({ id, outcome }) => [id, outcome]));
  return others.flatMap(({ service, results }) =>
    results
      .filter(({ id, outcome }) => outcomes.get(id) !== outcome)
      .map(({ id }) => ({ id, service })),
  );
}

/** The sentences for one difference: it should have exactly one. */
export function explanationsOf(
  { id, service }: Difference,
  among: readonly Explanation[],
): readonly string[] {
  return among
    .filter((each) => each.service === service && each.checks.includes(id))
    .map(({ because }) => because);
}
