/** Bounds of turns and payloads: what is over a limit is committed as a failure, never refused. */
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { decideActivityResult } from "../../sidecar/engine/activity.ts";
import { decideDue } from "../../sidecar/engine/due.ts";
import { decideRaiseEvent } from "../../sidecar/engine/raise-event.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  HistoryEventSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type TaskFailureDetails,
  TaskFailureDetailsSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../../sidecar/wire/history-event.ts";
import { ScenarioWorld } from "../support/scenario-world.ts";

type ActionType = OrchestratorAction["orchestratorActionType"];
type ActionInit = NonNullable<
  MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"]
>;

const atLimit = "a".repeat(LIMITS.payloadBytesMax);
const overLimit = `${atLimit}a`;
/** Two bytes each: half the length, one byte too many. */
const overLimitInBytes = `${"ä".repeat(LIMITS.payloadBytesMax / 2)}a`;

describe("actions of one turn", () => {
  test("as many as the limit are applied", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: timers(LIMITS.actionsPerTurnMax) });
    expect(world.life("order").state.timers.size).toBe(LIMITS.actionsPerTurnMax);
  });

  test("one more fails the instance, and none is applied", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: timers(LIMITS.actionsPerTurnMax + 1) });
    const { state, history } = world.life("order");
    expect(history).toHaveLength(3);
    expect(state.timers.size).toBe(0);
    expect(failureOf(world)).toMatchObject({
      errorType: "LimitExceeded",
      errorMessage: "a turn has 10001 actions: the limit is 10000 actions",
      isNonRetriable: true,
    });
  });

  test("more bytes than the limit fail the instance, each payload being small enough", () => {
    const world = startedWorld();
    const count = LIMITS.actionsPerTurnBytesMax / LIMITS.payloadBytesMax;
    world.completeTurn("order", { actions: sameActions(count, event(atLimit)) });
    expect(failureOf(world)).toMatchObject({
      errorType: "LimitExceeded",
      errorMessage: expect.stringMatching(
        /^the actions of a turn have \d+ bytes: the limit is 16777216 bytes$/,
      ),
    });
  });

  test("a number of bytes just below the limit is applied", () => {
    const world = startedWorld();
    const count = LIMITS.actionsPerTurnBytesMax / LIMITS.payloadBytesMax - 1;
    world.completeTurn("order", { actions: sameActions(count, event(atLimit)) });
    expect(world.life("order").state.outbox).toHaveLength(count);
  });
});

const withPayload: Readonly<Record<string, (payload: string) => ActionType>> = {
  "scheduleTask.input": (input) => action({ case: "scheduleTask", value: { name: "Pay", input } }),
  "createSubOrchestration.input": (input) =>
    action({ case: "createSubOrchestration", value: { name: "Sub", input } }),
  "sendEvent.data": event,
  "terminateOrchestration.reason": (reason) =>
    action({ case: "terminateOrchestration", value: { instanceId: "other", reason } }),
  "completeOrchestration.result": (result) =>
    action({
      case: "completeOrchestration",
      value: { orchestrationStatus: OrchestrationStatus.COMPLETED, result },
    }),
};

describe.each(Object.entries(withPayload))("payload %s", (_field, build) => {
  test("of the limit is taken", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: sameActions(1, build(atLimit)) });
    expect(world.life("order").state.status).not.toBe(Status.FAILED);
  });

  test.each([overLimit, overLimitInBytes])("above the limit fails the instance", (payload) => {
    const world = startedWorld();
    world.completeTurn("order", { actions: sameActions(1, build(payload)) });
    expect(world.life("order").state.status).toBe(Status.FAILED);
    expect(failureOf(world)).toMatchObject({
      errorType: "LimitExceeded",
      errorMessage: "a payload of action 1 is larger: the limit is 2097152 bytes",
      isNonRetriable: true,
    });
  });
});

