/** Suspensions and terminations by the SDK's client. */
import { type OrchestrationContext, terminateOptions } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, type Hub, NamedGates, newId, refusal } from "./hub.ts";

const gates = new NamedGates();

interface Collected {
  readonly wanted: number;
  readonly received: readonly number[];
}

async function* collects(context: OrchestrationContext, count: number): Steps {
  const received: unknown[] = [];
  while (received.length < count) {
    const next: unknown = yield context.waitForExternalEvent("item");
    received.push(next);
  }
  return received;
}

async function* collectsAnew(
  context: OrchestrationContext,
  { wanted, received }: Collected,
): Steps {
  const next: number = yield context.waitForExternalEvent("item");
  const all = [...received, next];
  if (all.length < wanted) context.continueAsNew({ wanted, received: all }, true);
  return all;
}

async function* callsTwo(context: OrchestrationContext, ids: readonly string[]): Steps {
  const children = ids.map((instanceId) =>
    context.callSubOrchestrator("listens", undefined, { instanceId }),
  );
  let last: unknown;
  for (const child of children) last = yield child;
  return last;
}

async function storm(hub: Hub) {
  const numbers = Array.from({ length: 60 }, (_, i) => i);
  const instanceId = await hub.start("collectsAnew", { wanted: numbers.length, received: [] });
  const raising = numbers.map((i) => hub.raise(instanceId, "item", i));
  for (let round = 0; round < 10; round += 1) {
    await hub.client.suspendOrchestration(instanceId);
    await hub.client.resumeOrchestration(instanceId);
  }
  await Promise.all(raising);
  return hub.completed(instanceId);
}

/** Two children and their parent, of which each has begun. */
async function family(hub: Hub) {
  const children = [newId("child"), newId("child")];
  const parent = await hub.start("callsTwo", children);
  for (const child of children) await hub.started(child);
  return { parent, children };
}

async function terminated(hub: Hub, ...outputs: readonly unknown[]) {
  const instanceId = await hub.startAndWait("listens");
  for (const output of outputs) await hub.client.terminateOrchestration(instanceId, output);
  return hub.completed(instanceId);
}

const suspended: Area["asked"] = {
  "an event raised while suspended is delivered after the resume, not before": async (hub) => {
    const instanceId = await hub.startAndWait("listens");
    await hub.client.suspendOrchestration(instanceId);
    const before = await hub.status(instanceId);
    await hub.raise(instanceId, "go", 5);
    const waits = await hub.doesNotComplete(instanceId);
    const statuses = [before, await hub.status(instanceId)];
    await hub.client.resumeOrchestration(instanceId);
    return { statuses, waits, state: await hub.completed(instanceId) };
  },
  "a resumed orchestration that waits is running": async (hub) => {
    const instanceId = await hub.startAndWait("listens");
    await hub.client.suspendOrchestration(instanceId);
    await hub.client.resumeOrchestration(instanceId);
    return hub.status(instanceId);
  },
  "events raised while suspended keep their order": async (hub) => {
    const instanceId = await hub.start("collects", 3);
    await hub.raise(instanceId, "item", 1);
    await hub.client.suspendOrchestration(instanceId);
    await hub.raise(instanceId, "item", 2);
    await hub.raise(instanceId, "item", 3);
    await hub.client.resumeOrchestration(instanceId);
    return hub.completed(instanceId);
  },
  "an activity's result that comes while suspended is used after the resume": async (hub) => {
    const gate = gates.create();
    const instanceId = await hub.start("passes", gate);
    await gates.reached(gate);
    await hub.client.suspendOrchestration(instanceId);
    gates.open(gate);
    const waits = await hub.doesNotComplete(instanceId);
    await hub.client.resumeOrchestration(instanceId);
    return { gate, waits, state: await hub.completed(instanceId) };
  },
  "a timer that fires while suspended is used after the resume": async (hub) => {
    const instanceId = await hub.startAndWait("naps");
    await hub.client.suspendOrchestration(instanceId);
    const waits = await hub.doesNotComplete(instanceId, 2.5);
    await hub.client.resumeOrchestration(instanceId);
    return { waits, state: await hub.completed(instanceId) };
  },
  "events of a storm are each consumed once while it is suspended and resumed": storm,
  "the history shows one suspension and one resumption, however often they are asked for": async (
    hub,
  ) => {
    const instanceId = await hub.startAndWait("listens");
    await hub.client.resumeOrchestration(instanceId);
    for (const _ of [1, 2]) await hub.client.suspendOrchestration(instanceId);
    for (const _ of [1, 2]) await hub.client.resumeOrchestration(instanceId);
    await hub.raise(instanceId, "go", null);
    await hub.completed(instanceId);
    return hub.types(instanceId);
  },
};

