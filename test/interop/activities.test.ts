import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { cannot, facts, failureIn, programArea, typesIn } from "../support/program-area.ts";
import { type ProgramState, type PythonEvent, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("activities");

interface Retried {
  readonly state: ProgramState;
  readonly attempts: number;
}

const goHasNoPolicies = { go: cannot("it has no retry policies") };

scenario(
  "an orchestration that does nothing completes without an output",
  facts((state) =>
    expect(state).toMatchObject({ status: "COMPLETED", output: null, failure: null }),
  ),
);

scenario(
  "a chain hands each activity's result to the next",
  facts((output) => expect(output).toBe(10)),
);

scenario(
  "the results of a hundred activities come back in the order of the calls",
  facts((output) => expect(output).toEqual(Array.from({ length: 100 }, (_, i) => i * i))),
);

scenario(
  "a fan-out over nothing completes",
  facts((output) => expect(output).toEqual([])),
  { python: cannot("its when_all of no tasks never completes") },
);

scenario(
  "an activity is told its orchestration and its task id",
  facts<ProgramState>(({ instanceId, output }) =>
    expect(parsed(output)).toEqual({ orchestrationId: instanceId, taskId: 1 }),
  ),
  {
    java: cannot("an activity is told its name"),
    go: cannot("an activity is told neither of them"),
  },
);

const whatFails = {
  java: {
    orchestration: "com.microsoft.durabletask.TaskFailedException",
    message: expect.stringContaining("the reactor is too hot"),
    activity: "java.lang.ArithmeticException",
    stackTrace: expect.stringContaining("interop.Activities"),
  },
  go: {
    orchestration: "*errors.errorString",
    message: "task failed with an error: the reactor is too hot",
    activity: "*errors.errorString",
  },
};

const failsWithText = (language: keyof typeof whatFails) =>
  facts<ProgramState>(async (state, suite) => {
    const { orchestration, message, activity, ...more } = whatFails[language];
    expect(state.status).toBe("FAILED");
    expect(await failureIn(state, suite)).toEqual({ type: orchestration, message });
    expect(eventsOf(await suite.history(state.instanceId), "taskFailed")).toMatchObject([
      {
        taskScheduledId: 0,
        failureDetails: {
          errorType: activity,
          errorMessage: "the reactor is too hot",
          ...more,
        },
      },
    ]);
  });

scenario(
  "a failed activity fails the orchestration, and its text passes up",
  facts<{ state: ProgramState; failed: PythonEvent[] }>(({ state, failed }) => {
    expect(state).toMatchObject({
      status: "FAILED",
      failure: {
        type: "durabletask.task.TaskFailedError",
        message: expect.stringContaining("the reactor is too hot"),
      },
    });
    expect(failed).toMatchObject([
      {
        task_scheduled_id: 1,
        failure_details: {
          error_type: "builtins.ArithmeticError",
          message: "the reactor is too hot",
          stack_trace: expect.stringContaining("ArithmeticError"),
        },
      },
    ]);
  }),
  {
    javascript: facts<{ state: ProgramState; failed: unknown[] }>(({ state, failed }) => {
      const message = expect.stringContaining("the reactor is too hot");
      expect(state.status).toBe("FAILED");
      expect(state.failure).toEqual({ type: "TaskFailedError", message });
      expect(failed).toMatchObject([
        {
          taskScheduledId: 1,
          failureDetails: {
            errorType: "RangeError",
            message: "the reactor is too hot",
            stackTrace: expect.stringContaining("RangeError"),
          },
        },
      ]);
    }),
    java: failsWithText("java"),
    go: failsWithText("go"),
  },
);

scenario(
  "failure details are left out when payloads are not asked for",
  facts((state) => expect(state).toMatchObject({ status: "FAILED", failure: null })),
  { go: cannot("its client never gives failure details") },
);

scenario(
  "an orchestration may catch a failure and go on",
  facts((output) =>
    expect(output).toEqual({ caught: expect.stringContaining("the reactor is too hot"), after: 2 }),
  ),
);

scenario(
  "an activity that no worker has registered fails its task",
  facts<ProgramState>(async (state, suite) => {
    expect(state.status).toBe("FAILED");
    expect((await failureIn(state, suite))?.message).toContain("nobodyHasThis");
  }),
);

const failsLike = (failure: { type: string; message: unknown }) =>
  facts<ProgramState>(async (state, suite) => {
    expect(state.status).toBe("FAILED");
    expect(await failureIn(state, suite)).toMatchObject(failure);
  });

scenario(
  "an orchestrator that no worker has registered fails",
  failsLike({
    type: "durabletask.worker.OrchestratorNotRegisteredError",
    message: expect.stringContaining("nobodyHasThisEither"),
  }),
  {
    javascript: failsLike({
      type: "OrchestratorNotRegisteredError",
      message: expect.stringContaining("nobodyHasThisEither"),
    }),
    // The SDK looks it up and goes on without having found it.
    java: failsLike({
      type: "java.lang.NullPointerException",
      message: expect.stringContaining("TaskOrchestrationFactory"),
    }),
    go: failsLike({
      type: "*errors.errorString",
      message: "orchestrator named 'nobodyHasThisEither' is not registered",
    }),
  },
);

scenario(
  "a retry policy stops at the first attempt that succeeds",
  facts<Retried>(({ state, attempts }) => expect([state.output, attempts]).toEqual(["3", 3])),
  goHasNoPolicies,
);

scenario(
  "a retry policy of three attempts makes exactly three",
  facts<Retried>(({ state, attempts }) => {
    expect(state.status).toBe("FAILED");
    expect(state.failure?.message).toContain("attempt 3 failed");
    expect(attempts).toBe(3);
  }),
  goHasNoPolicies,
);

scenario(
  "each attempt and each pause between them is in the history",
  facts<readonly string[] | Retried>(async (seen, suite) =>
    expect(await typesIn("state" in seen ? seen.state : seen, suite)).toEqual([
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
    ]),
  ),
  goHasNoPolicies,
);

scenario(
  "a retry policy that refuses a failure makes one attempt",
  facts<Retried>(({ state, attempts }) => expect([state.status, attempts]).toEqual(["FAILED", 1])),
  {
    ...goHasNoPolicies,
    python: cannot("its policies have no condition"),
    java: cannot("its policies have no condition"),
  },
);

scenario(
  "a retry handler decides after each attempt",
  facts<Retried>(({ state, attempts }) => expect([state.output, attempts]).toEqual(["5", 5])),
  { python: cannot("it takes policies only"), go: cannot("it has no retry handlers") },
);

const addsOne = { name: "addOne", input: "1", tags: { colour: "red" } };

scenario(
  "tags of an activity are in the history",
  facts((scheduled) => expect(scheduled).toMatchObject([{ ...addsOne, eventId: 1 }])),
  {
    python: facts((scheduled) =>
      expect(scheduled).toMatchObject([{ ...addsOne, name: "add_one", event_id: 1 }]),
    ),
    java: cannot("callActivity takes no tags"),
    go: cannot("CallActivity takes no tags"),
  },
);

scenario(
  "the version of an activity is in the history",
  facts((scheduled) => expect(scheduled).toMatchObject([{ name: "addOne", version: "7" }])),
  {
    python: cannot("call_activity takes no version"),
    java: cannot("callActivity takes no version"),
    go: cannot("CallActivity takes no version"),
  },
);
