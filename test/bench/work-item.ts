/** Reads of a work item only what the load worker needs; everything else is skipped over. */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  ActivityRequestSchema,
  HistoryEventSchema,
  OrchestrationInstanceSchema,
  OrchestratorRequestSchema,
  TaskCompletedEventSchema,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** A work item as the load worker sees it. */
export interface ReadItem {
  kind: "turn" | "activity" | "other";
  token: string;
  instanceId: string;
  /** Of the activity, or of the newest completion that a turn brings; 0 when there is none. */
  taskId: number;
  /** Results of activities in a turn: past ones only when they were asked for. */
  completions: number;
}

const item = WorkItemSchema.field;
const turn = OrchestratorRequestSchema.field;
const activity = ActivityRequestSchema.field;
const event = HistoryEventSchema.field;

/**
 * @param withPast also counts completions in the history; otherwise it is skipped in a few steps
 * per event
 */
export function readWorkItem(bytes: Uint8Array, withPast: boolean): ReadItem {
  const read: ReadItem = { kind: "other", token: "", instanceId: "", taskId: 0, completions: 0 };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === item.orchestratorRequest.number) readTurn(reader.bytes(), withPast, read);
    else if (field === item.activityRequest.number) readActivity(reader.bytes(), read);
    else if (field === item.completionToken.number) read.token = reader.string();
    else reader.skip(type, field);
  }
  return read;
}

function readTurn(bytes: Uint8Array, withPast: boolean, read: ReadItem): void {
  read.kind = "turn";
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === turn.instanceId.number) read.instanceId = reader.string();
    else if (field === turn.newEvents.number) readEvent(reader.bytes(), read);
    else if (field === turn.pastEvents.number && withPast) readEvent(reader.bytes(), read);
    else reader.skip(type, field);
  }
}

/** The kind of an event comes behind its id and its time; only completions are of interest. */
function readEvent(bytes: Uint8Array, read: ReadItem): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === event.taskCompleted.number) {
      read.completions += 1;
      read.taskId = readNumber(reader.bytes(), taskScheduledId);
      return;
    }
    if (field !== event.eventId.number && field !== event.timestamp.number) return;
    reader.skip(type, field);
  }
}

function readActivity(bytes: Uint8Array, read: ReadItem): void {
  read.kind = "activity";
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === activity.taskId.number) read.taskId = reader.int32();
    else if (field === activity.orchestrationInstance.number) {
      read.instanceId = readText(reader.bytes(), instanceId);
    } else reader.skip(type, field);
  }
}

const taskScheduledId = TaskCompletedEventSchema.field.taskScheduledId.number;
const instanceId = OrchestrationInstanceSchema.field.instanceId.number;

function readNumber(bytes: Uint8Array, wanted: number): number {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) return reader.int32();
    reader.skip(type, field);
  }
  return 0;
}

function readText(bytes: Uint8Array, wanted: number): string {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) return reader.string();
    reader.skip(type, field);
  }
  return "";
}
