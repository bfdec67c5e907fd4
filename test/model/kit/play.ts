/** Plays one step on a task hub and on its model. */
import { expect } from "vitest";
import { watch } from "../../support/scheduler-harness.ts";
import { abandon, answerActivity, answerTurn } from "./answers.ts";
import { requestOf } from "./requests.ts";
import type { Step } from "./steps.ts";
import { outcomeOf, type TestedWorld } from "./tested-world.ts";

export async function play(world: TestedWorld, step: Step): Promise<void> {
  world.model.nextBatch();
  await run(world, step);
  await world.collect();
  await world.compare();
}

async function run(world: TestedWorld, step: Step): Promise<void> {
  const { model, hub } = world;
  switch (step.kind) {
    case "turn":
      return answerTurn(world, step);
    case "activity":
      return answerActivity(world, step.at);
    case "abandon":
      return abandon(world, step.at);
    case "pass":
      return world.pass(step.seconds);
    case "connect":
      if (world.worker === undefined) world.connect();
      return;
    case "lose":
      return world.lose();
    case "crash":
      return crash(world, step);
    case "purge": {
      const life = Array.from(model.lives.values()).filter((each) => each.isFinished)[step.at];
      if (life === undefined) return;
      model.purge(life.id);
      expect(await hub.purge(life.id)).toBe(1);
      world.out = world.out.filter((out) => out.life !== life);
      return;
    }
    default: {
      const request = requestOf(world, step);
      const expected = request.model();
      expect(await outcomeOf(request.real()), JSON.stringify(step)).toBe(expected);
    }
  }
}

async function crash(
  world: TestedWorld,
  step: Extract<Step, { readonly kind: "crash" }>,
): Promise<void> {
  const { hub, model } = world;
  // Its creation would be a commit of its own.
  await hub.hub.create();
  model.createHub();
  await hub.settled();
  hub.bytes.hold();
  const requests = step.asked.map((asked) => requestOf(world, asked));
  const calls = [];
  for (const { real } of requests) {
    calls.push(watch(real()));
    await hub.settled();
  }
  const got = world.worker?.items.map(({ kind, instanceId }) => `${kind} of ${instanceId}`) ?? [];
  expect(got, "handed out before anything of it was durable").toEqual([]);
  // What is answered already rests on nothing that is not durable: it has changed nothing.
  const first = calls.findIndex(({ state }) => state === "pending");
  if (step.keepsOne && first !== -1) {
    hub.bytes.releaseOne();
    await hub.settled();
    expect(calls.map(({ state }) => state === "pending").indexOf(true)).not.toBe(first);
    requests[first]?.model();
  }
  const { suspended } = step;
  await hub.crash({ downMs: step.seconds * 1_000, started: { suspended } });
  world.forgetWorker();
  model.nextBatch();
  model.crash(step.seconds, suspended);
  if (step.reconnects) world.connect();
}
