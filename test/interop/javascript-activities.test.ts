import {
  type ActivityContext,
  type OrchestrationContext,
  OrchestrationStatus,
  RetryPolicy,
  whenAll,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, present, typesOf } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const attempts = new Map<string, number>();

const addOne = suite.activity("addOne", (_context, input: number) => input + 1);
const square = suite.activity("square", async (_context, input: number) => input * input);
const whoAmI = suite.activity("whoAmI", (context: ActivityContext) => ({
  orchestrationId: context.orchestrationId,
  taskId: context.taskId,
}));
const fail = suite.activity("fail", () => {
  throw new RangeError("the reactor is too hot");
});
const failUntil = suite.activity("failUntil", ({ orchestrationId }, goodAttempt: number) => {
  const attempt = (attempts.get(orchestrationId) ?? 0) + 1;
  attempts.set(orchestrationId, attempt);
  if (attempt < goodAttempt) throw new Error(`attempt ${attempt} failed`);
  return attempt;
});

function threeAttempts(handleFailure: () => boolean = () => true) {
  return new RetryPolicy({
    maxNumberOfAttempts: 3,
    firstRetryIntervalInMilliseconds: 1,
    handleFailure,
  });
}

const empty = suite.orchestrator("empty", async () => undefined);
const chain = suite.orchestrator(
  "chain",
  async function* (context: OrchestrationContext, input: number): Steps {
    const first: number = yield context.callActivity(addOne, input);
    const second: number = yield context.callActivity(square, first);
    return yield context.callActivity(addOne, second);
  },
);
const fanOut = suite.orchestrator(
  "fanOut",
  async function* (context: OrchestrationContext, count: number): Steps {
    const tasks = Array.from({ length: count }, (_, i) => context.callActivity(square, i));
    return yield whenAll(tasks);
  },
);
const asksWho = suite.orchestrator(
  "asksWho",
  async function* (context: OrchestrationContext): Steps {
    return yield context.callActivity(whoAmI);
  },
);
const failing = suite.orchestrator(
  "failing",
  async function* (context: OrchestrationContext): Steps<void> {
    yield context.callActivity(fail);
  },
);
const forgiving = suite.orchestrator(
  "forgiving",
  async function* (context: OrchestrationContext): Steps {
    try {
      yield context.callActivity(fail);
    } catch (error) {
      const after: number = yield context.callActivity(addOne, 1);
      return { caught: String(error), after };
    }
  },
);
const unknownActivity = suite.orchestrator(
  "unknownActivity",
  async function* (context: OrchestrationContext): Steps<void> {
    yield context.callActivity("nobodyHasThis");
  },
);
const retrying = suite.orchestrator(
  "retrying",
  async function* (context: OrchestrationContext, goodAttempt: number): Steps {
    return yield context.callActivity(failUntil, goodAttempt, { retry: threeAttempts() });
  },
);
const choosy = suite.orchestrator("choosy", async function* (context: OrchestrationContext): Steps {
  const retry = threeAttempts(() => false);
  return yield context.callActivity(failUntil, 9, { retry });
});
const handled = suite.orchestrator(
  "handled",
  async function* (context: OrchestrationContext): Steps {
    const retry = async ({ lastAttemptNumber }: { lastAttemptNumber: number }) =>
      lastAttemptNumber < 5;
    return yield context.callActivity(failUntil, 5, { retry });
  },
);
const labelled = suite.orchestrator(
  "labelled",
  async function* (context: OrchestrationContext): Steps {
    return yield context.callActivity(addOne, 1, { tags: { colour: "red" }, version: "7" });
  },
);

test.concurrent("an orchestration that does nothing completes without an output", async () => {
  const state = await suite.run(empty);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.COMPLETED);
  expect(state.serializedOutput).toBeUndefined();
  expect(state.failureDetails).toBeUndefined();
});

test.concurrent("a chain hands each activity's result to the next", async () => {
  expect(await suite.outputOf(chain, 2)).toBe(10);
});

