/**
 * What all rigs share: a short form for CI and a long one for nights, and figures of what was done.
 * Those that choose at random have a seed that repeats a run. `docs/how-we-test.md` is made from
 * these figures.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";

/** A rig that chooses nothing. */
export interface FixedRig {
  /** How much to do: in CI, or in the long form (`RIG_LONG=1`). */
  count(inCi: number, long: number): number;
  /** Keeps what was done, when `RIG_RESULTS` names a file for it. Call it once all has passed. */
  report(figures: Readonly<Record<string, number>>): void;
}

export interface Rig extends FixedRig {
  /** That of `SEED`, or in CI one of the content, or a random one; printed: it repeats the run. */
  readonly seed: number;
}

export function rig(name: string): Rig {
  const seed = seedOf(process.env);
  console.log(`${name} SEED=${seed}`);
  return { seed, ...reporting(name, { seed }) };
}

/** CI that is asked again about the same content gives the same answer; a change of it is a new draw. */
function seedOf({ SEED, CI, RIG_LONG }: NodeJS.ProcessEnv): number {
  if (SEED !== undefined) return Number(SEED);
  const isOfContent = CI !== undefined && RIG_LONG === undefined;
  return (isOfContent ? contentSeed() : undefined) ?? Math.floor(Math.random() * 2 ** 31);
}

/** Undefined where this is not a clone of the repository. */
function contentSeed(): number | undefined {
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD^{tree}"], { encoding: "utf8" });
  return status === 0 ? Number.parseInt(stdout.slice(0, 8), 16) >>> 1 : undefined;
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
