import { expect } from "vitest";
import { parsed } from "../support/program-suite.ts";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, testFor, ask } = await pythonSuite("continue_as_new");

scenario("an orchestration starts anew ten times, and its last input is shown", (state) =>
  expect(state).toMatchObject({ output: "10", input: "10" }),
);

scenario("only the last generation is in the history", (types) =>
  expect(types).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]),
);

scenario("each generation may call children without choosing their ids", (output) =>
  expect(output).toBe(1024),
);

scenario<PythonEvent>("tags and version stay over continue-as-new", (started) =>
  expect(started).toMatchObject({
    type: "ExecutionStarted",
    version: "3",
    tags: { tenant: "a" },
  }),
);

scenario("an orchestration continues as new in another version", (facts) =>
  expect(facts).toMatchObject({
    state: { status: "COMPLETED", output: '"2"' },
    started: { type: "ExecutionStarted", version: "2" },
  }),
);

scenario<PythonState>("every event of a storm is consumed once over fifty generations", (state) => {
  const received = parsed(state.output) as number[];
  expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

scenario<PythonState>("events of one caller keep their order over generations", (state) =>
  expect(parsed(state.output)).toEqual(Array.from({ length: 20 }, (_, i) => i)),
);

testFor(
  "an event that was read and not used $fact",
  [
    { keep: true, read: "old", fact: "is carried over when events are kept" },
    { keep: false, read: "new", fact: "is gone when events are not kept" },
  ],
  async ({ keep, read }) => {
    const state = await ask<PythonState>("keep_events", keep);
    expect(state.output).toBe(JSON.stringify(read));
  },
);

scenario("an event that an orchestration sends itself reaches its next generation", (output) =>
  expect(output).toBe("to my next life"),
);

scenario<PythonState>("a parent hears of its child's last generation only", (state) =>
  expect(state.output).toBe("10"),
);

scenario<{ second: string; state: PythonState }>(
  "a result for an earlier generation does not complete a task of this one",
  ({ second, state }) => expect(state.output).toBe(JSON.stringify(second)),
);