describe("result of an activity", () => {
  test("of the limit is taken", () => {
    const world = worldWithActivity();
    completeActivity(world, atLimit);
    expect(inboxKinds(world)).toEqual([EventKind.taskCompleted]);
  });

  test("above the limit fails the activity: a completion is never refused", () => {
    const world = worldWithActivity();
    completeActivity(world, `${overLimit}${"a".repeat(100)}`);
    const [failed] = world.life("order").state.inbox.map(readEvent);
    expect(failed?.eventType).toMatchObject({
      case: "taskFailed",
      value: { taskScheduledId: 1, failureDetails: { errorType: "PayloadTooLarge" } },
    });
  });
});

test("a failure above the limit is replaced by one that says so", () => {
  const world = worldWithActivity();
  const failureDetails = create(TaskFailureDetailsSchema, {
    errorMessage: `${overLimit}${atLimit}`,
  });
  const answer = { workId: 1n, result: undefined, failureDetails };
  world.perform("order", Cause.COMPLETE_ACTIVITY, (state, environment) =>
    decideActivityResult(state, answer, environment),
  );
  const [failed] = world.life("order").state.inbox.map(readEvent);
  expect(failed?.eventType).toMatchObject({
    case: "taskFailed",
    value: { failureDetails: { errorType: "PayloadTooLarge" } },
  });
});

test("failure details of a completion above the limit fail the instance with that reason", () => {
  const world = startedWorld();
  const failureDetails = { errorMessage: overLimit };
  const value = { orchestrationStatus: OrchestrationStatus.FAILED, failureDetails };
  const failing = action({ case: "completeOrchestration", value });
  world.completeTurn("order", { actions: sameActions(1, failing) });
  expect(failureOf(world)).toMatchObject({ errorType: "LimitExceeded" });
});

describe("custom status", () => {
  const statusAtLimit = "a".repeat(LIMITS.customStatusBytesMax);

  test("of the limit is taken", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: [], customStatus: statusAtLimit });
    expect(world.life("order").state.customStatus?.text).toBe(statusAtLimit);
  });

  test("above the limit fails the instance, and is not set", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: [], customStatus: `${statusAtLimit}a` });
    expect(world.life("order").state.customStatus).toBeUndefined();
    expect(failureOf(world)).toMatchObject({
      errorType: "LimitExceeded",
      errorMessage: "the custom status has 65537 bytes: the limit is 65536 bytes",
    });
  });

  test("is kept in its last 32 revisions", () => {
    const world = worldWithStatuses(40, (n) => `${n}`);
    expect(keptStatuses(world)).toEqual(Array.from({ length: 32 }, (_, index) => `${index + 8}`));
  });

  test("is kept in as many revisions as have 256 KiB together", () => {
    const world = worldWithStatuses(8, (n) => `${n}`.repeat(LIMITS.customStatusBytesMax));
    expect(keptStatuses(world).map((text) => text?.[0])).toEqual(["4", "5", "6", "7"]);
  });
});

describe("a timer", () => {
  test.each([
    { seconds: 0n, nanos: -1 },
    { seconds: 0n, nanos: 1_000_000_000 },
    { seconds: -62_135_596_801n, nanos: 0 },
    { seconds: 253_402_300_800n, nanos: 0 },
    { seconds: 2n ** 62n, nanos: 0 },
  ])("at no time that there is ($seconds s, $nanos ns) fails the instance", (fireAt) => {
    const world = startedWorld();
    const timer = action({ case: "createTimer", value: { fireAt } });
    world.completeTurn("order", { actions: sameActions(1, timer) });
    expect(world.life("order").state.timers.size).toBe(0);
    expect(failureOf(world)).toMatchObject({ errorType: "InvalidTimer" });
  });

  test.each([
    { seconds: -62_135_596_800n, nanos: 0 },
    { seconds: 253_402_300_799n, nanos: 999_999_999 },
  ])("at the first and at the last time that there is ($seconds s) is taken", (fireAt) => {
    const world = startedWorld();
    const timer = action({ case: "createTimer", value: { fireAt } });
    world.completeTurn("order", { actions: sameActions(1, timer) });
    expect(world.life("order").state.timers.size).toBe(1);
  });
});

