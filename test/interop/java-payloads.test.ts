import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const { scenario, testFor, cannot, ask, history } = await javaSuite("payloads");

const values = [
  null,
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
].map((value) => ({ value, text: JSON.stringify(value) }));

testFor(
  "$text passes through inputs, activities, children and outputs",
  values,
  async ({ value }) => {
    const states = await ask<ProgramState[]>("passThroughAll", value);
    for (const { input, output } of states) {
      expect([parsed(input), parsed(output)]).toEqual([value, value]);
    }
    expect(states.length).toBe(3);
  },
);

testFor("$text passes through an event", values, async ({ value }) => {
  const { output } = await ask<ProgramState>("passThroughEvent", value);
  expect(parsed(output)).toEqual(value);
});

scenario("no value is an empty input and no output", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", input: null, output: null }),
);

scenario("no value comes back from an activity and a child as no value", (states) => {
  const none = { status: "COMPLETED", output: null };
  expect(states).toMatchObject([none, none]);
});

scenario("a mebibyte passes through inputs, activities, children and outputs", (same) =>
  expect(same).toEqual([true, true, true]),
);

scenario("a mebibyte passes through an event", (same) => expect(same).toBe(true));

scenario<ProgramState>("a turn that answers with six mebibytes is taken", async (state) => {
  expect(state.output).toBe('"sent"');
  const scheduled = eventsOf(await history(state.instanceId), "taskScheduled");
  expect(scheduled.map(({ input }) => input?.length)).toEqual(
    Array.from({ length: 6 }, () => 1024 * 1024 + 2),
  );
});

cannot(
  "a history of six mebibytes is replayed by a worker without a limit, and read",
  "a sidecar takes its worker's limit for the 4 MiB that it has unless somebody knows better",
);

scenario("a payload that is too big is refused and names its limit", (refusal) =>
  expect(refusal).toMatchObject({ details: expect.stringMatching(/\d+/) }),
);

scenario("an activity's result that is too big fails its task, not the sidecar", (state) =>
  expect(state).toMatchObject({ status: "FAILED" }),
);
