/**
 * T-MODEL: random steps of clients, workers, clocks and crashes against a small model of holds, events, timers
 * and turns: after each of them workers have what they must have, and readers see what is true.
 */
import fc from "fast-check";
import { afterAll, it } from "vitest";
import { levelDisk, memoryDisk, type TestDisk } from "../scheduler/kit/test-disk.ts";
import { rig } from "../support/rig.ts";
import { type HubOptions, openHub } from "../support/scheduler-harness.ts";
import { finishAll } from "./kit/ending.ts";
import { play } from "./kit/play.ts";
import { furnishing, type Step, stepKinds } from "./kit/steps.ts";
import { TestedWorld } from "./kit/tested-world.ts";

/** `SEED=… npx vitest run test/model/holds` repeats a run, `RIG_LONG=1` looks further. */
const model = rig("T-MODEL, holds");
/** Times as many runs in the long form. */
const LONGER = 40;
const figures: Record<string, number> & { steps: number } = { steps: 0 };

afterAll(() => model.report(figures));

class PlayedStep implements fc.AsyncCommand<object, TestedWorld> {
  readonly #step: Step;

  constructor(step: Step) {
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  run(_model: object, world: TestedWorld): Promise<void> {
    figures.steps += 1;
    return play(world, this.#step);
  }

  toString(): string {
    return JSON.stringify(this.#step);
  }
}

const beginning = fc.record({
  isFurnished: fc.boolean(),
  suspended: fc.constantFrom(false, false, false, true),
});

const commands = fc.commands(
  stepKinds.map((arbitrary) => arbitrary.map((step) => new PlayedStep(step))),
  { maxCommands: 60, size: "max" },
);

it.each<[string, () => TestDisk | Promise<TestDisk>, HubOptions, number]>([
  ["on a disk in memory", memoryDisk, {}, 250],
  ["with no room for instances that nobody uses", memoryDisk, { idleHeadBytesMax: 0 }, 250],
  [
    "with no room for those that wait for workers either",
    memoryDisk,
    { idleHeadBytesMax: 0, started: { readyBytesMax: 0 } },
    150,
  ],
  ["on LevelDB", levelDisk, {}, 40],
])(
  "a task hub does what the model of holds does, %s",
  { timeout: model.count(5, 180) * 60_000 },
  async (how, openDisk, options, runsInCi) => {
    const numRuns = model.count(runsInCi, runsInCi * LONGER);
    const property = fc.asyncProperty(beginning, commands, async (beginning, steps) => {
      const { isFurnished, suspended } = beginning;
      await using hub = await openHub({
        ...options,
        disk: await openDisk(),
        started: { ...options.started, suspended },
      });
      const world = new TestedWorld(hub, suspended);
      if (isFurnished) for (const step of furnishing) await play(world, step);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
      await finishAll(world);
    });
    await fc.assert(property, { seed: model.seed, numRuns });
    figures[`runs ${how}`] = numRuns;
  },
);
