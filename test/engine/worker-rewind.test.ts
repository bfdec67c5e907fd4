/** Histories that workers rewind by themselves: what is taken of them, and what fails the instance. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { decideActivityResult } from "../../sidecar/engine/activity.ts";
import { decideRaiseEvent } from "../../sidecar/engine/raise-event.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  type HistoryEvent,
  HistoryEventSchema,
  OrchestratorActionSchema,
  TaskFailureDetailsSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../sidecar/wire/history-event.ts";
import { ScenarioWorld } from "../support/scenario-world.ts";
import { scheduleTask, startChild } from "../support/worker-actions.ts";

type EventInit = MessageInitShape<typeof HistoryEventSchema>;

function event(eventType: EventInit["eventType"], eventId = -1): HistoryEvent {
  return create(HistoryEventSchema, { eventId, ...(eventType && { eventType }) });
}

function rewindTo(newHistory: HistoryEvent[]) {
  return create(OrchestratorActionSchema, {
    id: -1,
    orchestratorActionType: { case: "rewindOrchestration", value: { newHistory } },
  });
}

/** An orchestration whose second turn is with a worker: its activity has failed, its child runs. */
function runningWorld(): ScenarioWorld {
  const world = new ScenarioWorld();
  const command = {
    instanceId: "order",
    name: "Order",
    version: undefined,
    input: "5",
    tags: {},
    parentTraceContext: undefined,
    scheduledStartAt: undefined,
    executionId: undefined,
    idReusePolicy: undefined,
    fingerprint: undefined,
    refusedBecause: undefined,
  };
  world.perform("order", Cause.START, (state, environment) =>
    decideStart(state, command, environment),
  );
  world.beginTurn("order");
  const actions = [scheduleTask(1), scheduleTask(2), startChild(3, "child")];
  world.completeTurn("order", { actions, customStatus: "working" });
  world.deliver("order");
  const failureDetails = create(TaskFailureDetailsSchema, { errorType: "E" });
  world.perform("order", Cause.COMPLETE_ACTIVITY, (state, environment) =>
    decideActivityResult(state, { workId: 1n, result: undefined, failureDetails }, environment),
  );
  world.beginTurn("order");
  return world;
}

/** What the worker was sent, and what an SDK makes of it. */
function sent(world: ScenarioWorld): HistoryEvent[] {
  const { history, turn } = world.life("order");
  const events = [...history, ...(turn ? [turn.started, ...turn.taken] : [])].map(readEvent);
  return events.filter(
    ({ eventId, eventType }) => eventType.case !== "taskFailed" && eventId !== 1,
  );
}

function kinds(world: ScenarioWorld) {
  return world.life("order").history.map((each) => readEvent(each).eventType.case);
}

function answer(world: ScenarioWorld, newHistory: HistoryEvent[]) {
  world.completeTurn("order", { actions: [rewindTo(newHistory)] });
  return world.life("order").state;
}

describe("a history that a worker has rewound", () => {
  test("begins a generation: what has no answer is forgotten, the child is told", () => {
    const world = runningWorld();
    const before = world.life("order").state.executionId;
    const state = answer(world, sent(world));
    expect(kinds(world)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "subOrchestrationInstanceCreated",
      "orchestratorStarted",
    ]);
    expect(state).toMatchObject({ status: Status.RUNNING, generation: 2, turnWanted: true });
    expect(state.executionId).not.toBe(before);
    expect(state.activities.size).toBe(0);
    expect(state.outbox.map(({ body }) => body.case)).toEqual(["rewindChild"]);
    world.deliver("order");
    expect(world.life("child").state.parent?.executionId).toBe(state.executionId);
  });

  test("leaves the custom status alone, and keeps external events that came meanwhile", () => {
    const world = runningWorld();
    const raised = { instanceId: "order", name: "Go", input: undefined, ignoreFinished: true };
    world.perform("order", Cause.RAISE_EVENT, (state, environment) =>
      decideRaiseEvent(state, raised, environment),
    );
    const state = answer(world, sent(world));
    expect(state.customStatus).toMatchObject({ text: "working", revision: 1n });
    expect(state.inbox.map((each) => readEvent(each).eventType.case)).toEqual(["eventRaised"]);
  });

  test("may name its execution, but not take the one that there was", () => {
    const world = runningWorld();
    const history = sent(world);
    for (const { eventType: type } of history) {
      if (type.case !== "executionStarted" || !type.value.orchestrationInstance) continue;
      type.value.orchestrationInstance.executionId = "mine";
    }
    expect(answer(world, history).executionId).toBe("mine");
    expect(world.life("order").state.started).toBeDefined();
  });

  test("gets the times that it lacks", () => {
    const world = runningWorld();
    const history = sent(world).map((each) => {
      const { timestamp: _, ...rest } = each;
      return create(HistoryEventSchema, rest);
    });
    answer(world, history);
    for (const each of world.life("order").history) {
      expect(readEvent(each).timestamp).toEqual(world.now);
    }
  });

  test("is followed by a turn without an event", () => {
    const world = runningWorld();
    answer(world, sent(world));
    expect(world.beginTurn("order").taken).toEqual([]);
  });
});

