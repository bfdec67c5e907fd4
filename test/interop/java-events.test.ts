import { expect } from "vitest";
import { eventsOf, typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const { scenario, history } = await javaSuite("events");
const upToHundred = Array.from({ length: 100 }, (_, i) => i);

scenario<number>("a timer does not fire before its time", (seconds) =>
  expect(seconds).toBeGreaterThanOrEqual(0.25),
);

scenario("a timer of the past fires at once", (output) => expect(output).toBe("awake"));

scenario("two hundred timers of one orchestration all fire", (output) => expect(output).toBe(200));

scenario<ProgramState>("an event that is waited for completes the wait", (state) =>
  expect(parsed(state.output)).toEqual({ by: "nadia" }),
);

scenario<ProgramState>("events raised before they are waited for are kept, in order", (state) =>
  expect(parsed(state.output)).toEqual([1, 2]),
);

scenario("an event raised before the scheduled start is kept", (facts) =>
  expect(facts).toMatchObject({ status: "PENDING", state: { output: '"bird"' } }),
);

scenario<ProgramState>(
  "names of events are compared without case, and stored as they came",
  async ({ output, instanceId }) => {
    expect(parsed(output)).toEqual([7, 8]);
    const raised = eventsOf(await history(instanceId), "eventRaised");
    expect(raised.map(({ name }) => name)).toEqual(["ITEM", "iteM"]);
  },
);

scenario<ProgramState>("a hundred events raised at once all arrive", (state) => {
  const received = parsed(state.output) as number[];
  expect(received.toSorted((a, b) => a - b)).toEqual(upToHundred);
});

scenario<ProgramState>("a hundred events of different names complete a hundred waits", (state) =>
  expect(parsed(state.output)).toEqual(upToHundred),
);

scenario<ProgramState>("events raised one after the other arrive in that order", (state) =>
  expect(parsed(state.output)).toEqual(upToHundred.slice(0, 20)),
);

scenario("a timer wins the race against an event that never comes", (output) =>
  expect(output).toBe("timer"),
);

scenario<ProgramState>("an event wins the race against a timer of an hour", (state) =>
  expect(state.output).toBe('"event"'),
);

scenario<ProgramState>("an event wins the race against a timer of thirty days", (state) =>
  expect(state.output).toBe('"event"'),
);

// The SDK has no text for null: what it read as null is an output that is not there.
scenario("an event without data is read as null", (state) =>
  expect(state).toMatchObject({ status: "COMPLETED", output: null }),
);

scenario("raising an event of an unknown instance is NOT_FOUND", (refusal) =>
  expect(refusal).toMatchObject({ code: "NOT_FOUND" }),
);

scenario<{ before: ProgramState; after: ProgramState }>(
  "an event of a completed instance is dropped without an error",
  ({ before, after }) => {
    expect(before.status).toBe("COMPLETED");
    expect(after).toEqual(before);
  },
);

scenario<{ listener: ProgramState; sender: ProgramState }>(
  "an orchestration sends an event to another one",
  async ({ listener, sender }) => {
    expect(parsed(listener.output)).toEqual({ from: "a friend" });
    const sent = { name: "item", instanceId: listener.instanceId, input: '{"from":"a friend"}' };
    // The SDK does not know the event's confirmation, and sends it again in the second turn.
    expect(eventsOf(await history(sender.instanceId), "eventSent")).toMatchObject([sent, sent]);
  },
);

scenario<ProgramState>("an orchestration that sends an event and ends has sent it", (state) =>
  expect(state.output).toBe('"the last word"'),
);

scenario<ProgramState>(
  "an event sent to nobody is dropped and its sender goes on",
  async ({ output, instanceId }) => {
    expect(output).toBe('"sent"');
    expect(typesOf(await history(instanceId))).toContain("eventSent");
  },
);
