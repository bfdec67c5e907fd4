/** T-MODEL: random commands, answers, losses and crashes: what must be true is true after each of them. */
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { rig } from "../support/rig.ts";
import { type HubOptions, openHub } from "../support/scheduler-harness.ts";
import { steps } from "./kit/random-steps.ts";
import { RandomWorld } from "./kit/random-world.ts";
import { levelDisk, memoryDisk, type TestDisk } from "./kit/test-disk.ts";

/** `SEED=… npx vitest run test/scheduler/property` repeats a run, `RIG_LONG=1` looks further. */
const model = rig("T-MODEL, worlds");
const worlds = model.count(60, 4_000);
const roundsMax = 30;
const figures = { worlds: 0, steps: 0 };

afterAll(() => model.report(figures));

it.each<[string, HubOptions, () => TestDisk | Promise<TestDisk>, number]>([
  ["with all instances in memory", {}, memoryDisk, worlds],
  ["with no room for instances that nobody uses", { idleHeadBytesMax: 0 }, memoryDisk, worlds],
  [
    "with no room for those that wait for workers either",
    { idleHeadBytesMax: 0, started: { readyBytesMax: 0 } },
    memoryDisk,
    worlds,
  ],
  [
    "with no room for those that wait for workers alone",
    { started: { readyBytesMax: 0 } },
    memoryDisk,
    worlds,
  ],
  [
    "with what has ended purged soon",
    { started: { retention: { ages: { completed: 60_000, failed: 90_000 }, lowSpaceAges: {} } } },
    memoryDisk,
    worlds,
  ],
  ["with early turns", { idleHeadBytesMax: 0, started: { earlyTurns: true } }, memoryDisk, worlds],
  ["on LevelDB", { idleHeadBytesMax: 0 }, levelDisk, Math.ceil(worlds / 4)],
])(
  "a random world keeps its promises and comes to an end, %s",
  {
    timeout: model.count(1, 60) * 60_000,
  },
  async (_how, options, mount, numRuns) => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        await using hub = await openHub({ ...options, disk: await mount() });
        const world = new RandomWorld(hub);
        for (const step of script) await world.play(step);
        expect(await world.finish(roundsMax)).toBeLessThanOrEqual(roundsMax);
        figures.worlds += 1;
        figures.steps += script.length;
      }),
      { seed: model.seed, numRuns },
    );
  },
);
