import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, parsed, present } from "../support/program-suite.ts";

const { scenario, testFor, cannot, ask, history } = await javaSuite("instances");

interface Moment {
  readonly id: string;
  readonly time: string;
}

scenario<ProgramState[]>(
  "the custom status of the first turn is there when the start was waited for",
  (states) => {
    for (const { customStatus } of states) expect(parsed(customStatus)).toEqual({ step: 1 });
    expect(states.map(({ status }) => status)).toEqual(["RUNNING", "COMPLETED"]);
  },
);

testFor(
  "a custom status $fact",
  [
    { statuses: ["first", "second"], last: '"second"', fact: "is replaced by the next one" },
    { statuses: ["first", null], last: null, fact: "goes when it is cleared" },
    { statuses: ["first", ""], last: '""', fact: "may be an empty string" },
    { statuses: ["first", 0], last: "0", fact: "may be zero" },
    { statuses: [false], last: "false", fact: "may be false" },
  ],
  async ({ statuses, last }) => {
    const { customStatus } = await ask<ProgramState>("report", statuses);
    expect(customStatus).toBe(last);
  },
);

scenario("input, output and custom status are left out when they are not asked for", (state) =>
  expect(state).toMatchObject({
    name: "reports",
    status: "COMPLETED",
    input: null,
    output: null,
    customStatus: null,
  }),
);

scenario<ProgramState>(
  "the history of an activity, a timer and a child has exactly twelve events",
  async ({ instanceId }) => {
    const events = await history(instanceId);
    expect(typesOf(events)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "timerCreated",
      "orchestratorStarted",
      "timerFired",
      "subOrchestrationInstanceCreated",
      "orchestratorStarted",
      "subOrchestrationInstanceCompleted",
      "executionCompleted",
    ]);
    expect(events.map(({ eventId }) => eventId)).toEqual([
      -1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3,
    ]);
    const times = turnTimesOf(events);
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  },
);

cannot("the history of an unknown instance is empty", "it does not read histories");

scenario("an unknown instance has no state", (state) => expect(state).toBeNull());

scenario("a wait begun before the instance exists ends with the instance", (seen) =>
  expect(seen).toMatchObject([{ status: "COMPLETED", output: '"done"' }]),
);

scenario<ProgramState>(
  "identifiers and times that an orchestrator makes are the same at each replay",
  async ({ output, instanceId }) => {
    const { first, second, asTheyWere } = parsed(output) as {
      first: Moment;
      second: Moment;
      asTheyWere: Moment[];
    };
    expect([first, second]).toEqual(asTheyWere);
    expect(first.id).not.toBe(second.id);
    const times = turnTimesOf(await history(instanceId)).slice(0, 2);
    expect([first, second].map(({ time }) => Date.parse(time))).toEqual(times);
  },
);

scenario("an orchestrator is told what is replayed", (seen) =>
  expect(seen).toEqual(["start false", "start true", "end false"]),
);

cannot("a start whose policy $fact", "its client sends none");

scenario("starting an instance that is running is ALREADY_EXISTS", (facts) =>
  expect(facts).toMatchObject({
    refused: { code: "ALREADY_EXISTS" },
    state: { name: "listens", output: "1" },
  }),
);

scenario<ProgramState>(
  "starting a completed, failed or terminated instance again replaces it",
  async (state) => {
    expect(state).toMatchObject({ name: "empty", status: "COMPLETED", input: "2", failure: null });
    expect(typesOf(await history(state.instanceId))).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionCompleted",
    ]);
  },
);

scenario<{ startAt: string; status: string; state: ProgramState }>(
  "an orchestration does not start before its scheduled time",
  ({ startAt, status, state }) => {
    expect(status).toBe("PENDING");
    const startedAt = parsed(state.output) as string;
    expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(startAt));
  },
);

cannot("tags of the start are in the state", "its state has no tags");

cannot("tags and version of the start are in the history", "its client gives no tags");

cannot(
  "the version that a client is made with is that of its orchestrations",
  "each start has a version, its client has none",
);

scenario("a purged instance is gone and its id is free", (facts) =>
  expect(facts).toMatchObject({
    purged: 1,
    state: null,
    again: { status: "COMPLETED", input: "3" },
  }),
);

scenario("a running or an unknown instance is not purged", (facts) =>
  expect(facts).toMatchObject({ purged: [0, 0], state: { output: '"alive"' } }),
);

cannot(
  "a purge with recursive=$recursive of a parent of two deletes $count",
  "purgeInstance has no such option",
);

scenario("a wait that is given up does not disturb the instance", (facts) =>
  expect(facts).toMatchObject({ waits: true, state: { output: "1" } }),
);

/** When its turns began, in milliseconds. */
function turnTimesOf(events: readonly HistoryEvent[]): readonly number[] {
  const turns = events.filter(({ eventType }) => eventType.case === "orchestratorStarted");
  return turns.map(({ timestamp }) => timestampMs(present(timestamp)));
}
