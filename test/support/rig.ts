/**
 * What all rigs share: a seed that repeats a run, a short form for CI and a long one for nights, and
 * figures of what was done. `docs/how-we-test.md` is made from these figures.
 */
import { appendFileSync } from "node:fs";

export interface Rig {
  /** That of `SEED`, or a random one; printed, because it repeats the run. */
  readonly seed: number;
  /** How much to do: in CI, or in the long form (`RIG_LONG=1`). */
  count(inCi: number, long: number): number;
  /** Keeps what was done, when `RIG_RESULTS` names a file for it. Call it once all has passed. */
  report(figures: Readonly<Record<string, number>>): void;
}

export function rig(name: string): Rig {
  const { SEED, RIG_LONG, RIG_RESULTS } = process.env;
  const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${name} SEED=${seed}`);
  return {
    seed,
    count: (inCi, long) => (RIG_LONG === undefined ? inCi : long),
    report(figures) {
      console.log(`${name} ${JSON.stringify(figures)}`);
      if (RIG_RESULTS === undefined) return;
      appendFileSync(RIG_RESULTS, `${JSON.stringify({ rig: name, seed, figures })}\n`);
    },
  };
}
