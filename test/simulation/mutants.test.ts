/**
 * T-MUT: does the suite bite? Bugs that somebody might make are planted, one at a time, in a copy of the
 * sources, and the test that guards against each must fail. `MUTANT="one|two"` judges only those whose
 * names begin so. In CI the seed chooses a quarter of them, in the long form it is all.
 */
import { expect, it } from "vitest";
import { rig } from "../support/rig.ts";
import {
  canBePlanted,
  judge,
  lanes,
  type Mutant,
  readMutants,
  type Verdict,
} from "./mutants/runner.ts";

const mut = rig("T-MUT");
const planted = await readMutants();
const { MUTANT } = process.env;
const chosen = planted.filter(({ name }, at) =>
  MUTANT === undefined
    ? (at + mut.seed) % mut.count(4, 1) === 0
    : new RegExp(`^(${MUTANT})`).test(name),
);

it("there are bugs planted against most guarantees", () => {
  expect(planted.length).toBeGreaterThanOrEqual(28);
  const broken = new Set(planted.flatMap(({ breaks }) => breaks.match(/\bG\d+\b/g) ?? []));
  expect(broken.size).toBeGreaterThanOrEqual(14);
});

it("each of them can be planted in the sources as they are", async () => {
  const problems: string[] = [];
  for (const mutant of planted) {
    if (!(await canBePlanted(mutant))) problems.push(mutant.name);
  }
  expect(problems).toEqual([]);
});

it(
  "every planted bug makes the test fail that is there to catch it",
  async () => {
    const verdicts = new Map<string, Verdict>();
    const problems: string[] = [];
    const waiting = [...chosen];
    const lane = async () => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const verdict = await judge(mutant).catch((error: unknown) => {
          problems.push(String(error));
        });
        if (verdict === undefined) continue;
        verdicts.set(mutant.name, verdict);
        console.log(lineOf(mutant, verdict));
        if (!verdict.isCaught) problems.push(`${mutant.name} is not caught: ${mutant.bug}`);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    expect(problems).toEqual([]);
    mut.report({ planted: planted.length, judged: chosen.length, caught: verdicts.size });
  },
  // A bound against runs that never end, not an expectation.
  30 * 60_000,
);

function lineOf({ name }: Mutant, { isCaught, seconds, failedTest, failure }: Verdict): string {
  const what = isCaught ? `caught by "${failedTest}"` : "NOT CAUGHT";
  return `T-MUT ${name}: ${what} in ${seconds.toFixed(1)} s: ${failure.slice(0, 160)}`;
}
