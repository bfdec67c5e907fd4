import { expect } from "vitest";
import { typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const { scenario, cannot, history } = await javaSuite("control");

interface Unchanged {
  readonly before: ProgramState;
  readonly after: ProgramState;
}

scenario<{ statuses: string[]; waits: boolean; state: ProgramState }>(
  "an event raised while suspended is delivered after the resume, not before",
  ({ statuses, waits, state }) => {
    expect(statuses).toEqual(["SUSPENDED", "SUSPENDED"]);
    expect(waits).toBe(true);
    expect(state.output).toBe("5");
  },
);

scenario("a resumed orchestration that waits is running", (status) =>
  expect(status).toBe("RUNNING"),
);

scenario<ProgramState>("events raised while suspended keep their order", (state) =>
  expect(parsed(state.output)).toEqual([1, 2, 3]),
);

scenario<{ gate: string; waits: boolean; state: ProgramState }>(
  "an activity's result that comes while suspended is used after the resume",
  ({ gate, waits, state }) => {
    expect(waits).toBe(true);
    expect(state.output).toBe(JSON.stringify(gate));
  },
);

scenario<{ waits: boolean; state: ProgramState }>(
  "a timer that fires while suspended is used after the resume",
  ({ waits, state }) => {
    expect(waits).toBe(true);
    expect(state.output).toBe('"rested"');
  },
);

scenario<ProgramState>(
  "events of a storm are each consumed once while it is suspended and resumed",
  (state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
  },
);

scenario<ProgramState>(
  "the history shows one suspension and one resumption, however often they are asked for",
  async ({ instanceId }) =>
    expect(typesOf(await history(instanceId))).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionSuspended",
      "executionResumed",
      "orchestratorStarted",
      "eventRaised",
      "executionCompleted",
    ]),
);

scenario<Unchanged>(
  "suspending, resuming or terminating a completed orchestration changes nothing",
  ({ before, after }) => {
    expect(before.status).toBe("COMPLETED");
    expect(after).toEqual(before);
  },
);

scenario("suspending, resuming or terminating an unknown instance is NOT_FOUND", (refusals) => {
  const notFound = { code: "NOT_FOUND" };
  expect(refusals).toMatchObject([notFound, notFound, notFound]);
});

scenario<ProgramState>(
  "a running orchestration is terminated with the output it is given",
  (state) => {
    expect(state).toMatchObject({ status: "TERMINATED", failure: null });
    expect(parsed(state.output)).toEqual({ reason: "enough" });
  },
);

scenario<ProgramState>("the first of two terminations wins", (state) =>
  expect(state.output).toBe('"first"'),
);

scenario("a suspended orchestration is terminated", (state) =>
  expect(state).toMatchObject({ status: "TERMINATED", output: '"stopped"' }),
);

scenario<Unchanged>(
  "an orchestration that waits for an activity is terminated at once",
  ({ before, after }) => {
    expect(before.status).toBe("TERMINATED");
    expect(after).toEqual(before);
  },
);

scenario("an orchestration that no worker has seen is suspended, resumed and terminated", (facts) =>
  expect(facts).toMatchObject({
    statuses: ["PENDING", "SUSPENDED", "PENDING"],
    state: { status: "TERMINATED", output: '"never ran"' },
  }),
);

cannot("a recursive termination ends the children too", "terminate has no such option");

scenario("a termination that is not recursive leaves the children running", (facts) => {
  const completed = { status: "COMPLETED", output: '"on"' };
  expect(facts).toMatchObject({
    parent: { status: "TERMINATED", output: '"only you"' },
    statuses: ["RUNNING", "RUNNING"],
    children: [completed, completed],
  });
});