test.concurrent("the results of a hundred activities come back in the order of the calls", async () => {
  const squares = Array.from({ length: 100 }, (_, i) => i * i);
  expect(await suite.outputOf(fanOut, 100)).toEqual(squares);
});

test.concurrent("a fan-out over nothing completes", async () => {
  expect(await suite.outputOf(fanOut, 0)).toEqual([]);
});

test.concurrent("an activity is told its orchestration and its task id", async () => {
  const state = await suite.run(asksWho);
  expect(JSON.parse(present(state.serializedOutput))).toEqual({
    orchestrationId: state.instanceId,
    taskId: 1,
  });
});

test.concurrent("a failed activity fails the orchestration, and its text passes up", async () => {
  const state = await suite.run(failing);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails)).toMatchObject({
    errorType: "TaskFailedError",
    message: expect.stringContaining("the reactor is too hot"),
  });
  const failure = present(
    (await suite.client.getOrchestrationHistory(state.instanceId)).find(
      ({ type }) => type === "TaskFailed",
    ),
  );
  expect(failure).toMatchObject({
    taskScheduledId: 1,
    failureDetails: {
      errorType: "RangeError",
      message: "the reactor is too hot",
      stackTrace: expect.stringContaining("RangeError"),
    },
  });
});

test.concurrent("failure details are left out when payloads are not asked for", async () => {
  const { instanceId } = await suite.run(failing);
  const state = await suite.client.getOrchestrationState(instanceId, false);
  expect(state?.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(state?.failureDetails).toBeUndefined();
});

test.concurrent("an orchestration may catch a failure and go on", async () => {
  expect(await suite.outputOf(forgiving)).toEqual({
    caught: expect.stringContaining("the reactor is too hot"),
    after: 2,
  });
});

test.concurrent("an activity that no worker has registered fails its task", async () => {
  const state = await suite.run(unknownActivity);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).message).toContain("nobodyHasThis");
});

test.concurrent("an orchestrator that no worker has registered fails", async () => {
  const state = await suite.run("nobodyHasThisEither");
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails)).toMatchObject({
    errorType: "OrchestratorNotRegisteredError",
    message: expect.stringContaining("nobodyHasThisEither"),
  });
});

test.concurrent("a retry policy stops at the first attempt that succeeds", async () => {
  const state = await suite.run(retrying, 3);
  expect(state.serializedOutput).toBe("3");
  expect(attempts.get(state.instanceId)).toBe(3);
});

test.concurrent("a retry policy of three attempts makes exactly three", async () => {
  const state = await suite.run(retrying, 4);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).message).toContain("attempt 3 failed");
  expect(attempts.get(state.instanceId)).toBe(3);
});

test.concurrent("each attempt and each pause between them is in the history", async () => {
  const { instanceId } = await suite.run(retrying, 2);
  expect(typesOf(await suite.client.getOrchestrationHistory(instanceId))).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskFailed",
    "TimerCreated",
    "OrchestratorStarted",
    "TimerFired",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
});

test.concurrent("a retry policy that refuses a failure makes one attempt", async () => {
  const state = await suite.run(choosy);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(attempts.get(state.instanceId)).toBe(1);
});

test.concurrent("a retry handler decides after each attempt", async () => {
  const state = await suite.run(handled);
  expect(state.serializedOutput).toBe("5");
  expect(attempts.get(state.instanceId)).toBe(5);
});

async function scheduledLabelled() {
  const { instanceId } = await suite.run(labelled);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  return history.find(({ type }) => type === "TaskScheduled");
}

test.concurrent("tags of an activity are in the history", async () => {
  expect(await scheduledLabelled()).toMatchObject({
    eventId: 1,
    name: addOne,
    input: "1",
    tags: { colour: "red" },
  });
});

test.concurrent("the version of an activity is in the history", async () => {
  expect(await scheduledLabelled()).toMatchObject({ name: addOne, version: "7" });
});
