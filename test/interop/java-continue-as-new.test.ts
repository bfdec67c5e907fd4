import { expect } from "vitest";
import { typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const { scenario, testFor, cannot, ask, history } = await javaSuite("continue-as-new");

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

cannot("tags and version stay over continue-as-new", "its client gives no tags");

scenario<ProgramState>(
  "every event of a storm is consumed once over fifty generations",
  (state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  },
);

cannot(
  "events of one caller keep their order over generations",
  "it carries them over in no order",
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

scenario("an event that an orchestration sends itself reaches its next generation", (output) =>
  expect(output).toBe("to my next life"),
);

scenario<ProgramState>("a parent hears of its child's last generation only", (state) =>
  expect(state.output).toBe("10"),
);

scenario<{ second: string; state: ProgramState }>(
  "a result for an earlier generation does not complete a task of this one",
  ({ second, state }) => expect(state.output).toBe(JSON.stringify(second)),
);

cannot("an orchestration continues as new in another version", "it keeps its version");
