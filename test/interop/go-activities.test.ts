import { expect } from "vitest";
import { failureOf, goSuite } from "../support/go-sdk-suite.ts";
import { eventsOf } from "../support/history-events.ts";
import type { ProgramState } from "../support/program-suite.ts";

const suite = await goSuite("activities");
const { scenario, cannot, history } = suite;
const noRetries = "it has no retry policies";

scenario<ProgramState>("an orchestration that does nothing completes without an output", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", output: null }),
);

scenario("a chain hands each activity's result to the next", (output) => expect(output).toBe(10));

scenario("the results of a hundred activities come back in the order of the calls", (output) =>
  expect(output).toEqual(Array.from({ length: 100 }, (_, i) => i * i)),
);

scenario("a fan-out over nothing completes", (output) => expect(output).toEqual([]));

cannot(
  "an activity is told its orchestration and its task id",
  "an activity is told neither of them",
);

scenario<ProgramState>(
  "a failed activity fails the orchestration, and its text passes up",
  async ({ status, instanceId }) => {
    expect(status).toBe("FAILED");
    expect(await failureOf(suite, instanceId)).toMatchObject({
      errorType: "*errors.errorString",
      errorMessage: "task failed with an error: the reactor is too hot",
    });
    expect(eventsOf(await history(instanceId), "taskFailed")).toMatchObject([
      {
        taskScheduledId: 0,
        failureDetails: {
          errorType: "*errors.errorString",
          errorMessage: "the reactor is too hot",
        },
      },
    ]);
  },
);

cannot(
  "failure details are left out when payloads are not asked for",
  "its client never gives failure details",
);

scenario("an orchestration may catch a failure and go on", (output) =>
  expect(output).toEqual({ caught: expect.stringContaining("the reactor is too hot"), after: 2 }),
);

scenario<ProgramState>(
  "an activity that no worker has registered fails its task",
  async ({ status, instanceId }) => {
    expect(status).toBe("FAILED");
    expect((await failureOf(suite, instanceId))?.errorMessage).toContain("nobodyHasThis");
  },
);

scenario<ProgramState>(
  "an orchestrator that no worker has registered fails",
  async ({ status, instanceId }) => {
    expect(status).toBe("FAILED");
    expect((await failureOf(suite, instanceId))?.errorMessage).toBe(
      "orchestrator named 'nobodyHasThisEither' is not registered",
    );
  },
);

cannot("a retry policy stops at the first attempt that succeeds", noRetries);
cannot("a retry policy of three attempts makes exactly three", noRetries);
cannot("each attempt and each pause between them is in the history", noRetries);
cannot("a retry policy that refuses a failure makes one attempt", noRetries);
cannot("a retry handler decides after each attempt", "it has no retry handlers");
cannot("tags of an activity are in the history", "CallActivity takes no tags");
cannot("the version of an activity is in the history", "CallActivity takes no version");