const unchanged: Area["asked"] = {
  "suspending, resuming or terminating a completed orchestration changes nothing": async (hub) => {
    const before = await hub.run("empty");
    await hub.client.suspendOrchestration(before.instanceId);
    await hub.client.resumeOrchestration(before.instanceId);
    await hub.client.terminateOrchestration(before.instanceId, "too late");
    return { before, after: await hub.state(before.instanceId) };
  },
  "suspending, resuming or terminating an unknown instance is NOT_FOUND": async ({ client }) => {
    const instanceId = newId("nobody");
    return [
      await refusal(client.suspendOrchestration(instanceId)),
      await refusal(client.resumeOrchestration(instanceId)),
      await refusal(client.terminateOrchestration(instanceId)),
    ];
  },
};

const terminations: Area["asked"] = {
  "a running orchestration is terminated with the output it is given": (hub) =>
    terminated(hub, { reason: "enough" }),
  "the first of two terminations wins": (hub) => terminated(hub, "first", "second"),
  "a suspended orchestration is terminated": async (hub) => {
    const instanceId = await hub.startAndWait("listens");
    await hub.client.suspendOrchestration(instanceId);
    await hub.client.terminateOrchestration(instanceId, "stopped");
    return hub.completed(instanceId);
  },
  "an orchestration that waits for an activity is terminated at once": async (hub) => {
    const gate = gates.create();
    const instanceId = await hub.start("passes", gate);
    await gates.reached(gate);
    await hub.client.terminateOrchestration(instanceId);
    const before = await hub.completed(instanceId);
    gates.open(gate);
    await hub.run("empty");
    return { before, after: await hub.state(instanceId) };
  },
  "an orchestration that no worker has seen is suspended, resumed and terminated": async (hub) => {
    const alone = hub.alone();
    const instanceId = await alone.start("empty");
    const statuses = [await alone.status(instanceId)];
    await alone.client.suspendOrchestration(instanceId);
    statuses.push((await alone.started(instanceId)).status);
    await alone.client.resumeOrchestration(instanceId);
    statuses.push(await alone.status(instanceId));
    await alone.client.terminateOrchestration(instanceId, "never ran");
    const state = await alone.completed(instanceId);
    await alone.client.stop();
    return { statuses, state };
  },
  "a recursive termination ends the children too": async (hub) => {
    const { parent, children } = await family(hub);
    const options = terminateOptions({ output: "all of you", recursive: true });
    await hub.client.terminateOrchestration(parent, options);
    return Promise.all([parent, ...children].map((instanceId) => hub.completed(instanceId)));
  },
  "a termination that is not recursive leaves the children running": async (hub) => {
    const { parent, children } = await family(hub);
    await hub.client.terminateOrchestration(parent, "only you");
    const statuses = await Promise.all(children.map((child) => hub.status(child)));
    for (const child of children) await hub.raise(child, "go", "on");
    const states = await Promise.all(children.map((child) => hub.completed(child)));
    return { parent: await hub.completed(parent), statuses, children: states };
  },
};

export const control: Area = {
  orchestrators: {
    empty: async () => "done",
    listens: async function* (context): Steps {
      return yield context.waitForExternalEvent("go");
    },
    collects,
    collectsAnew,
    passes: async function* (context, gate: string): Steps {
      return yield context.callActivity("passGate", gate);
    },
    naps: async function* (context): Steps {
      yield context.createTimer(2);
      return "rested";
    },
    callsTwo,
  },
  activities: { passGate: (_context, name: string) => gates.pass(name) },
  asked: { ...suspended, ...unchanged, ...terminations },
};
