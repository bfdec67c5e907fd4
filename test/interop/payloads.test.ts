import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { cannot, facts, type ProgramSuite, programArea, rows } from "../support/program-area.ts";
import { type ProgramState, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("payloads");

const MEBIBYTE = 1024 * 1024;

const tableOf = (values: readonly unknown[]) =>
  values.map((value) => ({ value, text: JSON.stringify(value) }));

// Values that JSON has, but for null.
const values = tableOf([
  0,
  -1,
  1.5,
  "",
  "text",
  "\u0000 \u2028 \ud83d\ude00",
  false,
  true,
  [],
  {},
  [null],
  { a: "" },
]);
// In Python None is no value.
const valuesAndNull = [...tableOf([null]), ...values];

async function passesThroughAll({ value }: { value: unknown }, { ask }: ProgramSuite) {
  const states = await ask<ProgramState[]>("passThroughAll", value);
  for (const { input, output } of states) {
    expect([parsed(input), parsed(output)]).toEqual([value, value]);
  }
  expect(states.length).toBe(3);
}

async function passesThroughEvent({ value }: { value: unknown }, { ask }: ProgramSuite) {
  const { output } = await ask<ProgramState>("passThroughEvent", value);
  expect(parsed(output)).toEqual(value);
}

scenario(
  "$text passes through inputs, activities, children and outputs",
  rows(valuesAndNull, passesThroughAll),
  { python: rows(values, passesThroughAll) },
);

scenario("$text passes through an event", rows(valuesAndNull, passesThroughEvent), {
  python: rows(values, passesThroughEvent),
});

const none = { status: "COMPLETED", output: null };

scenario(
  "no value is an empty input and no output",
  facts((state) => expect(state).toMatchObject({ ...none, input: null })),
  { javascript: facts((state) => expect(state).toMatchObject({ ...none, input: "" })) },
);

scenario(
  "no value comes back from an activity and a child as no value",
  facts((states) => expect(states).toMatchObject([none, none])),
);

scenario(
  "a mebibyte passes through inputs, activities, children and outputs",
  facts((same) => expect(same).toEqual([true, true, true])),
);

scenario(
  "a mebibyte passes through an event",
  facts((same) => expect(same).toBe(true)),
);

const sixMebibytes = Array.from({ length: 6 }, () => MEBIBYTE + 2);

scenario(
  "a turn that answers with six mebibytes is taken",
  facts<ProgramState>(async ({ status, output, instanceId }, { history }) => {
    expect([status, output]).toEqual(["COMPLETED", '"sent"']);
    const scheduled = eventsOf(await history(instanceId), "taskScheduled");
    expect(scheduled.map(({ input }) => input?.length)).toEqual(sixMebibytes);
  }),
  {
    python: facts((seen) =>
      expect(seen).toMatchObject({
        state: { status: "COMPLETED", output: '"sent"' },
        inputs: sixMebibytes,
      }),
    ),
  },
);

const fourMebibytes = cannot(
  "a sidecar takes its worker's limit for the 4 MiB that it has unless somebody knows better",
);

scenario(
  "a history of six mebibytes is replayed by a worker without a limit, and read",
  facts((seen) => expect(seen).toEqual({ output: String(6 * MEBIBYTE), results: sixMebibytes })),
  { python: fourMebibytes, java: fourMebibytes, go: fourMebibytes },
);

scenario(
  "a payload that is too big is refused and names its limit",
  facts((refusal) => expect(refusal).toMatchObject({ details: expect.stringMatching(/\d+/) })),
);

scenario(
  "an activity's result that is too big fails its task, not the sidecar",
  facts((state) => expect(state).toMatchObject({ status: "FAILED" })),
);