describe("a child id", () => {
  test.each(["a".repeat(LIMITS.instanceIdBytesMax + 1), "a\u0000b", "a\nb"])(
    "that nobody could name again fails the task that waits for the child",
    (instanceId) => {
      const world = startedWorld();
      const start = action({ case: "createSubOrchestration", value: { name: "Sub", instanceId } });
      world.completeTurn("order", { actions: sameActions(1, start) });
      const { state } = world.life("order");
      expect(state.children.size + state.outbox.length).toBe(0);
      const [failed] = state.inbox.map(readEvent);
      expect(failed?.eventType).toMatchObject({
        case: "subOrchestrationInstanceFailed",
        value: { taskScheduledId: 1, failureDetails: { errorType: "InvalidInstanceId" } },
      });
    },
  );
});

describe("more events than a call may have arguments", () => {
  const many = 150_000;

  test("are carried over to the next generation", () => {
    const world = startedWorld();
    for (let i = 0; i < many; i++) raise(world, undefined);
    const status = OrchestrationStatus.CONTINUED_AS_NEW;
    const again = action({ case: "completeOrchestration", value: { orchestrationStatus: status } });
    world.completeTurn("order", { actions: sameActions(1, again) });
    const { state } = world.life("order");
    expect(state.generation).toBe(2);
    expect(state.inbox).toHaveLength(many + 1);
  });

  test("fall due at once and fire a bounded number in each commit", () => {
    const world = startedWorld();
    const perTurn = LIMITS.actionsPerTurnMax;
    for (let turn = 0; turn < many / perTurn; turn++) {
      world.completeTurn("order", { actions: timers(perTurn) });
      raise(world, undefined);
      world.beginTurn("order");
    }
    expect(world.life("order").state.timers.size).toBe(many);
    for (let left = many - perTurn; left >= 0; left -= perTurn) {
      const command = { turnInFlight: false, hubFreezes: [], frozen: false };
      world.perform("order", Cause.DUE, (state, environment) =>
        decideDue(state, command, environment),
      );
      expect(world.life("order").state.timers.size).toBe(left);
    }
  });
});

test("a failure that is nested too deep to be read again is cut", () => {
  const world = worldWithActivity();
  let failureDetails = create(TaskFailureDetailsSchema, { errorMessage: "innermost" });
  for (let depth = 0; depth < 96; depth++) {
    failureDetails = create(TaskFailureDetailsSchema, { innerFailure: failureDetails });
  }
  const answer = { workId: 1n, result: undefined, failureDetails };
  world.perform("order", Cause.COMPLETE_ACTIVITY, (state, environment) =>
    decideActivityResult(state, answer, environment),
  );
  const [stored] = world.life("order").state.inbox;
  const { eventType } = fromBinary(HistoryEventSchema, stored?.event ?? new Uint8Array(), {
    recursionLimit: 60,
  });
  expect(eventType.case).toBe("taskFailed");
});

describe("events of one turn", () => {
  test("are at most 1,000; the rest waits for the next turn", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: [] });
    for (let i = 0; i < LIMITS.turnEventsMax + 1; i++) raise(world, undefined);
    expect(world.beginTurn("order").taken).toHaveLength(LIMITS.turnEventsMax);
    world.completeTurn("order", { actions: [] });
    expect(world.beginTurn("order").taken).toHaveLength(1);
  });

  test("have at most 1 MiB together", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: [] });
    for (let i = 0; i < 3; i++) raise(world, "a".repeat(LIMITS.turnEventBytesMax / 2));
    expect(world.beginTurn("order").taken).toHaveLength(1);
  });

  test("include one that is larger than that, alone", () => {
    const world = startedWorld();
    world.completeTurn("order", { actions: [] });
    raise(world, atLimit);
    raise(world, undefined);
    expect(world.beginTurn("order").taken).toHaveLength(1);
  });
});

