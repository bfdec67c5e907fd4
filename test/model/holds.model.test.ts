/**
 * Random steps of clients, workers, clocks and crashes against a small model of holds, events, timers
 * and turns: after each of them workers have what they must have, and readers see what is true.
 */
import fc from "fast-check";
import { it } from "vitest";
import { levelDisk, memoryDisk } from "../scheduler/kit/test-disk.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { finishAll } from "./kit/ending.ts";
import { play } from "./kit/play.ts";
import { furnishing, type Step, stepKinds } from "./kit/steps.ts";
import { TestedWorld } from "./kit/tested-world.ts";

/** `SEED=… RUNS=… npx vitest run test/model/holds` looks further. */
const seed = Number(process.env.SEED ?? 20_261_121);
const runs = Number(process.env.RUNS ?? 0);

class PlayedStep implements fc.AsyncCommand<object, TestedWorld> {
  readonly #step: Step;

  constructor(step: Step) {
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  run(_model: object, world: TestedWorld): Promise<void> {
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

it.each([
  ["on a disk in memory", memoryDisk, {}, 250],
  ["with no room for instances that nobody uses", memoryDisk, { idleHeadBytesMax: 0 }, 250],
  ["on LevelDB", levelDisk, {}, 40],
])(
  "a task hub does what the model of holds does, %s",
  { timeout: 300_000 },
  async (how, openDisk, options, numRuns) => {
    console.info(`holds model ${how}: SEED=${seed}`);
    const property = fc.asyncProperty(beginning, commands, async (beginning, steps) => {
      const { isFurnished, suspended } = beginning;
      await using hub = await openHub({
        ...options,
        disk: await openDisk(),
        started: { suspended },
      });
      const world = new TestedWorld(hub, suspended);
      if (isFurnished) for (const step of furnishing) await play(world, step);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
      await finishAll(world);
    });
    await fc.assert(property, { seed, numRuns: runs || numRuns });
  },
);
