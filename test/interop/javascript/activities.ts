/** Activities: calls, failures, retries. */
import {
  type ActivityContext,
  type OrchestrationContext,
  RetryPolicy,
  whenAll,
} from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import type { Area, Hub } from "./hub.ts";

/** By instance id. */
const attempts = new Map<string, number>();

function failUntil({ orchestrationId }: ActivityContext, goodAttempt: number): number {
  const attempt = (attempts.get(orchestrationId) ?? 0) + 1;
  attempts.set(orchestrationId, attempt);
  if (attempt < goodAttempt) throw new Error(`attempt ${attempt} failed`);
  return attempt;
}

function threeAttempts(handleFailure: () => boolean = () => true) {
  return new RetryPolicy({
    maxNumberOfAttempts: 3,
    firstRetryIntervalInMilliseconds: 1,
    handleFailure,
  });
}

async function* chain(context: OrchestrationContext, input: number): Steps {
  const first: number = yield context.callActivity("addOne", input);
  const second: number = yield context.callActivity("square", first);
  return yield context.callActivity("addOne", second);
}

async function* fanOut(context: OrchestrationContext, count: number): Steps {
  return yield whenAll(Array.from({ length: count }, (_, i) => context.callActivity("square", i)));
}

async function* forgiving(context: OrchestrationContext): Steps {
  try {
    yield context.callActivity("fail");
  } catch (error) {
    const after: number = yield context.callActivity("addOne", 1);
    return { caught: String(error), after };
  }
}

async function* retrying(context: OrchestrationContext, goodAttempt: number): Steps {
  return yield context.callActivity("failUntil", goodAttempt, { retry: threeAttempts() });
}

async function* choosy(context: OrchestrationContext): Steps {
  return yield context.callActivity("failUntil", 9, { retry: threeAttempts(() => false) });
}

async function* handled(context: OrchestrationContext): Steps {
  const retry = async ({ lastAttemptNumber }: { lastAttemptNumber: number }) =>
    lastAttemptNumber < 5;
  return yield context.callActivity("failUntil", 5, { retry });
}

async function* labelled(context: OrchestrationContext): Steps {
  return yield context.callActivity("addOne", 1, { tags: { colour: "red" }, version: "7" });
}

async function retried(hub: Hub, name: string, input?: number) {
  const state = await hub.run(name, input);
  return { state, attempts: attempts.get(state.instanceId) };
}

async function scheduledLabelled(hub: Hub) {
  const { instanceId } = await hub.run("labelled");
  return (await hub.history(instanceId)).filter(({ type }) => type === "TaskScheduled");
}

export const activities: Area = {
  orchestrators: {
    empty: async () => undefined,
    chain,
    fanOut,
    asksWho: async function* (context): Steps {
      return yield context.callActivity("whoAmI");
    },
    failing: async function* (context): Steps {
      return yield context.callActivity("fail");
    },
    forgiving,
    unknownActivity: async function* (context): Steps {
      return yield context.callActivity("nobodyHasThis");
    },
    retrying,
    choosy,
    handled,
    labelled,
  },
  activities: {
    addOne: (_context, input: number) => input + 1,
    square: async (_context, input: number) => input * input,
    whoAmI: ({ orchestrationId, taskId }) => ({ orchestrationId, taskId }),
    fail: () => {
      throw new RangeError("the reactor is too hot");
    },
    failUntil,
  },
  asked: {
    "an orchestration that does nothing completes without an output": (hub) => hub.run("empty"),
    "a chain hands each activity's result to the next": (hub) => hub.outputOf("chain", 2),
    "the results of a hundred activities come back in the order of the calls": (hub) =>
      hub.outputOf("fanOut", 100),
    "a fan-out over nothing completes": (hub) => hub.outputOf("fanOut", 0),
    "an activity is told its orchestration and its task id": (hub) => hub.run("asksWho"),
    "a failed activity fails the orchestration, and its text passes up": async (hub) => {
      const state = await hub.run("failing");
      const history = await hub.history(state.instanceId);
      const failed = history.flatMap((event) => {
        if (event.type !== "TaskFailed") return [];
        const { errorType, message, stackTrace } = event.failureDetails ?? {};
        const failureDetails = { errorType, message, stackTrace };
        return [{ taskScheduledId: event.taskScheduledId, failureDetails }];
      });
      return { state, failed };
    },
    "failure details are left out when payloads are not asked for": async (hub) => {
      const { instanceId } = await hub.run("failing");
      return hub.state(instanceId, false);
    },
    "an orchestration may catch a failure and go on": (hub) => hub.outputOf("forgiving"),
    "an activity that no worker has registered fails its task": (hub) => hub.run("unknownActivity"),
    "an orchestrator that no worker has registered fails": (hub) => hub.run("nobodyHasThisEither"),
    "a retry policy stops at the first attempt that succeeds": (hub) => retried(hub, "retrying", 3),
    "a retry policy of three attempts makes exactly three": (hub) => retried(hub, "retrying", 4),
    "each attempt and each pause between them is in the history": async (hub) => {
      const { instanceId } = await hub.run("retrying", 2);
      return hub.types(instanceId);
    },
    "a retry policy that refuses a failure makes one attempt": (hub) => retried(hub, "choosy"),
    "a retry handler decides after each attempt": (hub) => retried(hub, "handled"),
    "tags of an activity are in the history": scheduledLabelled,
    "the version of an activity is in the history": scheduledLabelled,
  },
};
