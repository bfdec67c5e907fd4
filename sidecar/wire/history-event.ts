/**
 * One constructor for each history event that the sidecar makes, encoded once: from here on an
 * event is bytes that are carried, stored and spliced, with its kind beside them.
 *
 * `eventId` is the action id for events made from actions and -1 for everything else: 0 is a valid
 * action id, and the .NET worker drops a second result with a non-negative id as a duplicate.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import { blank } from "./blank.ts";
import { encode } from "./encode.ts";
import {
  type CreateSubOrchestrationAction,
  type ExecutionCompletedEventSchema,
  type ExecutionStartedEventSchema,
  type HistoryEvent,
  HistoryEventSchema,
  type ScheduleTaskAction,
  type TaskFailureDetails,
} from "./gen/orchestrator_service_pb.ts";
import { type StoredEvent, StoredEventSchema } from "./gen/taskhub/internal/v1/state_pb.ts";

type EventCase = NonNullable<HistoryEvent["eventType"]["case"]>;
type EventInit = NonNullable<MessageInitShape<typeof HistoryEventSchema>["eventType"]>;

/** The kinds of events: the field numbers of their cases in HistoryEvent. @see StoredEvent */
export const EventKind = Object.fromEntries(
  HistoryEventSchema.fields
    .filter((field) => field.oneof !== undefined)
    .map((field) => [field.localName, field.number]),
) as Readonly<Record<EventCase, number>>;

export const notFromAnAction = -1;

/** Takes an event that somebody else made, such as a carried-over one, as it is. */
export function storeEvent(event: HistoryEvent): StoredEvent {
  assert(event.eventType.case !== undefined, "a history event has a kind");
  return storedEvent(encode(HistoryEventSchema, event), EventKind[event.eventType.case]);
}

/** The same event for another log: where its bytes stand in the old one means nothing there. */
export function copyEvent({ event, kind }: StoredEvent): StoredEvent {
  return storedEvent(event, kind);
}

function storedEvent(event: Uint8Array, kind: number): StoredEvent {
  const made = blank(StoredEventSchema);
  made.event = event;
  made.kind = kind;
  return made;
}

/** Decodes an event; only for the few places that need to look inside. */
export function readEvent(stored: StoredEvent): HistoryEvent {
  return fromBinary(HistoryEventSchema, stored.event);
}

/** Instance ids of the children that a history created, each once. */
export function childrenIn(history: readonly StoredEvent[]): ReadonlySet<string> {
  const children = new Set<string>();
  for (const stored of history) {
    if (stored.kind !== EventKind.subOrchestrationInstanceCreated) continue;
    const { eventType } = readEvent(stored);
    if (eventType.case === "subOrchestrationInstanceCreated") {
      children.add(eventType.value.instanceId);
    }
  }
  return children;
}

/** Encodes an event of any kind; the functions below and in entity-event.ts say which there are. */
export function event(eventId: number, timestamp: Timestamp, eventType: EventInit): StoredEvent {
  const made = blank(HistoryEventSchema);
  made.eventId = eventId;
  made.timestamp = timestamp;
  made.eventType = completeEvent(eventType);
  return storeEvent(made);
}

/** Fills in what an event of this kind begins with. */
function completeEvent({ case: kind, value }: EventInit): HistoryEvent["eventType"] {
  assert(kind !== undefined, "a history event has a kind");
  const schema = schemaOf.get(kind);
  assert(schema !== undefined, `${kind} is a kind of event`);
  return { case: kind, value: create(schema, value) } as HistoryEvent["eventType"];
}

const schemaOf: ReadonlyMap<string, DescMessage> = new Map(
  HistoryEventSchema.fields.flatMap(({ localName, message, oneof }) =>
    oneof === undefined || message === undefined ? [] : [[localName, message]],
  ),
);

export function orchestratorStarted(clock: Timestamp): StoredEvent {
  return event(notFromAnAction, clock, { case: "orchestratorStarted", value: {} });
}

export function executionStarted(
  now: Timestamp,
  value: MessageInitShape<typeof ExecutionStartedEventSchema>,
): StoredEvent {
  return event(notFromAnAction, now, { case: "executionStarted", value });
}

