import { expect } from "vitest";
import { cannot, facts, programArea, typesIn } from "../support/program-area.ts";
import { type ProgramState, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("control");

interface Unchanged {
  readonly before: ProgramState;
  readonly after: ProgramState;
}

scenario(
  "an event raised while suspended is delivered after the resume, not before",
  facts((seen) =>
    expect(seen).toMatchObject({
      statuses: ["SUSPENDED", "SUSPENDED"],
      waits: true,
      state: { output: "5" },
    }),
  ),
);

scenario(
  "a resumed orchestration that waits is running",
  facts((status) => expect(status).toBe("RUNNING")),
);

scenario(
  "events raised while suspended keep their order",
  facts<ProgramState>((state) => expect(parsed(state.output)).toEqual([1, 2, 3])),
);

scenario(
  "an activity's result that comes while suspended is used after the resume",
  facts<{ gate: string }>(({ gate, ...seen }) =>
    expect(seen).toMatchObject({ waits: true, state: { output: JSON.stringify(gate) } }),
  ),
);

scenario(
  "a timer that fires while suspended is used after the resume",
  facts((seen) => expect(seen).toMatchObject({ waits: true, state: { output: '"rested"' } })),
);

scenario(
  "events of a storm are each consumed once while it is suspended and resumed",
  facts<ProgramState>((state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
  }),
);

scenario(
  "the history shows one suspension and one resumption, however often they are asked for",
  facts<readonly string[] | ProgramState>(async (seen, suite) =>
    expect(await typesIn(seen, suite)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionSuspended",
      "executionResumed",
      "orchestratorStarted",
      "eventRaised",
      "executionCompleted",
    ]),
  ),
);

scenario(
  "suspending, resuming or terminating a completed orchestration changes nothing",
  facts<Unchanged>(({ before, after }) => {
    expect(before.status).toBe("COMPLETED");
    expect(after).toEqual(before);
  }),
);

scenario(
  "suspending, resuming or terminating an unknown instance is NOT_FOUND",
  facts((refusals) => {
    const notFound = { code: "NOT_FOUND" };
    expect(refusals).toMatchObject([notFound, notFound, notFound]);
  }),
);

scenario(
  "a running orchestration is terminated with the output it is given",
  facts<ProgramState>((state) => {
    expect(state).toMatchObject({ status: "TERMINATED", failure: null });
    expect(parsed(state.output)).toEqual({ reason: "enough" });
  }),
);

scenario(
  "the first of two terminations wins",
  facts<ProgramState>((state) => expect(state.output).toBe('"first"')),
);

scenario(
  "a suspended orchestration is terminated",
  facts((state) => expect(state).toMatchObject({ status: "TERMINATED", output: '"stopped"' })),
);

scenario(
  "an orchestration that waits for an activity is terminated at once",
  facts<Unchanged>(({ before, after }) => {
    expect(before.status).toBe("TERMINATED");
    expect(after).toEqual(before);
  }),
);

scenario(
  "an orchestration that no worker has seen is suspended, resumed and terminated",
  facts((seen) =>
    expect(seen).toMatchObject({
      statuses: ["PENDING", "SUSPENDED", "PENDING"],
      state: { status: "TERMINATED", output: '"never ran"' },
    }),
  ),
);

const terminated = { status: "TERMINATED", output: '"all of you"' };

scenario(
  "a recursive termination ends the children too",
  facts((states) => expect(states).toMatchObject([terminated, terminated, terminated])),
  { java: cannot("terminate has no such option") },
);

scenario(
  "a termination that is not recursive leaves the children running",
  facts((seen) => {
    const completed = { status: "COMPLETED", output: '"on"' };
    expect(seen).toMatchObject({
      parent: { status: "TERMINATED", output: '"only you"' },
      statuses: ["RUNNING", "RUNNING"],
      children: [completed, completed],
    });
  }),
);
