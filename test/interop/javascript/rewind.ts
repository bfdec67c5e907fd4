/** Rewinding failed orchestrations by the SDK's client. */
import { randomUUID } from "node:crypto";
import { type OrchestrationContext, RetryPolicy } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, refusal } from "./hub.ts";

/** How often something has run, by key. */
const runs = new Map<string, number>();

function count(key: string): number {
  const run = (runs.get(key) ?? 0) + 1;
  runs.set(key, run);
  return run;
}

interface Wish {
  readonly key: string;
  /** The run of the activity that succeeds first. */
  readonly goodRun: number;
  readonly depth?: number;
}

async function* twoSteps(context: OrchestrationContext, wish: Wish): Steps {
  const first: number = yield context.callActivity("succeeds", wish.key);
  const second: number = yield context.callActivity("failsUntil", wish);
  return [first, second];
}

async function* levels(context: OrchestrationContext, wish: Wish): Steps {
  const { key, depth = 0 } = wish;
  if (depth === 0) return yield context.callActivity("failsUntil", wish);
  const below = { ...wish, depth: depth - 1 };
  return yield context.callSubOrchestrator("levels", below, { instanceId: `${key}-${depth}` });
}

async function* retries(context: OrchestrationContext, wish: Wish): Steps {
  const retry = new RetryPolicy({ maxNumberOfAttempts: 2, firstRetryIntervalInMilliseconds: 1 });
  const first: number = yield context.callActivity("failsUntil", wish, { retry });
  const second: number = yield context.callActivity("succeeds", wish.key);
  return [first, second];
}

export const rewind: Area = {
  orchestrators: { twoSteps, levels, retries },
  activities: {
    succeeds: (_context, key: string) => count(`${key} good`),
    failsUntil: (_context, { key, goodRun }: Wish) => {
      const run = count(key);
      if (run < goodRun) throw new Error(`run ${run} failed`);
      return run;
    },
  },
  asked: {
    run: (hub, name: string, wish: Wish) => hub.run(name, wish),
    // The SDK knows no rewind without a text.
    rewind: (hub, instanceId: string, reason: string | null) =>
      hub.client.rewindInstance(instanceId, reason ?? ""),
    completed: (hub, instanceId: string) => hub.completed(instanceId),
    purge: async (hub, instanceId: string) => {
      await hub.client.purgeOrchestration(instanceId);
    },
    getRuns: (_hub, key: string) => runs.get(key),
    history: (hub, instanceId: string) => hub.history(instanceId),
    "rewinding an unknown instance is refused": (hub) =>
      refusal(hub.client.rewindInstance(randomUUID(), "why not")),
    "an orchestration that has not failed is not rewound": async (hub) => {
      const { instanceId } = await hub.run("twoSteps", { key: randomUUID(), goodRun: 1 });
      return refusal(hub.client.rewindInstance(instanceId, "why not"));
    },
  },
};
