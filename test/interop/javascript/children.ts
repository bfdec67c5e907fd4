/** Orchestrations that call others. */
import { type OrchestrationContext, RetryPolicy, whenAll } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, type Hub, NamedGates, newId } from "./hub.ts";

const gates = new NamedGates();
/** How often something has run, by key. */
const runs = new Map<string, number>();

interface ChildCall {
  readonly name: string;
  readonly input?: unknown;
  readonly instanceId?: string;
  readonly tags?: Record<string, string>;
  readonly version?: string;
}

interface Wish {
  readonly key: string;
  readonly goodRun: number;
}

async function* callsChild(context: OrchestrationContext, call: ChildCall): Steps {
  const { name, input, ...options } = call;
  return yield context.callSubOrchestrator(name, input, options);
}

async function* callsChildren(context: OrchestrationContext, count: number): Steps {
  return yield whenAll(
    Array.from({ length: count }, (_, i) => context.callSubOrchestrator("double", i)),
  );
}

async function* levels(context: OrchestrationContext, depth: number): Steps {
  if (depth === 0) return ["bottom"];
  const below: string[] = yield context.callSubOrchestrator("levels", depth - 1);
  return [`level ${depth}`, ...below];
}

async function* failsUntil(context: OrchestrationContext, { key, goodRun }: Wish): Steps {
  const run: number = yield context.callActivity("countRun", key);
  if (run < goodRun) throw new Error(`run ${run} failed`);
  return run;
}

async function* retriesChild(context: OrchestrationContext, wish: Wish): Steps {
  const retry = new RetryPolicy({ maxNumberOfAttempts: 3, firstRetryIntervalInMilliseconds: 1 });
  return yield context.callSubOrchestrator("failsUntil", wish, { retry });
}

async function* leavesChild(
  context: OrchestrationContext,
  { instanceId, gate }: { instanceId: string; gate: string },
): Steps {
  context.callSubOrchestrator("waiting", undefined, { instanceId });
  yield context.callActivity("passGate", gate);
  return "left";
}

async function retried(hub: Hub, goodRun: number) {
  const key = newId("key");
  const state = await hub.run("retriesChild", { key, goodRun });
  const history = await hub.history(state.instanceId);
  const children = history.flatMap((event) =>
    event.type === "SubOrchestrationInstanceCreated" ? [event.instanceId] : [],
  );
  return { state, runs: runs.get(key), children };
}

async function calledTwice(hub: Hub) {
  const childId = newId("child");
  await hub.start("waiting", undefined, { instanceId: childId });
  await hub.started(childId);
  const state = await hub.run("callsChild", { name: "double", input: 1, instanceId: childId });
  await hub.raise(childId, "go", "still here");
  return { childId, state, child: await hub.completed(childId) };
}

async function terminatedChild(hub: Hub) {
  const instanceId = newId("child");
  const parent = await hub.start("callsChild", { name: "waiting", instanceId });
  await hub.started(instanceId);
  await hub.client.terminateOrchestration(instanceId, "no longer needed");
  return hub.completed(parent);
}

async function leftChild(hub: Hub) {
  const instanceId = newId("child");
  const gate = gates.create();
  const parent = await hub.start("leavesChild", { instanceId, gate });
  await hub.started(instanceId);
  gates.open(gate);
  const state = await hub.completed(parent);
  await hub.raise(instanceId, "go", 1);
  return { parent: state, child: await hub.completed(instanceId) };
}

export const children: Area = {
  orchestrators: {
    double: async (_context, input: number) => input * 2,
    parentCalled: async ({ parent, version }) => ({ parent, version }),
    broken: async () => {
      throw new TypeError("the child is not well");
    },
    waiting: async function* (context): Steps {
      return yield context.waitForExternalEvent("go");
    },
    callsChild,
    callsChildren,
    levels,
    failsUntil,
    retriesChild,
    leavesChild,
  },
  activities: {
    passGate: (_context, name: string) => gates.pass(name),
    countRun: (_context, key: string) => {
      const run = (runs.get(key) ?? 0) + 1;
      runs.set(key, run);
      return run;
    },
  },
  asked: {
    "a child is called by its name and its output comes back": (hub) =>
      hub.outputOf("callsChild", { name: "double", input: 21 }),
    "a child knows its parent's name, id and task, and its own version": (hub) =>
      hub.run("callsChild", { name: "parentCalled", version: "2.1" }),
    "an orchestration that a client started has no parent": (hub) => hub.outputOf("parentCalled"),
    "fifty children run side by side": (hub) => hub.outputOf("callsChildren", 50),
    "outputs pass up through three levels": (hub) => hub.outputOf("levels", 3),
    "a child's failure passes up with its text": (hub) =>
      hub.run("callsChild", { name: "callsChild", input: { name: "broken" } }),
    "a child gets the id that its parent gives it": async (hub) => {
      const instanceId = newId("child");
      await hub.run("callsChild", { name: "double", input: 1, instanceId });
      return hub.state(instanceId);
    },
    "a child gets the tags that its parent gives it": async (hub) => {
      const instanceId = newId("child");
      const tags = { team: "blue" };
      await hub.run("callsChild", { name: "double", input: 1, instanceId, tags });
      return (await hub.client.getOrchestrationState(instanceId))?.tags;
    },
    "a child that fails twice is run three times under the same id": (hub) => retried(hub, 3),
    "a child is not run more often than its retry policy says": (hub) => retried(hub, 4),
    "calling a child that is running fails the call and leaves it alone": calledTwice,
    "a terminated child fails its parent's call": terminatedChild,
    "a child goes on when its parent has completed without it": leftChild,
  },
};
