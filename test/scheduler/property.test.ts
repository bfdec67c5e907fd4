/** Random commands, answers, losses and crashes: what must be true is true after each of them. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { openHub } from "../support/scheduler-harness.ts";
import { steps } from "./kit/random-steps.ts";
import { RandomWorld } from "./kit/random-world.ts";

/** `SEED=… RUNS=… npx vitest run test/scheduler/property` looks further. */
const seed = Number(process.env.SEED ?? 20_260_101);
const numRuns = Number(process.env.RUNS ?? 60);
const roundsMax = 30;

it.each([
  ["with all instances in memory", {}],
  ["with no room for instances that nobody uses", { idleHeadBytesMax: 0 }],
])("a random world keeps its promises and comes to an end, %s", async (_how, options) => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      await using hub = await openHub(options);
      const world = new RandomWorld(hub);
      for (const step of script) await world.play(step);
      expect(await world.finish(roundsMax)).toBeLessThanOrEqual(roundsMax);
    }),
    { seed, numRuns },
  );
});
