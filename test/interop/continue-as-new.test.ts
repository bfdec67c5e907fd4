import { expect } from "vitest";
import { cannot, facts, programArea, rows, typesIn } from "../support/program-area.ts";
import { type ProgramState, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("continue-as-new");

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

scenario(
  "an orchestration starts anew ten times, and its last input is shown",
  facts((state) => expect(state).toMatchObject({ output: "10", input: "10" })),
);

scenario(
  "only the last generation is in the history",
  facts<readonly string[] | ProgramState>(async (seen, suite) =>
    expect(await typesIn(seen, suite)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "executionCompleted",
    ]),
  ),
);

scenario(
  "each generation may call children without choosing their ids",
  facts((output) => expect(output).toBe(1024)),
);

scenario(
  "tags and version stay over continue-as-new",
  facts((started) =>
    expect(started).toMatchObject({
      type: "ExecutionStarted",
      version: "3",
      tags: { tenant: "a" },
    }),
  ),
  {
    java: cannot("its client gives no tags"),
    go: cannot("its client gives neither tags nor a version"),
  },
);

scenario(
  "an orchestration continues as new in another version",
  facts((seen) =>
    expect(seen).toMatchObject({
      state: { status: "COMPLETED", output: '"2"' },
      started: { type: "ExecutionStarted", version: "2" },
    }),
  ),
  {
    javascript: cannot("it keeps its version"),
    java: cannot("it keeps its version"),
    go: cannot("ContinueAsNew takes no version"),
  },
);

scenario(
  "every event of a storm is consumed once over fifty generations",
  facts<ProgramState>((state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(upTo(50));
  }),
);

scenario(
  "events of one caller keep their order over generations",
  facts<ProgramState>((state) => expect(parsed(state.output)).toEqual(upTo(20))),
  { java: cannot("it carries them over in no order") },
);

scenario(
  "an event that was read and not used $fact",
  rows(
    [
      { keep: true, read: "old", fact: "is carried over when events are kept" },
      { keep: false, read: "new", fact: "is gone when events are not kept" },
    ],
    async ({ keep, read }, { ask }) => {
      const state = await ask<ProgramState>("keepEvents", keep);
      expect(state.output).toBe(JSON.stringify(read));
    },
  ),
);

scenario(
  "an event that an orchestration sends itself reaches its next generation",
  facts((output) => expect(output).toBe("to my next life")),
  { go: cannot("its orchestrators send no events") },
);

scenario(
  "a parent hears of its child's last generation only",
  facts<ProgramState>((state) => expect(state.output).toBe("10")),
);

scenario(
  "a result for an earlier generation does not complete a task of this one",
  facts<{ second: string; state: ProgramState }>(({ second, state }) =>
    expect(state.output).toBe(JSON.stringify(second)),
  ),
);
