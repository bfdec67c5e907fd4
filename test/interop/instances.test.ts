import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { eventsOf, typesOf } from "../support/history-events.ts";
import { cannot, facts, programArea, rows, typesIn } from "../support/program-area.ts";
import { type ProgramState, type PythonEvent, parsed, present } from "../support/program-state.ts";
import { olderPolicies, policies } from "./reuse-policies.ts";

const { scenario } = await programArea("instances");

const goHasNoStatus = { go: cannot("its orchestrators have no custom status") };
const noHistories = cannot("it does not read histories");

scenario(
  "the custom status of the first turn is there when the start was waited for",
  facts<ProgramState[]>((states) => {
    for (const { customStatus } of states) expect(parsed(customStatus)).toEqual({ step: 1 });
    expect(states.map(({ status }) => status)).toEqual(["RUNNING", "COMPLETED"]);
  }),
  goHasNoStatus,
);

scenario(
  "a custom status $fact",
  rows(
    [
      { statuses: ["first", "second"], last: '"second"', fact: "is replaced by the next one" },
      { statuses: ["first", null], last: null, fact: "goes when it is cleared" },
      { statuses: ["first", ""], last: '""', fact: "may be an empty string" },
      { statuses: ["first", 0], last: "0", fact: "may be zero" },
      { statuses: [false], last: "false", fact: "may be false" },
    ],
    async ({ statuses, last }, { ask }) => {
      const { customStatus } = await ask<ProgramState>("report", statuses);
      expect(customStatus).toBe(last);
    },
  ),
  goHasNoStatus,
);

scenario(
  "input, output and custom status are left out when they are not asked for",
  facts((state) =>
    expect(state).toMatchObject({
      name: "reports",
      status: "COMPLETED",
      input: null,
      output: null,
      customStatus: null,
    }),
  ),
  goHasNoStatus,
);

const eachOnce = [
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
];

/** The ids of these events, when the SDK's first one is this. */
const idsFrom = (first: number) =>
  [-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3].map((id) => (id < 0 ? id : first + id));

scenario(
  "the history of an activity, a timer and a child has exactly twelve events",
  facts<ProgramState>(async ({ instanceId }, { history }) => {
    const events = await history(instanceId);
    expect(typesOf(events)).toEqual(eachOnce);
    expect(events.map(({ eventId }) => eventId)).toEqual(idsFrom(0));
    const times = turnTimesOf(events);
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  }),
  {
    // Its client reads histories.
    python: facts<PythonEvent[]>(async (events, suite) => {
      expect(
        await typesIn(
          events.map(({ type }) => type),
          suite,
        ),
      ).toEqual(eachOnce);
      expect(events.map(({ event_id }) => event_id)).toEqual(idsFrom(1));
      const turns = events.filter(({ type }) => type === "OrchestratorStarted");
      const times = turns.map(({ timestamp }) => Date.parse(timestamp));
      expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
    }),
  },
);

scenario(
  "the history of an unknown instance is empty",
  // The SDK passes NOT_FOUND on.
  facts((refusal) => expect(refusal).toMatchObject({ code: "NOT_FOUND" })),
  { java: noHistories, go: noHistories },
);

scenario(
  "an unknown instance has no state",
  facts((state) => expect(state).toBeNull()),
);

scenario(
  "a wait begun before the instance exists ends with the instance",
  facts((seen) => expect(seen).toMatchObject([{ status: "COMPLETED", output: '"done"' }])),
);

interface Moment {
  readonly id: string;
  readonly time: string;
}

interface Remembered {
  readonly first: Moment;
  readonly second: Moment;
  readonly asTheyWere: readonly Moment[];
}

scenario(
  "identifiers and times that an orchestrator makes are the same at each replay",
  facts<ProgramState>(async ({ output, instanceId }, { history }) => {
    const { first, second, asTheyWere } = parsed(output) as Remembered;
    expect([first, second]).toEqual(asTheyWere);
    expect(first.id).not.toBe(second.id);
    const times = turnTimesOf(await history(instanceId)).slice(0, 2);
    expect([first, second].map(({ time }) => Date.parse(time))).toEqual(times);
  }),
  { go: cannot("its orchestrators make no identifiers") },
);

scenario(
  "an orchestrator is told what is replayed",
  facts((seen) => expect(seen).toEqual(["start false", "start true", "end false"])),
);

