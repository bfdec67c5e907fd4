/**
 * Deterministic simulation: the real scheduler, engine and store, from a seed, in virtual time, with
 * disks that fail, clocks that jump, processes that die, streams that break and workers that err.
 */
import { expect, it } from "vitest";
import { rig } from "../support/rig.ts";
import { type Simulated, simulate } from "./kit/simulate.ts";

const dst = rig("T-DST");
const seeds = dst.count(50, 2_000);

it(
  "keeps every promise under every mixture of faults, and does the same again from the same seed",
  async () => {
    const sums = new Map<string, number>();
    for (let seed = dst.seed; seed < dst.seed + seeds; seed += 1) {
      const first = await simulate(seed, "v2");
      expectToHold(seed, first);
      const again = await simulate(seed, "v1");
      expect(
        { trace: again.traceHash, disk: again.diskHash },
        `T-REPLAY: a seed gives the same run, in both forms of batches: ${replayOf(seed)}`,
      ).toEqual({ trace: first.traceHash, disk: first.diskHash });
      for (const [name, figure] of Object.entries(first.figures)) {
        sums.set(name, (sums.get(name) ?? 0) + figure);
      }
    }
    report(sums);
  },
  // A bound against runs that never end, not an expectation: see `seeds`.
  dst.count(20, 600) * 60_000,
);

function expectToHold(seed: number, { failure, lastLines, swarm }: Simulated): void {
  if (failure === undefined) return;
  console.log(lastLines.join("\n"));
  console.log(JSON.stringify(swarm));
  throw new Error(`seed ${seed}: ${failure.message}\nAgain: ${replayOf(seed)}`, { cause: failure });
}

function replayOf(seed: number): string {
  return `SEED=${seed} npx vitest run test/simulation/simulation.test.ts`;
}

function report(sums: ReadonlyMap<string, number>): void {
  const sum = (name: string) => sums.get(name) ?? 0;
  dst.report({
    seeds,
    runs: 2 * seeds,
    steps: sum("steps"),
    simulatedHours: Math.round(sum("virtualMs") / 3_600_000),
    crashes: sum("crashes"),
    writeErrors: sum("writeErrors"),
    fullDiskWrites: sum("fullDiskWrites"),
    streamCuts: sum("streamCuts"),
    clockJumps: sum("clockJumps"),
    itemsHandedOut: sum("handOuts"),
    holds: sum("holds"),
    instancesCompleted: sum("completed"),
    entityOperations: sum("operations"),
    entityStatesDeleted: sum("deletions"),
    rewinds: sum("rewinds"),
    rewindsByWorkers: sum("rewindsByWorkers"),
    historiesFetched: sum("historiesFetched"),
  });
}
