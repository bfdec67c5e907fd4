import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { cannot, facts, programArea, typesIn } from "../support/program-area.ts";
import { type ProgramState, type PythonEvent, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("events");

const upToHundred = Array.from({ length: 100 }, (_, i) => i);
const goSendsNone = { go: cannot("its orchestrators send no events") };

const hasOutput = (output: unknown) =>
  facts<ProgramState>((state) => expect(parsed(state.output)).toEqual(output));

scenario(
  "a timer does not fire before its time",
  facts<number>((seconds) => expect(seconds).toBeGreaterThanOrEqual(0.25)),
);

scenario(
  "a timer of the past fires at once",
  facts((output) => expect(output).toBe("awake")),
);

scenario(
  "two hundred timers of one orchestration all fire",
  facts((output) => expect(output).toBe(200)),
);

scenario("an event that is waited for completes the wait", hasOutput({ by: "nadia" }));

scenario("events raised before they are waited for are kept, in order", hasOutput([1, 2]));

scenario(
  "an event raised before the scheduled start is kept",
  facts((seen) => expect(seen).toMatchObject({ status: "PENDING", state: { output: '"bird"' } })),
);

const receivesBoth = facts<ProgramState>(async ({ output, instanceId }, { history }) => {
  expect(parsed(output)).toEqual([7, 8]);
  const raised = eventsOf(await history(instanceId), "eventRaised");
  expect(raised.map(({ name }) => name)).toEqual(["ITEM", "iteM"]);
});

// Those of JavaScript and Python show that an event which is waited for already is found too.
scenario(
  "names of events are compared without case, and stored as they came",
  facts((seen) => expect(seen).toMatchObject({ state: { output: "7" }, names: ["GOahead"] })),
  { java: receivesBoth, go: receivesBoth },
);

scenario(
  "a hundred events raised at once all arrive",
  facts<ProgramState>((state) => {
    const received = parsed(state.output) as number[];
    expect(received.toSorted((a, b) => a - b)).toEqual(upToHundred);
  }),
);

scenario("a hundred events of different names complete a hundred waits", hasOutput(upToHundred));

scenario(
  "events raised one after the other arrive in that order",
  hasOutput(upToHundred.slice(0, 20)),
);

scenario(
  "a timer wins the race against an event that never comes",
  facts((output) => expect(output).toBe("timer")),
);

scenario("an event wins the race against a timer of an hour", hasOutput("event"));

scenario("an event wins the race against a timer of thirty days", hasOutput("event"));

scenario(
  "an event without data is read as null",
  // These SDKs have no text for null: what they read as null is an output that is not there.
  facts((state) => expect(state).toMatchObject({ status: "COMPLETED", output: null })),
  {
    javascript: facts((state) =>
      expect(state).toMatchObject({ status: "COMPLETED", output: "null" }),
    ),
  },
);

scenario(
  "raising an event of an unknown instance is NOT_FOUND",
  facts((refusal) => expect(refusal).toMatchObject({ code: "NOT_FOUND" })),
);

scenario(
  "an event of a completed instance is dropped without an error",
  facts<{ before: ProgramState; after: ProgramState }>(({ before, after }) => {
    expect(before.status).toBe("COMPLETED");
    expect(after).toEqual(before);
  }),
);

scenario(
  "an orchestration sends an event to another one",
  facts<{ listener: ProgramState; sent: PythonEvent[] }>(({ listener, sent }) => {
    expect(parsed(listener.output)).toEqual({ from: "a friend" });
    const { instanceId } = listener;
    expect(sent).toMatchObject([
      { event_id: 1, name: "ITEM", instance_id: instanceId, input: '{"from": "a friend"}' },
    ]);
  }),
  {
    ...goSendsNone,
    javascript: facts<{ listener: ProgramState; sent: unknown[] }>(({ listener, sent }) => {
      expect(parsed(listener.output)).toEqual({ from: "a friend" });
      const { instanceId } = listener;
      expect(sent).toMatchObject([
        { eventId: 1, name: "ITEM", instanceId, input: '{"from":"a friend"}' },
      ]);
    }),
    java: facts<{ listener: ProgramState; sender: ProgramState }>(
      async ({ listener, sender }, { history }) => {
        expect(parsed(listener.output)).toEqual({ from: "a friend" });
        const { instanceId } = listener;
        const sent = { name: "item", instanceId, input: '{"from":"a friend"}' };
        // The SDK does not know the event's confirmation, and sends it again in the second turn.
        expect(eventsOf(await history(sender.instanceId), "eventSent")).toMatchObject([sent, sent]);
      },
    ),
  },
);

scenario(
  "an orchestration that sends an event and ends has sent it",
  hasOutput("the last word"),
  goSendsNone,
);

scenario(
  "an event sent to nobody is dropped and its sender goes on",
  facts<{ state: ProgramState; types: string[] } | ProgramState>(async (seen, suite) => {
    const [state, types] = "types" in seen ? [seen.state, seen.types] : [seen, seen];
    expect(state.output).toBe('"sent"');
    expect(await typesIn(types, suite)).toContain("eventSent");
  }),
  goSendsNone,
);
