import { expect } from "vitest";
import { parsed } from "../support/program-suite.ts";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario } = await pythonSuite("events");
const upToHundred = Array.from({ length: 100 }, (_, i) => i);

scenario<number>("a timer does not fire before its time", (seconds) =>
  expect(seconds).toBeGreaterThanOrEqual(0.25),
);

scenario("a timer of the past fires at once", (output) => expect(output).toBe("awake"));

scenario("two hundred timers of one orchestration all fire", (output) => expect(output).toBe(200));

scenario<PythonState>("an event that is waited for completes the wait", (state) =>
  expect(parsed(state.output)).toEqual({ by: "nadia" }),
);

scenario<PythonState>("events raised before they are waited for are kept, in order", (state) =>
  expect(parsed(state.output)).toEqual([1, 2]),
);

scenario("an event raised before the scheduled start is kept", (facts) =>
  expect(facts).toMatchObject({ status: "PENDING", state: { output: '"bird"' } }),
);

scenario("names of events are compared without case, and stored as they came", (facts) =>
  expect(facts).toMatchObject({ state: { output: "7" }, names: ["GOahead"] }),
);

scenario<PythonState>("a hundred events raised at once all arrive", (state) => {
  const received = parsed(state.output) as number[];
  expect(received.toSorted((a, b) => a - b)).toEqual(upToHundred);
});

scenario<PythonState>("a hundred events of different names complete a hundred waits", (state) =>
  expect(parsed(state.output)).toEqual(upToHundred),
);

scenario<PythonState>("events raised one after the other arrive in that order", (state) =>
  expect(parsed(state.output)).toEqual(upToHundred.slice(0, 20)),
);

scenario("a timer wins the race against an event that never comes", (output) =>
  expect(output).toBe("timer"),
);

scenario<PythonState>("an event wins the race against a timer of an hour", (state) =>
  expect(state.output).toBe('"event"'),
);

scenario<PythonState>("an event wins the race against a timer of thirty days", (state) =>
  expect(state.output).toBe('"event"'),
);

// The SDK has no text for null: what it read as None is an output that is not there.
scenario("an event without data is read as null", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", output: null }),
);

scenario("raising an event of an unknown instance is NOT_FOUND", (refusal) =>
  expect(refusal).toMatchObject({ code: "NOT_FOUND" }),
);

scenario<{ before: PythonState; after: PythonState }>(
  "an event of a completed instance is dropped without an error",
  ({ before, after }) => {
    expect(before.status).toBe("COMPLETED");
    expect(after).toEqual(before);
  },
);

scenario<{ listener: PythonState; sent: PythonEvent[] }>(
  "an orchestration sends an event to another one",
  ({ listener, sent }) => {
    expect(parsed(listener.output)).toEqual({ from: "a friend" });
    expect(sent).toMatchObject([
      {
        event_id: 1,
        name: "ITEM",
        instance_id: listener.instanceId,
        input: '{"from": "a friend"}',
      },
    ]);
  },
);

scenario<PythonState>("an orchestration that sends an event and ends has sent it", (state) =>
  expect(state.output).toBe('"the last word"'),
);

scenario<{ state: PythonState; types: string[] }>(
  "an event sent to nobody is dropped and its sender goes on",
  ({ state, types }) => {
    expect(state.output).toBe('"sent"');
    expect(types).toContain("EventSent");
  },
);
