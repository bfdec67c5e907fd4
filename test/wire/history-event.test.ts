import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { failureDetails } from "../../sidecar/wire/failure-details.ts";
import {
  CreateSubOrchestrationActionSchema,
  type HistoryEvent,
  HistoryEventSchema,
  OrchestrationStatus,
  ScheduleTaskActionSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  type StoredEvent,
  StoredEventSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import * as events from "../../sidecar/wire/history-event.ts";

/** 100 ns and 1 ns digits, which milliseconds would lose. */
const now = create(TimestampSchema, { seconds: 1_767_261_600n, nanos: 123_456_789 });
const fireAt = create(TimestampSchema, { seconds: 4_922_121_600n, nanos: 1 });
const failure = failureDetails("Broken", "pipe");
const actionId = 7;

const task = (given: MessageInitShape<typeof ScheduleTaskActionSchema>) =>
  create(ScheduleTaskActionSchema, { name: "Pay", ...given });
const child = (given: MessageInitShape<typeof CreateSubOrchestrationActionSchema>) =>
  create(CreateSubOrchestrationActionSchema, { name: "Sub", ...given });
const completed = { orchestrationStatus: OrchestrationStatus.COMPLETED };

const madeFromActions: Readonly<Record<string, (id: number) => StoredEvent>> = {
  executionCompleted: (id) => events.executionCompleted(id, now, completed),
  taskScheduled: (id) => events.taskScheduled(id, now, task({})),
  timerCreated: (id) => events.timerCreated(id, now, fireAt),
  subOrchestrationInstanceCreated: (id) => events.subOrchestrationCreated(id, now, "c", child({})),
  eventSent: (id) => events.eventSent(id, now, "other", "Hello", undefined),
};

const madeByTheSidecar: Readonly<Record<string, StoredEvent>> = {
  orchestratorStarted: events.orchestratorStarted(now),
  executionStarted: events.executionStarted(now, { name: "Order" }),
  executionTerminated: events.executionTerminated(now, "out", true),
  executionSuspended: events.executionSuspended(now, "wait"),
  executionResumed: events.executionResumed(now, "go"),
  taskCompleted: events.taskCompleted(actionId, now, "1"),
  taskFailed: events.taskFailed(actionId, now, failure),
  timerFired: events.timerFired(actionId, now, fireAt),
  subOrchestrationInstanceCompleted: events.subOrchestrationCompleted(actionId, now, "1"),
  subOrchestrationInstanceFailed: events.subOrchestrationFailed(actionId, now, failure),
  eventRaised: events.eventRaised(now, "Hello", "1"),
};

const all = {
  ...madeByTheSidecar,
  ...Object.fromEntries(
    Object.entries(madeFromActions).map(([kind, build]) => [kind, build(actionId)]),
  ),
};

describe("event ids", () => {
  test.each(Object.entries(madeFromActions))("%s has the id of its action", (_kind, build) => {
    for (const id of [0, 1, -1, 2_147_483_647, -2_147_483_648]) {
      expect(events.readEvent(build(id)).eventId).toBe(id);
    }
  });

  test.each(Object.entries(madeByTheSidecar))("%s has -1", (_kind, stored) => {
    expect(events.readEvent(stored).eventId).toBe(-1);
  });
});

describe.each(Object.entries(all))("%s", (kind, stored) => {
  test("is of its kind, inside and beside the bytes", () => {
    const { eventType } = events.readEvent(stored);
    expect(eventType.case).toBe(kind);
    expect(stored.kind).toBe(events.EventKind[kind as keyof typeof events.EventKind]);
  });

  test("keeps its time to the nanosecond", () => {
    expect(events.readEvent(stored).timestamp).toEqual(now);
  });

  test("is the same when it is stored again", () => {
    const again = events.storeEvent(events.readEvent(stored));
    expect(again).toEqual(stored);
  });

  test("is copied without where it came from", () => {
    const placed = create(StoredEventSchema, { ...stored, originSequence: 9n, originIndex: 3 });
    expect(events.copyEvent(placed)).toEqual(stored);
    expect(placed.originSequence).toBe(9n);
  });
});

test("timers keep the time they were asked for to the nanosecond", () => {
  expect(events.readEvent(events.timerCreated(1, now, fireAt)).eventType.value).toMatchObject({
    fireAt,
  });
  expect(events.readEvent(events.timerFired(1, now, fireAt)).eventType.value).toMatchObject({
    fireAt,
    timerId: 1,
  });
});

const withText: Readonly<Record<string, (text: string | undefined) => StoredEvent>> = {
  "executionStarted.input": (text) =>
    events.executionStarted(now, { name: "Order", ...events.present("input", text) }),
  "executionStarted.version": (text) =>
    events.executionStarted(now, { name: "Order", ...events.present("version", text) }),
  "executionCompleted.result": (text) =>
    events.executionCompleted(1, now, { ...completed, ...events.present("result", text) }),
  "executionTerminated.input": (text) => events.executionTerminated(now, text, false),
  "executionSuspended.input": (text) => events.executionSuspended(now, text),
  "executionResumed.input": (text) => events.executionResumed(now, text),
  "taskScheduled.input": (text) =>
    events.taskScheduled(1, now, task(events.present("input", text))),
  "taskScheduled.version": (text) =>
    events.taskScheduled(1, now, task(events.present("version", text))),
  "taskCompleted.result": (text) => events.taskCompleted(1, now, text),
  "subOrchestrationInstanceCreated.input": (text) =>
    events.subOrchestrationCreated(1, now, "c", child(events.present("input", text))),
  "subOrchestrationInstanceCreated.version": (text) =>
    events.subOrchestrationCreated(1, now, "c", child(events.present("version", text))),
  "subOrchestrationInstanceCompleted.result": (text) =>
    events.subOrchestrationCompleted(1, now, text),
  "eventSent.input": (text) => events.eventSent(1, now, "other", "Hello", text),
  "eventRaised.input": (text) => events.eventRaised(now, "Hello", text),
};

describe.each(Object.entries(withText))("%s", (path, build) => {
  test.each([undefined, "", "0", "null", '{ "a" :1', "ä\u0000"])(
    "%j comes back as it was",
    (text) => {
      const [kind, field = ""] = path.split(".");
      const { eventType } = decode(build(text));
      expect(eventType.case).toBe(kind);
      const value = eventType.value as unknown as Record<string, unknown>;
      expect(value[field]).toBe(text);
    },
  );
});

test("an absent text takes no bytes: empty and absent differ on the wire", () => {
  const absent = events.eventRaised(now, "Hello", undefined);
  const empty = events.eventRaised(now, "Hello", "");
  expect(empty.event.length).toBeGreaterThan(absent.event.length);
});

describe("EventKind", () => {
  test("has the published numbers", () => {
    expect(events.EventKind).toEqual({
      executionStarted: 3,
      executionCompleted: 4,
      executionTerminated: 5,
      taskScheduled: 6,
      taskCompleted: 7,
      taskFailed: 8,
      subOrchestrationInstanceCreated: 9,
      subOrchestrationInstanceCompleted: 10,
      subOrchestrationInstanceFailed: 11,
      timerCreated: 12,
      timerFired: 13,
      orchestratorStarted: 14,
      orchestratorCompleted: 15,
      eventSent: 16,
      eventRaised: 17,
      genericEvent: 18,
      historyState: 19,
      continueAsNew: 20,
      executionSuspended: 21,
      executionResumed: 22,
      entityOperationSignaled: 23,
      entityOperationCalled: 24,
      entityOperationCompleted: 25,
      entityOperationFailed: 26,
      entityLockRequested: 27,
      entityLockGranted: 28,
      entityUnlockSent: 29,
      executionRewound: 30,
    });
  });

  test("is the field number of its case in HistoryEvent", () => {
    for (const field of HistoryEventSchema.fields) {
      if (field.oneof === undefined) continue;
      expect(events.EventKind[field.localName as keyof typeof events.EventKind]).toBe(field.number);
    }
  });
});

test("an event that somebody else made is taken as it is", () => {
  const eventType = { case: "eventRaised", value: { name: "Hello" } } as const;
  const event = create(HistoryEventSchema, { eventId: 5, eventType });
  const stored = events.storeEvent(event);
  expect(stored.event).toEqual(toBinary(HistoryEventSchema, event));
  expect(events.readEvent(stored)).toEqual(event);
});

test("an event without a kind is impossible", () => {
  expect(() => events.storeEvent(create(HistoryEventSchema, { eventId: 1 }))).toThrow("has a kind");
});

describe("present", () => {
  test("leaves no property of an absent value", () => {
    expect(Object.keys(events.present("input", undefined))).toEqual([]);
  });

  test.each(["", 0, false, 0n])("keeps %s", (value) => {
    expect(events.present("input", value)).toEqual({ input: value });
  });
});

function decode({ event }: StoredEvent): HistoryEvent {
  return fromBinary(HistoryEventSchema, event);
}
