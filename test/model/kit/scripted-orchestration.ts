/**
 * An orchestration as a function of its history, so that turns may be lost and come again: two
 * activities, a timer and a child, then one more generation, and it ends when it has got "End". What
 * it has seen goes with it into the next generation and out with its result.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  HistoryEvent,
  OrchestratorAction,
  OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  scheduleTask,
  startChild,
} from "../../support/worker-actions.ts";

/** What an orchestration tells when it ends: JSON. */
export interface Seen {
  readonly generation: number;
  /** Payloads of events, in the order of their arrival. */
  readonly events: readonly string[];
  /** Results of activities. */
  readonly results: readonly string[];
}

export interface Answer {
  readonly actions: readonly OrchestratorAction[];
  readonly ends: boolean;
}

const nothingSeen: Seen = { generation: 0, events: [], results: [] };

export function answerTo(
  { instanceId, pastEvents, newEvents }: OrchestratorRequest,
  timerAt: Timestamp,
): Answer {
  const events = [...pastEvents, ...newEvents];
  const before = seenBefore(events);
  const hasChild = before.generation === 0 && !instanceId.includes("/");
  if (isFirst(pastEvents)) {
    const child = hasChild ? [startChild(3, `${instanceId}/1`)] : [];
    return {
      actions: [scheduleTask(1), scheduleTask(2), ...child, createTimer(4, timerAt)],
      ends: false,
    };
  }
  const seen = seenNow(before, events);
  const answers = events.filter(({ eventType: { case: kind } }) => answering.has(kind ?? ""));
  if (answers.length < (hasChild ? 4 : 3)) return { actions: [], ends: false };
  if (before.generation === 0) {
    const next: Seen = { ...seen, generation: 1 };
    return { actions: [continueAsNew(JSON.stringify(next))], ends: false };
  }
  if (!seen.events.includes("End")) return { actions: [], ends: false };
  return { actions: [completed(JSON.stringify(seen))], ends: true };
}

const answering = new Set([
  "taskCompleted",
  "timerFired",
  "subOrchestrationInstanceCompleted",
  "subOrchestrationInstanceFailed",
]);

function isFirst(pastEvents: readonly HistoryEvent[]): boolean {
  return !pastEvents.some(({ eventType }) => eventType.case === "executionStarted");
}

function seenBefore(events: readonly HistoryEvent[]): Seen {
  for (const { eventType } of events) {
    if (eventType.case !== "executionStarted") continue;
    const { input } = eventType.value;
    return input ? JSON.parse(input) : nothingSeen;
  }
  throw new Error("a history begins with its execution");
}

function seenNow(before: Seen, events: readonly HistoryEvent[]): Seen {
  const raised: string[] = [];
  const results: string[] = [];
  for (const { eventType } of events) {
    if (eventType.case === "eventRaised") raised.push(eventType.value.input ?? "");
    if (eventType.case === "taskCompleted") results.push(eventType.value.result ?? "");
  }
  return {
    generation: before.generation,
    events: [...before.events, ...raised],
    results: [...before.results, ...results],
  };
}
