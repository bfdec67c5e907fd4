import { expect } from "vitest";
import { parsed } from "../support/program-suite.ts";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, testFor, cannot, ask } = await pythonSuite("instances");

interface Moment {
  readonly id: string;
  readonly time: string;
}

scenario<PythonState[]>(
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
    const { customStatus } = await ask<PythonState>("report", statuses);
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

scenario<PythonEvent[]>(
  "the history of an activity, a timer and a child has exactly twelve events",
  (history) => {
    expect(history.map(({ type }) => type)).toEqual([
      "OrchestratorStarted",
      "ExecutionStarted",
      "TaskScheduled",
      "OrchestratorStarted",
      "TaskCompleted",
      "TimerCreated",
      "OrchestratorStarted",
      "TimerFired",
      "SubOrchestrationInstanceCreated",
      "OrchestratorStarted",
      "SubOrchestrationInstanceCompleted",
      "ExecutionCompleted",
    ]);
    expect(history.map(({ event_id }) => event_id)).toEqual([
      -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4,
    ]);
    const turns = history.filter(({ type }) => type === "OrchestratorStarted");
    const times = turns.map(({ timestamp }) => Date.parse(timestamp));
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  },
);

// The SDK passes NOT_FOUND on.
scenario("the history of an unknown instance is empty", (refusal) =>
  expect(refusal).toMatchObject({ code: "NOT_FOUND" }),
);

scenario("an unknown instance has no state", (state) => expect(state).toBeNull());

scenario("a wait begun before the instance exists ends with the instance", (seen) =>
  expect(seen).toMatchObject([{ status: "COMPLETED", output: '"done"' }]),
);

scenario<{ state: PythonState; history: PythonEvent[] }>(
  "identifiers and times that an orchestrator makes are the same at each replay",
  ({ state, history }) => {
    const { first, second, asTheyWere } = parsed(state.output) as {
      first: Moment;
      second: Moment;
      asTheyWere: Moment[];
    };
    expect([first, second]).toEqual(asTheyWere);
    expect(first.id).not.toBe(second.id);
    const turns = history.filter(({ type }) => type === "OrchestratorStarted");
    const times = turns.slice(0, 2).map(({ timestamp }) => Date.parse(timestamp));
    expect([first, second].map(({ time }) => Date.parse(`${time}Z`))).toEqual(times);
  },
);

scenario("an orchestrator is told what is replayed", (seen) =>
  expect(seen).toEqual(["start False", "start True", "end False"]),
);

scenario("starting an instance that is running is ALREADY_EXISTS", (facts) =>
  expect(facts).toMatchObject({
    refused: { code: "ALREADY_EXISTS" },
    state: { name: "listens", output: "1" },
  }),
);

scenario<{ state: PythonState; history: PythonEvent[] }>(
  "starting a completed, failed or terminated instance again replaces it",
  ({ state, history }) => {
    expect(state).toMatchObject({
      name: "empty",
      status: "COMPLETED",
      input: "2",
      failure: null,
    });
    expect(history.map(({ type }) => type)).toEqual([
      "OrchestratorStarted",
      "ExecutionStarted",
      "ExecutionCompleted",
    ]);
    expect(history[1]?.tags).toBeNull();
  },
);

const ended = ["COMPLETED", "FAILED", "TERMINATED"];

testFor(
  "a start whose policy $fact",
  [
    {
      fact: "names no status is refused also when there is one that has ended",
      ...{ orchestrator: "empty", statuses: [], outcome: "ALREADY_EXISTS" },
    },
    {
      fact: "names the status of the one that has ended replaces it",
      ...{ orchestrator: "empty", statuses: ["COMPLETED"], outcome: "2" },
    },
    {
      fact: "names other statuses is refused",
      ...{ orchestrator: "broken", statuses: ["COMPLETED"], outcome: "ALREADY_EXISTS" },
    },
    {
      fact: "names running ones replaces a running one",
      ...{ orchestrator: "listens", statuses: [...ended, "RUNNING"], outcome: "2" },
    },
    {
      fact: "names running ones and not terminated ones is INVALID_ARGUMENT",
      ...{ orchestrator: "listens", statuses: ["RUNNING"], outcome: "INVALID_ARGUMENT" },
    },
  ],
  async ({ orchestrator, statuses, outcome }) =>
    expect(await ask("start_again", orchestrator, statuses)).toBe(outcome),
);

scenario<{ startAt: string; status: string; state: PythonState }>(
  "an orchestration does not start before its scheduled time",
  ({ startAt, status, state }) => {
    expect(status).toBe("PENDING");
    const startedAt = parsed(state.output) as string;
    expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(startAt));
  },
);

cannot("tags of the start are in the state", "its state has no tags");

scenario("tags and version of the start are in the history", (started) =>
  expect(started).toMatchObject({
    type: "ExecutionStarted",
    version: "1.2.3",
    tags: { tenant: "north", "empty value": "", schlüssel: "wert" },
  }),
);

scenario("the version that a client is made with is that of its orchestrations", (started) =>
  expect(started).toMatchObject({ type: "ExecutionStarted", version: "9.0" }),
);

scenario("a purged instance is gone and its id is free", (facts) =>
  expect(facts).toMatchObject({
    purged: 1,
    state: null,
    history: { code: "NOT_FOUND" },
    again: { status: "COMPLETED", input: "3" },
  }),
);

scenario("a running or an unknown instance is not purged", (facts) =>
  expect(facts).toMatchObject({ purged: [0, 0], state: { output: '"alive"' } }),
);

testFor(
  "a purge with recursive=$recursive of a parent of two deletes $count",
  [
    { recursive: false, count: 1 },
    { recursive: true, count: 3 },
  ],
  async ({ recursive, count }) => {
    const { purged, children } = await ask<{ purged: number; children: unknown[] }>(
      "purge_parent_of_two",
      recursive,
    );
    expect(purged).toBe(count);
    expect(children.map((child) => child === null)).toEqual([recursive, recursive]);
  },
);

scenario("a wait that is given up does not disturb the instance", (facts) =>
  expect(facts).toMatchObject({ waits: true, state: { output: "1" } }),
);
