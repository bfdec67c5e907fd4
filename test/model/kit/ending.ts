/** How a world comes to its end: nothing is forgotten, and nothing happens twice. */
import { expect } from "vitest";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import { answerWith, finish } from "./answers.ts";
import type { Pace } from "./hold-model.ts";
import type { Life } from "./life-model.ts";
import type { TestedWorld } from "./tested-world.ts";

/** What is left of a world comes to its end, and everybody has got what was raised, in order, once. */
export async function finishAll(world: TestedWorld): Promise<void> {
  const { model, hub } = world;
  if (world.worker === undefined) world.connect();
  await world.collect();
  for (const hold of [...model.hubHolds.all]) {
    if (hold.origin === undefined && !isEndingAlone(hold.pace)) {
      model.releaseWindow(hold.name, undefined);
      await hub.hub.suspensions.releaseWindows({ name: hold.name }, undefined, "", noReply);
    }
  }
  for (const life of model.lives.values()) {
    if (life.isFinished) continue;
    const trees = model.hubHolds.all.filter(({ origin }) => origin === life);
    const named = trees.filter(({ pace }) => !isEndingAlone(pace)).map(({ name }) => name);
    model.release(life.id, "all", false, undefined);
    model.hubHolds.remove((hold) => trees.includes(hold) && !isEndingAlone(hold.pace));
    const wish = {
      names: "all",
      trees: named,
      pace: undefined,
      reason: undefined,
      requestedBy: "",
    } as const;
    await hub.hub.suspensions.release(life.id, { ...wish, ignoreFinished: false }, noReply);
  }
  await world.collect();
  await world.compare();
  // The slowest pace lets one through in two seconds; lost work waits a minute at most.
  await world.pass(Math.max(70, model.lives.size * 2 + 2));
  expect(hub.hub.hubHolds.length, "releases that do not come to their end").toBe(0);
  for (let rounds = 0; world.out.length > 0; rounds += 1) {
    expect(rounds, "rounds until all is done").toBeLessThan(1_000);
    const [next] = world.out;
    if (next?.item.kind === "activity") await finish(world, next);
    else if (next !== undefined) await answerWith(world, next, { actions: [], ends: "goes-on" });
    model.nextBatch();
    await world.collect();
  }
  await world.compare();
  for (const life of model.lives.values()) checkComplete(life);
  for (const life of model.past) checkPrefix(life);
}

function isEndingAlone(pace: Pace | undefined): boolean {
  return pace !== undefined && pace.canaries === 0;
}

function checkComplete(life: Life): void {
  if (life.isFinished) return checkPrefix(life);
  expect(eventsOf(life), `what ${life.id} got`).toEqual(life.raised);
  expect(life.inbox).toEqual([]);
  expect(life.timers.size).toBe(0);
  expect(life.activities).toEqual([]);
}

function checkPrefix(life: Life): void {
  const events = eventsOf(life);
  expect(events, `what ${life.id} got`).toEqual(life.raised.slice(0, events.length));
  const results = life.got.filter((label) => label.startsWith("taskCompleted"));
  expect(new Set(results).size, `results that ${life.id} got`).toBe(results.length);
}

function eventsOf({ got }: Life): string[] {
  return got.filter((label) => label.startsWith("eventRaised"));
}
