/**
 * What all rigs share: a short form for CI and a long one for nights, and figures of what was done.
 * Those that choose at random have a seed that repeats a run. `docs/how-we-test.md` is made from
 * these figures.
 */
import { appendFileSync } from "node:fs";

/** A rig that chooses nothing. */
export interface FixedRig {
  /** How much to do: in CI, or in the long form (`RIG_LONG=1`). */
  count(inCi: number, long: number): number;
  /** Keeps what was done, when `RIG_RESULTS` names a file for it. Call it once all has passed. */
  report(figures: Readonly<Record<string, number>>): void;
}

export interface Rig extends FixedRig {
  /** That of `SEED`, or a random one; printed, because it repeats the run. */
  readonly seed: number;
}

export function rig(name: string): Rig {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${name} SEED=${seed}`);
  return { seed, ...reporting(name, { seed }) };
}

export function fixedRig(name: string): FixedRig {
  return reporting(name, {});
}

function reporting(name: string, given: { readonly seed?: number }): FixedRig {
  const { RIG_LONG, RIG_RESULTS } = process.env;
  const beganAtMs = performance.now();
  return {
    count: (inCi, long) => (RIG_LONG === undefined ? inCi : long),
    report(figures) {
      console.log(`${name} ${JSON.stringify(figures)}`);
      if (RIG_RESULTS === undefined) return;
      const seconds = Math.round((performance.now() - beganAtMs) / 100) / 10;
      appendFileSync(RIG_RESULTS, `${JSON.stringify({ rig: name, ...given, seconds, figures })}\n`);
    },
  };
}