test("a line of descendants remembers its nearest 64 ancestors", () => {
  const world = startedWorld();
  let id = "order";
  for (let depth = 1; depth <= LIMITS.ancestorsMax + 2; depth++) {
    const child = `${depth}`;
    const value = { name: "Sub", instanceId: child };
    const start = action({ case: "createSubOrchestration", value });
    world.completeTurn(id, { actions: sameActions(1, start) });
    world.deliver(id);
    world.beginTurn(child);
    id = child;
  }
  const { ancestors, parent } = world.life(id).state;
  expect(ancestors).toHaveLength(LIMITS.ancestorsMax);
  expect(ancestors[0]).toBe(parent?.number);
  expect(ancestors.at(-1)).toBe(3n);
});

function action(orchestratorActionType: ActionInit): ActionType {
  return create(OrchestratorActionSchema, { orchestratorActionType }).orchestratorActionType;
}

function event(data: string): ActionType {
  const instance = { instanceId: "other" };
  return action({ case: "sendEvent", value: { instance, name: "Hello", data } });
}

function timers(count: number): readonly OrchestratorAction[] {
  return sameActions(count, action({ case: "createTimer", value: {} }));
}

function sameActions(count: number, type: ActionType): readonly OrchestratorAction[] {
  return Array.from({ length: count }, (_, index) => ({
    ...create(OrchestratorActionSchema, { id: index + 1 }),
    orchestratorActionType: type,
  }));
}

/** With the first turn of "order" at a worker. */
function startedWorld(): ScenarioWorld {
  const world = new ScenarioWorld({ isChecked: false });
  world.perform("order", Cause.START, (state, environment) =>
    decideStart(
      state,
      {
        instanceId: "order",
        name: "Order",
        version: undefined,
        input: undefined,
        tags: {},
        parentTraceContext: undefined,
        scheduledStartAt: undefined,
        executionId: undefined,
        idReusePolicy: undefined,
        fingerprint: undefined,
        refusedBecause: undefined,
      },
      environment,
    ),
  );
  world.beginTurn("order");
  return world;
}

function worldWithActivity(): ScenarioWorld {
  const world = startedWorld();
  const pay = action({ case: "scheduleTask", value: { name: "Pay" } });
  world.completeTurn("order", { actions: sameActions(1, pay) });
  return world;
}

function worldWithStatuses(count: number, text: (n: number) => string): ScenarioWorld {
  const world = startedWorld();
  for (let n = 0; n < count; n += 1) {
    world.completeTurn("order", { actions: [], customStatus: text(n) });
    raise(world, undefined);
    world.beginTurn("order");
  }
  return world;
}

function keptStatuses(world: ScenarioWorld) {
  const { customStatus, customStatusHistory } = world.life("order").state;
  return [...customStatusHistory, customStatus].map((status) => status?.text);
}

function completeActivity(world: ScenarioWorld, result: string): void {
  const answer = { workId: 1n, result, failureDetails: undefined };
  world.perform("order", Cause.COMPLETE_ACTIVITY, (state, environment) =>
    decideActivityResult(state, answer, environment),
  );
}

const anyNumber = { eventsMax: Number.MAX_SAFE_INTEGER, bytesMax: Number.MAX_SAFE_INTEGER };

function raise(world: ScenarioWorld, input: string | undefined): void {
  const command = { instanceId: "order", name: "Hello", input, ignoreFinished: true };
  world.perform("order", Cause.RAISE_EVENT, (state, environment) =>
    decideRaiseEvent(state, command, environment, anyNumber),
  );
}

function inboxKinds(world: ScenarioWorld): readonly number[] {
  return world.life("order").state.inbox.map(({ kind }) => kind);
}

function failureOf(world: ScenarioWorld): TaskFailureDetails | undefined {
  const { completed } = world.life("order").state;
  const type = completed && readEvent(completed).eventType;
  return type?.case === "executionCompleted" ? type.value.failureDetails : undefined;
}