export function executionCompleted(
  actionId: number,
  now: Timestamp,
  value: MessageInitShape<typeof ExecutionCompletedEventSchema>,
): StoredEvent {
  return event(actionId, now, { case: "executionCompleted", value });
}

export function executionTerminated(
  now: Timestamp,
  output: string | undefined,
  recurse: boolean,
): StoredEvent {
  const value = { ...present("input", output), recurse };
  return event(notFromAnAction, now, { case: "executionTerminated", value });
}

export function executionSuspended(now: Timestamp, reason: string | undefined): StoredEvent {
  const value = present("input", reason);
  return event(notFromAnAction, now, { case: "executionSuspended", value });
}

export function executionResumed(now: Timestamp, reason: string | undefined): StoredEvent {
  return event(notFromAnAction, now, { case: "executionResumed", value: present("input", reason) });
}

/**
 * @param instanceId of the rewound instance; shown with `parentExecutionId` when its parent was rewound
 */
export function executionRewound(
  now: Timestamp,
  reason: string | undefined,
  instanceId: string,
  parentExecutionId: string | undefined,
): StoredEvent {
  const ofChild = parentExecutionId === undefined ? {} : { instanceId, parentExecutionId };
  const value = { ...present("reason", reason), ...ofChild };
  return event(notFromAnAction, now, { case: "executionRewound", value });
}

export function taskScheduled(
  actionId: number,
  now: Timestamp,
  action: ScheduleTaskAction,
): StoredEvent {
  const value = {
    name: action.name,
    tags: action.tags,
    ...present("version", action.version),
    ...present("input", action.input),
    ...present("parentTraceContext", action.parentTraceContext),
  };
  return event(actionId, now, { case: "taskScheduled", value });
}

export function taskCompleted(
  taskScheduledId: number,
  now: Timestamp,
  result: string | undefined,
): StoredEvent {
  const value = { taskScheduledId, ...present("result", result) };
  return event(notFromAnAction, now, { case: "taskCompleted", value });
}

export function taskFailed(
  taskScheduledId: number,
  now: Timestamp,
  failureDetails: TaskFailureDetails,
): StoredEvent {
  const value = { taskScheduledId, failureDetails };
  return event(notFromAnAction, now, { case: "taskFailed", value });
}

export function timerCreated(actionId: number, now: Timestamp, fireAt: Timestamp): StoredEvent {
  return event(actionId, now, { case: "timerCreated", value: { fireAt } });
}

export function timerFired(timerId: number, now: Timestamp, fireAt: Timestamp): StoredEvent {
  return event(notFromAnAction, now, { case: "timerFired", value: { timerId, fireAt } });
}

export function subOrchestrationCreated(
  actionId: number,
  now: Timestamp,
  instanceId: string,
  action: CreateSubOrchestrationAction,
): StoredEvent {
  const value = {
    instanceId,
    name: action.name,
    tags: action.tags,
    ...present("version", action.version),
    ...present("input", action.input),
    ...present("parentTraceContext", action.parentTraceContext),
  };
  return event(actionId, now, { case: "subOrchestrationInstanceCreated", value });
}

export function subOrchestrationCompleted(
  taskScheduledId: number,
  now: Timestamp,
  result: string | undefined,
): StoredEvent {
  const value = { taskScheduledId, ...present("result", result) };
  return event(notFromAnAction, now, { case: "subOrchestrationInstanceCompleted", value });
}

export function subOrchestrationFailed(
  taskScheduledId: number,
  now: Timestamp,
  failureDetails: TaskFailureDetails,
): StoredEvent {
  const value = { taskScheduledId, failureDetails };
  return event(notFromAnAction, now, { case: "subOrchestrationInstanceFailed", value });
}

export function eventSent(
  actionId: number,
  now: Timestamp,
  instanceId: string,
  name: string,
  input: string | undefined,
): StoredEvent {
  const value = { instanceId, name, ...present("input", input) };
  return event(actionId, now, { case: "eventSent", value });
}

export function eventRaised(now: Timestamp, name: string, input: string | undefined): StoredEvent {
  const value = { name, ...present("input", input) };
  return event(notFromAnAction, now, { case: "eventRaised", value });
}

/** Absent and empty are different on the wire: an absent value must leave no property behind. */
export function present<K extends string, V>(
  key: K,
  value: V | undefined,
): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
