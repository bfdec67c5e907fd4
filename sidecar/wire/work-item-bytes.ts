/**
 * Work items as finished bytes. Events are spliced in as they were stored: encoding a history again
 * for each turn costs about thirty times as much. Field numbers are those of
 * proto/compat/orchestrator_service.proto.
 */
import { create } from "@bufbuild/protobuf";
import { assert } from "../foundation/assert.ts";
import { blank } from "./blank.ts";
import { encode } from "./encode.ts";
import {
  ActivityRequestSchema,
  HistoryChunkSchema,
  OrchestrationInstanceSchema,
  OrchestratorRequestSchema,
  TaskScheduledEventSchema,
  WorkItemSchema,
} from "./gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "./gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "./history-event.ts";
import { delimitedFields, Splice, varintSize } from "./splice.ts";

const workItem = WorkItemSchema.field;
const turnRequest = OrchestratorRequestSchema.field;
const activityRequest = ActivityRequestSchema.field;
const instance = OrchestrationInstanceSchema.field;
const scheduledEvent = TaskScheduledEventSchema.field;

/**
 * `entityParameters` with an explicit reorder window of 0 s: .NET takes its absence for "no
 * entities" (trap T30).
 */
const noReorderWindow = Uint8Array.of(0x0a, 0x00);

/** An OrchestratorRequest whose past events have to be fetched, and nothing else of it. */
const historyIsStreamed = encode(
  OrchestratorRequestSchema,
  create(OrchestratorRequestSchema, { requiresHistoryStreaming: true }),
);

export interface TurnContents {
  readonly token: string;
  readonly instanceId: string;
  readonly executionId: string;
  /** The history; undefined when the worker is to fetch it itself. */
  readonly pastEvents: readonly StoredEvent[] | undefined;
  readonly started: StoredEvent;
  readonly taken: readonly StoredEvent[];
  /** Encoded OrchestrationTraceContext, as the previous turn returned it. */
  readonly traceContext: Uint8Array | undefined;
}

export function turnWorkItem(turn: TurnContents): Uint8Array {
  const request = new Splice(turn.pastEvents === undefined ? historyIsStreamed : undefined);
  request.add(turnRequest.instanceId.number, turn.instanceId);
  request.add(turnRequest.executionId.number, stringValue(turn.executionId));
  for (const event of turn.pastEvents ?? []) {
    if (isForWorkers(event)) request.add(turnRequest.pastEvents.number, event.event);
  }
  request.add(turnRequest.newEvents.number, turn.started.event);
  for (const event of turn.taken) request.add(turnRequest.newEvents.number, event.event);
  request.add(turnRequest.entityParameters.number, noReorderWindow);
  if (turn.traceContext !== undefined) {
    request.add(turnRequest.orchestrationTraceContext.number, turn.traceContext);
  }
  return new Splice()
    .add(workItem.orchestratorRequest.number, request)
    .add(workItem.completionToken.number, turn.token)
    .finish();
}

export interface ActivityContents {
  readonly token: string;
  readonly instanceId: string;
  readonly executionId: string;
  readonly taskId: number;
  /** The TaskScheduled event. */
  readonly scheduled: StoredEvent;
}

/** What a TaskScheduled event says is what the worker is asked, under other field numbers. */
const requestFieldOf = new Map([
  [scheduledEvent.name.number, activityRequest.name.number],
  [scheduledEvent.version.number, activityRequest.version.number],
  [scheduledEvent.input.number, activityRequest.input.number],
  [scheduledEvent.parentTraceContext.number, activityRequest.parentTraceContext.number],
  [scheduledEvent.tags.number, activityRequest.tags.number],
]);

export function activityWorkItem(activity: ActivityContents): Uint8Array {
  // The task id is the one field that is not length-delimited; fields may come in any order.
  const taskId = blank(ActivityRequestSchema);
  taskId.taskId = activity.taskId;
  const request = new Splice(encode(ActivityRequestSchema, taskId));
  request.add(
    activityRequest.orchestrationInstance.number,
    new Splice()
      .add(instance.instanceId.number, activity.instanceId)
      .add(instance.executionId.number, stringValue(activity.executionId)),
  );
  for (const [number, bytes] of delimitedFields(taskScheduledIn(activity.scheduled))) {
    const field = requestFieldOf.get(number);
    if (field !== undefined) request.add(field, bytes);
  }
  return new Splice()
    .add(workItem.activityRequest.number, request)
    .add(workItem.completionToken.number, activity.token)
    .finish();
}

function taskScheduledIn({ event, kind }: StoredEvent): Uint8Array {
  assert(kind === EventKind.taskScheduled, "an activity has its TaskScheduled event");
  for (const [field, bytes] of delimitedFields(event)) if (field === kind) return bytes;
  assert(false, "a stored event is of its kind");
}

/** A google.protobuf.StringValue. */
function stringValue(text: string): Splice {
  return new Splice().add(1, text);
}

/** Keeps a silent stream alive: .NET and Python take 120 s of silence for a lost connection. */
export const healthPing: Uint8Array = encode(
  WorkItemSchema,
  create(WorkItemSchema, { request: { case: "healthPing", value: {} } }),
);

/**
 * Encoded HistoryChunks of at most `chunkBytes` each; a larger event is a chunk of its own.
 */
export function* historyChunks(
  events: Iterable<StoredEvent>,
  chunkBytes: number,
): Generator<Uint8Array> {
  const chunks = new HistoryChunks(chunkBytes);
  for (const event of events) {
    const full = chunks.add(event);
    if (full !== undefined) yield full;
  }
  const rest = chunks.finish();
  if (rest !== undefined) yield rest;
}

/** Gathers events into encoded HistoryChunks. */
export class HistoryChunks {
  readonly #bytesMax: number;
  #chunk = new Splice();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Returns the chunk before this event, when the event has no room in it. */
  add({ event }: StoredEvent): Uint8Array | undefined {
    const hasRoom = this.#chunk.length + eventFieldBytes(event.length) <= this.#bytesMax;
    const full = hasRoom ? undefined : this.finish();
    this.#chunk.add(HistoryChunkSchema.field.events.number, event);
    return full;
  }

  /** What has gathered since the last chunk; undefined when there is nothing. */
  finish(): Uint8Array | undefined {
    if (this.#chunk.length === 0) return undefined;
    const bytes = this.#chunk.finish();
    this.#chunk = new Splice();
    return bytes;
  }
}

/** What an event of so many bytes takes in a message, with its tag and length. */
export function eventFieldBytes(length: number): number {
  return 1 + varintSize(length) + length;
}

/** The most that so many events take in a message that have so many bytes together. */
export function eventFieldsBytes(events: number, bytes: number): number {
  // A length takes one byte, and one more for each seven bits that it has.
  const longer = [7, 14, 21, 28].map((bits) => Math.min(events, Math.floor(bytes / 2 ** bits)));
  return longer.reduce((sum, more) => sum + more, bytes + 2 * events);
}

const readerOnly: ReadonlySet<number> = new Set([
  EventKind.executionSuspended,
  EventKind.executionResumed,
  EventKind.executionTerminated,
  EventKind.executionCompleted,
  EventKind.executionRewound,
]);

/** Events that only readers of a history are shown: several SDK workers fail on them. */
export function isForWorkers(event: StoredEvent): boolean {
  return !readerOnly.has(event.kind);
}
