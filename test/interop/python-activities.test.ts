import { expect } from "vitest";
import { parsed } from "../support/program-suite.ts";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, cannot } = await pythonSuite("activities");

interface Retried {
  readonly state: PythonState;
  readonly attempts: number;
}

scenario<PythonState>("an orchestration that does nothing completes without an output", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", output: null, failure: null }),
);

scenario("a chain hands each activity's result to the next", (output) => expect(output).toBe(10));

scenario("the results of a hundred activities come back in the order of the calls", (output) =>
  expect(output).toEqual(Array.from({ length: 100 }, (_, i) => i * i)),
);

cannot("a fan-out over nothing completes", "its when_all of no tasks never completes");

scenario<PythonState>("an activity is told its orchestration and its task id", (state) =>
  expect(parsed(state.output)).toEqual({ orchestrationId: state.instanceId, taskId: 1 }),
);

scenario<{ state: PythonState; failed: PythonEvent[] }>(
  "a failed activity fails the orchestration, and its text passes up",
  ({ state, failed }) => {
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
  },
);

scenario<PythonState>("failure details are left out when payloads are not asked for", (state) =>
  expect(state).toMatchObject({ status: "FAILED", failure: null }),
);

scenario("an orchestration may catch a failure and go on", (output) =>
  expect(output).toEqual({ caught: expect.stringContaining("the reactor is too hot"), after: 2 }),
);

scenario("an activity that no worker has registered fails its task", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: { message: expect.stringContaining("nobody_has_this") },
  }),
);

scenario("an orchestrator that no worker has registered fails", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: {
      type: "durabletask.worker.OrchestratorNotRegisteredError",
      message: expect.stringContaining("nobody_has_this_either"),
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
  expect(state.failure?.message).toContain("attempt 3 failed");
  expect(attempts).toBe(3);
});

scenario("each attempt and each pause between them is in the history", (types) =>
  expect(types).toEqual([
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
  ]),
);

cannot("a retry policy that refuses a failure makes one attempt", "its policies have no condition");
cannot("a retry handler decides after each attempt", "it takes policies only");

scenario("tags of an activity are in the history", (scheduled) =>
  expect(scheduled).toMatchObject([
    { event_id: 1, name: "add_one", input: "1", tags: { colour: "red" } },
  ]),
);

cannot("the version of an activity is in the history", "call_activity takes no version");
