import { expect } from "vitest";
import { eventsOf, typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, present } from "../support/program-suite.ts";

const { scenario, cannot, history } = await javaSuite("activities");

interface Retried {
  readonly state: ProgramState;
  readonly attempts: number;
}

scenario<ProgramState>("an orchestration that does nothing completes without an output", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", output: null, failure: null }),
);

scenario("a chain hands each activity's result to the next", (output) => expect(output).toBe(10));

scenario("the results of a hundred activities come back in the order of the calls", (output) =>
  expect(output).toEqual(Array.from({ length: 100 }, (_, i) => i * i)),
);

scenario("a fan-out over nothing completes", (output) => expect(output).toEqual([]));

cannot("an activity is told its orchestration and its task id", "an activity is told its name");

scenario<ProgramState>(
  "a failed activity fails the orchestration, and its text passes up",
  async (state) => {
    expect(state).toMatchObject({
      status: "FAILED",
      failure: {
        type: "com.microsoft.durabletask.TaskFailedException",
        message: expect.stringContaining("the reactor is too hot"),
      },
    });
    expect(eventsOf(await history(state.instanceId), "taskFailed")).toMatchObject([
      {
        taskScheduledId: 0,
        failureDetails: {
          errorType: "java.lang.ArithmeticException",
          errorMessage: "the reactor is too hot",
          stackTrace: expect.stringContaining("interop.Activities"),
        },
      },
    ]);
  },
);

scenario("failure details are left out when payloads are not asked for", (state) =>
  expect(state).toMatchObject({ status: "FAILED", failure: null }),
);

scenario("an orchestration may catch a failure and go on", (output) =>
  expect(output).toEqual({ caught: expect.stringContaining("the reactor is too hot"), after: 2 }),
);

scenario("an activity that no worker has registered fails its task", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: { message: expect.stringContaining("nobodyHasThis") },
  }),
);

// The SDK looks it up and goes on without having found it.
scenario("an orchestrator that no worker has registered fails", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: {
      type: "java.lang.NullPointerException",
      message: expect.stringContaining("TaskOrchestrationFactory"),
    },
  }),
);

scenario<Retried>(
  "a retry policy stops at the first attempt that succeeds",
  ({ state, attempts }) => {
    expect(state.output).toBe("3");
    expect(attempts).toBe(3);
  },
);

scenario<Retried>("a retry policy of three attempts makes exactly three", ({ state, attempts }) => {
  expect(state.status).toBe("FAILED");
  expect(present(state.failure).message).toContain("attempt 3 failed");
  expect(attempts).toBe(3);
});

scenario<Retried>(
  "each attempt and each pause between them is in the history",
  async ({ state }) => {
    expect(typesOf(await history(state.instanceId))).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskFailed",
      "timerCreated",
      "orchestratorStarted",
      "timerFired",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "executionCompleted",
    ]);
  },
);

cannot("a retry policy that refuses a failure makes one attempt", "its policies have no condition");

scenario<Retried>("a retry handler decides after each attempt", ({ state, attempts }) => {
  expect(state.output).toBe("5");
  expect(attempts).toBe(5);
});

cannot("tags of an activity are in the history", "callActivity takes no tags");
cannot("the version of an activity is in the history", "callActivity takes no version");
