/** Orchestrations that start anew, and what they keep. */
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, type Hub, NamedGates } from "./hub.ts";

const gates = new NamedGates();

interface Collected {
  readonly wanted: number;
  readonly received: readonly number[];
}

interface TwoGates {
  /** Only the first generation has it. */
  readonly first?: string;
  readonly second: string;
}

async function* countsInActivities(context: OrchestrationContext, generation: number): Steps {
  const next: number = yield context.callActivity("addOne", generation);
  if (next < 10) context.continueAsNew(next, false);
  return next;
}

async function* countsInChildren(context: OrchestrationContext, input: number): Steps {
  const next: number = yield context.callSubOrchestrator("double", input);
  if (next < 1024) context.continueAsNew(next, false);
  return next;
}

async function* collectsOneByOne(
  context: OrchestrationContext,
  { wanted, received }: Collected,
): Steps {
  const next: number = yield context.waitForExternalEvent("item");
  const all = [...received, next];
  if (all.length < wanted) context.continueAsNew({ wanted, received: all }, true);
  return all;
}

async function* keepsEvents(
  context: OrchestrationContext,
  { first, second, keep }: TwoGates & { keep: boolean },
): Steps {
  yield context.callActivity("passGate", first ?? second);
  if (first === undefined) return yield context.waitForExternalEvent("item");
  yield context.waitForExternalEvent("ready");
  context.continueAsNew({ second, keep }, keep);
  return undefined;
}

async function* talksToItself(context: OrchestrationContext, input: string | null): Steps {
  if (input === "again") return yield context.waitForExternalEvent("note");
  context.sendEvent(context.instanceId, "note", "to my next life");
  context.continueAsNew("again", false);
  return undefined;
}

async function* asksTwice(context: OrchestrationContext, { first, second }: TwoGates): Steps {
  if (first === undefined) return yield context.callActivity("passGate", second);
  context.callActivity("passGate", first);
  yield context.waitForExternalEvent("restart");
  context.continueAsNew({ second }, false);
  return undefined;
}

const numbersTo = (count: number) => Array.from({ length: count }, (_, i) => i);

async function keepEvents(hub: Hub, keep: boolean) {
  const [first, second] = [gates.create(), gates.create()];
  const instanceId = await hub.start("keepsEvents", { first, second, keep });
  await gates.reached(first);
  await hub.raise(instanceId, "item", "old");
  await hub.raise(instanceId, "ready");
  gates.open(first);
  await gates.reached(second);
  await hub.raise(instanceId, "item", "new");
  gates.open(second);
  return hub.completed(instanceId);
}

async function askTwice(hub: Hub) {
  const [first, second] = [gates.create(), gates.create()];
  const instanceId = await hub.start("asksTwice", { first, second });
  await gates.reached(first);
  await hub.raise(instanceId, "restart");
  await gates.reached(second);
  gates.open(first);
  await hub.state(instanceId);
  gates.open(second);
  return { second, state: await hub.completed(instanceId) };
}

export const continueAsNew: Area = {
  orchestrators: {
    counts: async (context, generation: number) => {
      if (generation < 10) context.continueAsNew(generation + 1, false);
      return generation;
    },
    countsInActivities,
    double: async (_context, input: number) => input * 2,
    countsInChildren,
    collectsOneByOne,
    keepsEvents,
    talksToItself,
    callsCounting: async function* (context): Steps {
      return yield context.callSubOrchestrator("counts", 1);
    },
    asksTwice,
  },
  activities: {
    passGate: (_context, name: string) => gates.pass(name),
    addOne: (_context, input: number) => input + 1,
  },
  asked: {
    "an orchestration starts anew ten times, and its last input is shown": (hub) =>
      hub.run("counts", 1),
    "only the last generation is in the history": async (hub) => {
      const { instanceId } = await hub.run("countsInActivities", 1);
      return hub.types(instanceId);
    },
    "each generation may call children without choosing their ids": (hub) =>
      hub.outputOf("countsInChildren", 1),
    "tags and version stay over continue-as-new": async (hub) => {
      const options = { tags: { tenant: "a" }, version: "3" };
      const { instanceId } = await hub.run("counts", 1, options);
      const { tags } = (await hub.client.getOrchestrationState(instanceId)) ?? {};
      return { ...(await hub.history(instanceId))[1], tags };
    },
    "every event of a storm is consumed once over fifty generations": async (hub) => {
      const instanceId = await hub.start("collectsOneByOne", { wanted: 50, received: [] });
      await Promise.all(numbersTo(50).map((i) => hub.raise(instanceId, "item", i)));
      return hub.completed(instanceId);
    },
    "events of one caller keep their order over generations": async (hub) => {
      const instanceId = await hub.start("collectsOneByOne", { wanted: 20, received: [] });
      for (const i of numbersTo(20)) await hub.raise(instanceId, "item", i);
      return hub.completed(instanceId);
    },
    keepEvents,
    "an event that an orchestration sends itself reaches its next generation": (hub) =>
      hub.outputOf("talksToItself"),
    "a parent hears of its child's last generation only": (hub) => hub.run("callsCounting"),
    "a result for an earlier generation does not complete a task of this one": askTwice,
  },
};