const started = event({
  case: "executionStarted",
  value: { name: "Order", orchestrationInstance: { instanceId: "order", executionId: "x" } },
});

const hostile: readonly (readonly [what: string, history: HistoryEvent[], words: RegExp])[] = [
  ["is empty", [], /begin/],
  ["has no beginning", [event({ case: "orchestratorStarted", value: {} })], /begin/],
  ["begins with something else", [event({ case: "eventRaised", value: {} }), started], /begin/],
  ["begins twice", [started, started], /executionStarted/],
  ["has an end", [started, event({ case: "executionCompleted", value: {} })], /executionCompleted/],
  ["has an event of no kind", [started, event(undefined)], /unknown/],
  ["has a snapshot", [started, event({ case: "historyState", value: {} })], /historyState/],
  [
    "is of another orchestration",
    [event({ case: "executionStarted", value: { name: "Other" } })],
    /another name/,
  ],
  [
    "is of another instance",
    [event({ case: "executionStarted", value: { name: "Order" } })],
    /another instance/,
  ],
  [
    "has too long an id",
    [
      event({
        case: "executionStarted",
        value: {
          name: "Order",
          orchestrationInstance: { instanceId: "order", executionId: "x".repeat(513) },
        },
      }),
    ],
    /execution id/,
  ],
  [
    "has a large event",
    [
      started,
      event({
        case: "eventRaised",
        value: { name: "E", input: "x".repeat(LIMITS.rewoundEventBytesMax) },
      }),
    ],
    /bytes/,
  ],
  [
    "has too many events",
    [
      started,
      ...Array.from({ length: LIMITS.rewoundEventsMax }, () =>
        event({ case: "orchestratorStarted", value: {} }),
      ),
    ],
    /events/,
  ],
  [
    "has too many open children",
    [
      started,
      ...Array.from({ length: LIMITS.actionsPerTurnMax + 1 }, (_, at) =>
        event(
          { case: "subOrchestrationInstanceCreated", value: { instanceId: `c${at}`, name: "C" } },
          at,
        ),
      ),
    ],
    /children/,
  ],
];

describe("an instance fails when the history that its worker rewound", () => {
  test.each(hostile)("%s", (_what, history, words) => {
    const world = runningWorld();
    const state = answer(world, history);
    expect(state.status).toBe(Status.FAILED);
    expect(state.customStatus).toMatchObject({ text: "working" });
    const { eventType: end } = readEvent(world.life("order").history.at(-1) ?? fail());
    expect(end).toMatchObject({
      value: {
        failureDetails: {
          errorType: "InvalidHistory",
          errorMessage: expect.stringMatching(words),
        },
      },
    });
  });

  test("comes together with other actions", () => {
    const world = runningWorld();
    const actions = [rewindTo(sent(world)), scheduleTask(7)];
    world.completeTurn("order", { actions });
    expect(world.life("order").state.status).toBe(Status.FAILED);
  });
});

test("a child that nobody can call so fails in what follows", () => {
  const world = runningWorld();
  const created = { instanceId: "@a@b", name: "C" };
  const state = answer(world, [
    event({ case: "orchestratorStarted", value: {} }),
    started,
    event({ case: "subOrchestrationInstanceCreated", value: created }, 4),
  ]);
  expect(state.inbox.map((each) => readEvent(each).eventType.case)).toEqual([
    "subOrchestrationInstanceFailed",
  ]);
});

function fail(): never {
  throw new Error("a failed instance has its end in the history");
}
