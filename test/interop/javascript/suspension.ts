/** Orchestrations that are held, by the SDK's client or from outside. */
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, NamedGates, refusal } from "./hub.ts";

const gates = new NamedGates();

interface Gathered {
  readonly gates: readonly string[];
  readonly items: readonly string[];
}

/** Each generation waits for an activity and an event; the last one returns what all have got. */
async function* gathers(
  context: OrchestrationContext,
  { gates: [gate, ...rest], items }: Gathered,
): Steps {
  context.setCustomStatus({ items: items.length });
  const passed: string = yield context.callActivity("passGate", gate);
  const item: string = yield context.waitForExternalEvent("item");
  const all = [...items, passed, item];
  if (rest.length > 0) context.continueAsNew({ gates: rest, items: all }, true);
  return all;
}

async function* progresses(context: OrchestrationContext, steps: number): Steps {
  for (let step = 1; step <= steps; step += 1) {
    context.setCustomStatus({ step });
    yield context.waitForExternalEvent("step");
  }
  return "done";
}

async function* listens(context: OrchestrationContext): Steps {
  return yield context.waitForExternalEvent("go");
}

async function* callsListening(context: OrchestrationContext, instanceId: string): Steps {
  return yield context.callSubOrchestrator("listens", undefined, { instanceId });
}

export const suspension: Area = {
  orchestrators: { gathers, progresses, listens, callsListening },
  activities: { passGate: (_context, name: string) => gates.pass(name) },
  asked: {
    start: (hub, name: string, instanceId: string, input?: unknown) =>
      hub.start(name, input, { instanceId }),
    startRefused: (hub, name: string, instanceId: string) =>
      refusal(hub.start(name, undefined, { instanceId })),
    started: (hub, instanceId: string) => hub.started(instanceId),
    status: (hub, instanceId: string) => hub.status(instanceId),
    completed: (hub, instanceId: string) => hub.completed(instanceId),
    reached: (_hub, gate: string) => gates.reached(gate),
    openGate: (_hub, gate: string) => gates.open(gate),
    raiseEvent: (hub, instanceId: string, name: string, data?: unknown) =>
      hub.raise(instanceId, name, data),
    suspend: (hub, instanceId: string) => hub.client.suspendOrchestration(instanceId),
    resume: (hub, instanceId: string) => hub.client.resumeOrchestration(instanceId),
  },
};