scenario(
  "starting an instance that is running is ALREADY_EXISTS",
  facts((seen) =>
    expect(seen).toMatchObject({
      refused: { code: "ALREADY_EXISTS" },
      state: { name: "listens", output: "1" },
    }),
  ),
);

scenario(
  "starting a completed, failed or terminated instance again replaces it",
  facts<ProgramState>(async (state, { history }) => {
    expect(state).toMatchObject({ name: "empty", status: "COMPLETED", input: "2", failure: null });
    const events = await history(state.instanceId);
    const types = ["orchestratorStarted", "executionStarted", "executionCompleted"];
    expect(typesOf(events)).toEqual(types);
    // Python gives the first of them tags.
    expect(eventsOf(events, "executionStarted")[0]?.tags).toEqual({});
  }),
);

scenario(
  "a start whose policy $fact",
  rows(policies, async ({ orchestrator, statuses, outcome }, { ask }) =>
    expect(await ask("startAgain", orchestrator, statuses)).toBe(outcome),
  ),
  {
    java: cannot("its client sends none"),
    go: rows(olderPolicies, async ({ given, seen }, { ask }) =>
      expect(await ask("startAgain", ...given)).toMatchObject(seen),
    ),
  },
);

scenario(
  "an orchestration does not start before its scheduled time",
  facts<{ startAt: string; status: string; state: ProgramState }>(({ startAt, status, state }) => {
    expect(status).toBe("PENDING");
    const startedAt = parsed(state.output) as string;
    expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(startAt));
  }),
);

scenario("tags of the start are in the state", cannot("its state has no tags"));

scenario(
  "tags and version of the start are in the history",
  facts((started) =>
    expect(started).toMatchObject({
      type: "ExecutionStarted",
      version: "1.2.3",
      tags: { tenant: "north", "empty value": "", schlüssel: "wert" },
    }),
  ),
  {
    java: cannot("its client gives no tags"),
    go: cannot("its client gives neither tags nor a version"),
  },
);

scenario(
  "the version that a client is made with is that of its orchestrations",
  facts((started) => expect(started).toMatchObject({ type: "ExecutionStarted", version: "9.0" })),
  {
    java: cannot("each start has a version, its client has none"),
    go: cannot("its client has no version"),
  },
);

const isGone = (seen: object) => ({
  ...seen,
  state: null,
  again: { status: "COMPLETED", input: "3" },
});

scenario(
  "a purged instance is gone and its id is free",
  facts((seen) =>
    expect(seen).toMatchObject(isGone({ purged: 1, history: { code: "NOT_FOUND" } })),
  ),
  {
    java: facts((seen) => expect(seen).toMatchObject(isGone({ purged: 1 }))),
    go: facts((seen) => expect(seen).toMatchObject(isGone({}))),
  },
);

const isAlive = { output: '"alive"' };
const notFound = "no such instance exists";

scenario(
  "a running or an unknown instance is not purged",
  facts((seen) => expect(seen).toMatchObject({ purged: [0, 0], state: isAlive })),
  {
    // It makes an error of its own of a purge that found nothing.
    go: facts((seen) =>
      expect(seen).toMatchObject({ refused: [notFound, notFound], state: isAlive }),
    ),
  },
);

scenario(
  "a purge with recursive=$recursive of a parent of two deletes $count",
  rows(
    [
      { recursive: false, count: 1 },
      { recursive: true, count: 3 },
    ],
    async ({ recursive, count }, { ask }) => {
      const { purged, children } = await ask<{ purged: number; children: unknown[] }>(
        "purgeParentOfTwo",
        recursive,
      );
      expect(purged).toBe(count);
      expect(children.map((child) => child === null)).toEqual([recursive, recursive]);
    },
  ),
  {
    java: cannot("purgeInstance has no such option"),
    go: cannot("PurgeOrchestrationState takes no options"),
  },
);

scenario(
  "a wait that is given up does not disturb the instance",
  facts((seen) => expect(seen).toMatchObject({ waits: true, state: { output: "1" } })),
);

/** When its turns began, in milliseconds. */
function turnTimesOf(events: readonly HistoryEvent[]): readonly number[] {
  const turns = events.filter(({ eventType }) => eventType.case === "orchestratorStarted");
  return turns.map(({ timestamp }) => timestampMs(present(timestamp)));
}
