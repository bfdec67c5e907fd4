import { expect } from "vitest";
import { goSuite } from "../support/go-sdk-suite.ts";
import { typesOf } from "../support/history-events.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const { scenario, testFor, cannot, ask, history } = await goSuite("continue-as-new");

scenario("an orchestration starts anew ten times, and its last input is shown", (state) =>
  expect(state).toMatchObject({ output: "10", input: "10" }),
);

scenario<ProgramState>("only the last generation is in the history", async ({ instanceId }) =>
  expect(typesOf(await history(instanceId))).toEqual([
    "orchestratorStarted",
    "executionStarted",
    "taskScheduled",
    "orchestratorStarted",
    "taskCompleted",
    "executionCompleted",
  ]),
);

scenario("each generation may call children without choosing their ids", (output) =>
  expect(output).toBe(1024),
);

cannot("tags and version stay over continue-as-new", "its client gives neither tags nor a version");

cannot("an orchestration continues as new in another version", "ContinueAsNew takes no version");

scenario<ProgramState>(
  "every event of a storm is consumed once over fifty generations",
  (state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  },
);

scenario<ProgramState>("events of one caller keep their order over generations", (state) =>
  expect(parsed(state.output)).toEqual(Array.from({ length: 20 }, (_, i) => i)),
);

testFor(
  "an event that was read and not used $fact",
  [
    { keep: true, read: "old", fact: "is carried over when events are kept" },
    { keep: false, read: "new", fact: "is gone when events are not kept" },
  ],
  async ({ keep, read }) => {
    const state = await ask<ProgramState>("keepEvents", keep);
    expect(state.output).toBe(JSON.stringify(read));
  },
);

cannot(
  "an event that an orchestration sends itself reaches its next generation",
  "its orchestrators send no events",
);

scenario<ProgramState>("a parent hears of its child's last generation only", (state) =>
  expect(state.output).toBe("10"),
);

scenario<{ second: string; state: ProgramState }>(
  "a result for an earlier generation does not complete a task of this one",
  ({ second, state }) => expect(state.output).toBe(JSON.stringify(second)),
);
