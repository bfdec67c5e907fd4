import {
  type OrchestrationContext,
  OrchestrationStatus,
  RetryPolicy,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, newId, typesOf } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
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
}

const succeeds = suite.activity("succeeds", (_context, key: string) => count(`${key} good`));
const failsUntil = suite.activity("failsUntil", (_context, { key, goodRun }: Wish) => {
  const run = count(key);
  if (run < goodRun) throw new Error(`run ${run} failed`);
  return run;
});
const twoSteps = suite.orchestrator(
  "twoSteps",
  async function* (context: OrchestrationContext, wish: Wish): Steps {
    const first: number = yield context.callActivity(succeeds, wish.key);
    const second: number = yield context.callActivity(failsUntil, wish);
    return [first, second];
  },
);
const levels = suite.orchestrator(
  "levels",
  async function* (
    context: OrchestrationContext,
    { depth, ...wish }: Wish & { depth: number },
  ): Steps {
    if (depth === 0) return yield context.callActivity(failsUntil, wish);
    const instanceId = `${wish.key}-${depth}`;
    return yield context.callSubOrchestrator(
      "levels",
      { ...wish, depth: depth - 1 },
      {
        instanceId,
      },
    );
  },
);
const retries = suite.orchestrator(
  "retries",
  async function* (context: OrchestrationContext, wish: Wish): Steps {
    const retry = new RetryPolicy({ maxNumberOfAttempts: 2, firstRetryIntervalInMilliseconds: 1 });
    const first: number = yield context.callActivity(failsUntil, wish, { retry });
    const second: number = yield context.callActivity(succeeds, wish.key);
    return [first, second];
  },
);

async function fail(name: string, input: Wish & { depth?: number }): Promise<string> {
  const { instanceId, runtimeStatus } = await suite.run(name, input);
  expect(runtimeStatus).toBe(OrchestrationStatus.FAILED);
  return instanceId;
}

async function outputOf(instanceId: string): Promise<unknown> {
  const state = await suite.completed(instanceId);
  state.raiseIfFailed();
  return JSON.parse(state.serializedOutput ?? "null");
}

test.concurrent("a rewound orchestration runs its failed activity again and completes", async () => {
  const instanceId = await fail(twoSteps, { key: newId("again"), goodRun: 2 });
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  expect(await outputOf(instanceId)).toEqual([1, 2]);
});

test.concurrent("what has succeeded before a rewind is not run again", async () => {
  const key = newId("kept");
  const instanceId = await fail(twoSteps, { key, goodRun: 2 });
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  await outputOf(instanceId);
  expect(runs.get(`${key} good`)).toBe(1);
  expect(runs.get(key)).toBe(2);
});

test.concurrent("a failed child is rewound with its parent", async () => {
  const key = newId("child");
  const instanceId = await fail("levels", { key, goodRun: 2, depth: 1 });
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  expect(await outputOf(instanceId)).toBe(2);
  expect(await outputOf(`${key}-1`)).toBe(2);
});

test.concurrent("a failed grandchild is rewound with its grandparent", async () => {
  const key = newId("grandchild");
  const instanceId = await fail(levels, { key, goodRun: 2, depth: 2 });
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  expect(await outputOf(instanceId)).toBe(2);
  expect(await outputOf(`${key}-1`)).toBe(2);
});

test.concurrent("a purged child is created again when its parent is rewound", async () => {
  const key = newId("purged");
  const instanceId = await fail(levels, { key, goodRun: 2, depth: 1 });
  await suite.client.purgeOrchestration(`${key}-1`);
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  expect(await outputOf(instanceId)).toBe(2);
  expect(await outputOf(`${key}-1`)).toBe(2);
});

test.concurrent("an orchestration is rewound twice", async () => {
  const instanceId = await fail(twoSteps, { key: newId("twice"), goodRun: 3 });
  await suite.client.rewindInstance(instanceId, "first");
  const { runtimeStatus } = await suite.completed(instanceId);
  expect(runtimeStatus).toBe(OrchestrationStatus.FAILED);
  await suite.client.rewindInstance(instanceId, "second");
  expect(await outputOf(instanceId)).toEqual([1, 3]);
});

test.concurrent("an orchestration is rewound without a reason", async () => {
  const instanceId = await fail(twoSteps, { key: newId("silent"), goodRun: 2 });
  await suite.client.rewindInstance(instanceId, "");
  expect(await outputOf(instanceId)).toEqual([1, 2]);
});

test.concurrent("a retry policy that has made its attempts makes one more behind each rewind", async () => {
  const instanceId = await fail(retries, { key: newId("retries"), goodRun: 4 });
  await suite.client.rewindInstance(instanceId, "first");
  const { runtimeStatus, failureDetails } = await suite.completed(instanceId);
  expect(runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(failureDetails?.message).toContain("run 3 failed");
  await suite.client.rewindInstance(instanceId, "second");
  expect(await outputOf(instanceId)).toEqual([4, 1]);
});

test.concurrent("the history shows a rewind and its reason", async () => {
  const instanceId = await fail(twoSteps, { key: newId("shown"), goodRun: 2 });
  await suite.client.rewindInstance(instanceId, "the cause is gone");
  await outputOf(instanceId);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(typesOf(history)).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "OrchestratorStarted",
    "OrchestratorStarted",
    "ExecutionRewound",
    "OrchestratorStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
  expect(history[7]).toMatchObject({ reason: "the cause is gone" });
});

test.concurrent("rewinding an unknown instance is refused", async () => {
  const wish = suite.client.rewindInstance(newId("nobody"), "why not");
  await expect(wish).rejects.toThrow(/not found/);
});

test.concurrent("an orchestration that has not failed is not rewound", async () => {
  const { instanceId } = await suite.run(twoSteps, { key: newId("well"), goodRun: 1 });
  await expect(suite.client.rewindInstance(instanceId, "why not")).rejects.toThrow(/precondition/);
});
