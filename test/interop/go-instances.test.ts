import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import {
  type HistoryEvent,
  OrchestrationStatus,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { goSuite } from "../support/go-sdk-suite.ts";
import { typesOf } from "../support/history-events.ts";
import { type ProgramState, parsed, present } from "../support/program-suite.ts";

const { scenario, testFor, cannot, ask, history } = await goSuite("instances");

const noCustomStatus = "its orchestrators have no custom status";

cannot(
  "the custom status of the first turn is there when the start was waited for",
  noCustomStatus,
);
cannot("a custom status $fact", noCustomStatus);
cannot("input, output and custom status are left out when they are not asked for", noCustomStatus);

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

cannot(
  "identifiers and times that an orchestrator makes are the same at each replay",
  "its orchestrators make no identifiers",
);

scenario("an orchestrator is told what is replayed", (facts) =>
  expect(facts).toMatchObject({
    state: { output: '"done"' },
    seen: ["start false", "start true", "end false"],
  }),
);

scenario("starting an instance that is running is ALREADY_EXISTS", (facts) =>
  expect(facts).toMatchObject({
    refused: { code: "AlreadyExists" },
    state: { name: "listens", output: "1" },
  }),
);

scenario<ProgramState>(
  "starting a completed, failed or terminated instance again replaces it",
  async (state) => {
    expect(state).toMatchObject({ name: "empty", status: "COMPLETED", input: "2" });
    expect(typesOf(await history(state.instanceId))).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionCompleted",
    ]);
  },
);

const { RUNNING, COMPLETED, PENDING } = OrchestrationStatus;
const [ignore, terminate] = [1, 2];
const [replaced, refused] = ['"done"', { code: "AlreadyExists" }];

testFor(
  "a start whose policy $fact",
  [
    {
      fact: "ignores a running instance leaves it as it is",
      given: ["listens", ignore, [RUNNING]],
      seen: { refused: null, state: { input: "1", output: '"alive"' } },
    },
    {
      fact: "ignores a completed instance leaves it as it is",
      given: ["empty", ignore, [COMPLETED]],
      seen: { refused: null, state: { input: "1", output: replaced } },
    },
    {
      fact: "ignores completed instances is refused by a running one",
      given: ["listens", ignore, [COMPLETED]],
      seen: { refused, state: { input: "1", output: '"alive"' } },
    },
    {
      fact: "terminates a running instance takes its place",
      given: ["listens", terminate, [RUNNING, COMPLETED, PENDING]],
      seen: { refused: null, state: { input: "2", output: replaced } },
    },
    {
      fact: "terminates running instances is refused by a completed one",
      given: ["empty", terminate, [RUNNING]],
      seen: { refused, state: { input: "1", output: replaced } },
    },
  ],
  async ({ given, seen }) => expect(await ask("startAgain", ...given)).toMatchObject(seen),
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

cannot(
  "tags and version of the start are in the history",
  "its client gives neither tags nor a version",
);

cannot(
  "the version that a client is made with is that of its orchestrations",
  "its client has no version",
);

scenario("a purged instance is gone and its id is free", (facts) =>
  expect(facts).toMatchObject({
    state: null,
    again: { status: "COMPLETED", input: "3" },
  }),
);

const notFound = "no such instance exists";
scenario("a running or an unknown instance is not purged", (facts) =>
  expect(facts).toMatchObject({ refused: [notFound, notFound], state: { output: '"alive"' } }),
);

cannot(
  "a purge with recursive=$recursive of a parent of two deletes $count",
  "PurgeOrchestrationState takes no options",
);

scenario("a wait that is given up does not disturb the instance", (facts) =>
  expect(facts).toMatchObject({ waits: true, state: { output: "1" } }),
);

/** When its turns began, in milliseconds. */
function turnTimesOf(events: readonly HistoryEvent[]): readonly number[] {
  const turns = events.filter(({ eventType }) => eventType.case === "orchestratorStarted");
  return turns.map(({ timestamp }) => timestampMs(present(timestamp)));
}
