/**
 * Workers of some SDKs can rewind a history by themselves, and answer a turn with the new one. It is
 * taken as it is, apart from what nothing would ever answer; one that cannot be a history fails the
 * instance.
 *
 * @see PROTOCOL.md 4.13
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { LIMITS } from "../../foundation/limits.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import type {
  HistoryEvent,
  OrchestratorAction,
  TaskFailureDetails,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent, EventKind, storeEvent } from "../../wire/history-event.ts";
import { isTime } from "../../wire/timestamp.ts";
import type { Decision, Environment } from "../decision.ts";
import type { InstanceState } from "../state.ts";
import { beginRewound } from "./generation.ts";
import { type KeptHistory, keptHistory } from "./kept-history.ts";
import { inExecution } from "./rewind.ts";

/** The history that an answer rewinds to; undefined when it does nothing of the kind. */
export function rewoundBy(
  actions: readonly OrchestratorAction[],
): readonly HistoryEvent[] | undefined {
  for (const { orchestratorActionType: type } of actions) {
    if (type.case === "rewindOrchestration") return type.value.newHistory;
  }
  return undefined;
}

export interface WorkerRewind {
  readonly actions: readonly OrchestratorAction[];
  readonly newHistory: readonly HistoryEvent[];
  /** Events of the inbox that the turn was given. */
  readonly taken: number;
  readonly clock: Timestamp;
}

/** @returns why the history cannot be taken, or the decision to go on with it */
export function decideWorkerRewind(
  state: InstanceState,
  { actions, newHistory, taken, clock }: WorkerRewind,
  environment: Environment,
): { readonly failure: TaskFailureDetails } | { readonly decision: Decision } {
  const problem =
    actions.length > 1 ? "there are other actions" : historyProblem(state, newHistory);
  if (problem !== undefined) return { failure: refused(problem) };
  const stored = newHistory.map((event) => storeEvent(timed(event, environment.now)));
  const tooLarge = stored.some(({ event }) => event.length > LIMITS.rewoundEventBytesMax);
  if (tooLarge) {
    return { failure: refused(`an event has more than ${LIMITS.rewoundEventBytesMax} bytes`) };
  }
  const kept = keptHistory(stored);
  if (kept.children.length > LIMITS.actionsPerTurnMax) {
    return { failure: refused(`${kept.children.length} children are open`) };
  }
  return { decision: goOnWith(state, newHistory, kept, { taken, clock }, environment) };
}

function goOnWith(
  state: InstanceState,
  newHistory: readonly HistoryEvent[],
  { events, children }: KeptHistory,
  { taken, clock }: Pick<WorkerRewind, "taken" | "clock">,
  environment: Environment,
): Decision {
  const given = executionIdIn(newHistory);
  // Never one that there was: results for it would be taken for results of this one.
  const executionId = given === "" || given === state.executionId ? environment.ids.next() : given;
  const { parent } = state;
  const history = events.map((event) =>
    event.kind === EventKind.executionStarted ? inExecution(event, executionId, parent) : event,
  );
  // What arrived meanwhile belongs to the instance, if it is no result of the earlier generation.
  const inbox: readonly StoredEvent[] = state.inbox
    .slice(taken)
    .filter(({ kind }) => kind === EventKind.eventRaised)
    .map(copyEvent);
  const run = { executionId, parent, history, children, inbox, clock, reason: undefined };
  return beginRewound(state, run, environment);
}

/** What makes it impossible that this is the history of the instance so far. */
function historyProblem(state: InstanceState, history: readonly HistoryEvent[]) {
  if (history.length > LIMITS.rewoundEventsMax) {
    return `it has ${history.length} events: the limit is ${LIMITS.rewoundEventsMax}`;
  }
  const first = history.findIndex(({ eventType }) => eventType.case !== "orchestratorStarted");
  const start = history[first]?.eventType;
  if (start?.case !== "executionStarted") return "it does not begin with ExecutionStarted";
  const { name, orchestrationInstance: ids } = start.value;
  if (name !== state.name) return "it is of an orchestration of another name";
  if (ids?.instanceId !== state.instanceId) return "it is of another instance";
  if (Buffer.byteLength(ids.executionId ?? "") > LIMITS.instanceIdBytesMax) {
    return "its execution id is too long";
  }
  const odd = history.find(
    ({ eventType }, index) => index > first && !kindsTaken.has(eventType.case),
  );
  return odd && `an event of the kind ${odd.eventType.case ?? "unknown"} is not taken`;
}

/** Events that workers are sent, and that they make of those. */
const kindsTaken: ReadonlySet<string | undefined> = new Set([
  "orchestratorStarted",
  "orchestratorCompleted",
  "taskScheduled",
  "taskCompleted",
  "taskFailed",
  "subOrchestrationInstanceCreated",
  "subOrchestrationInstanceCompleted",
  "subOrchestrationInstanceFailed",
  "timerCreated",
  "timerFired",
  "eventSent",
  "eventRaised",
  "executionRewound",
  "entityOperationSignaled",
  "entityOperationCalled",
  "entityOperationCompleted",
  "entityOperationFailed",
  "entityLockRequested",
  "entityLockGranted",
  "entityUnlockSent",
]);

function executionIdIn(history: readonly HistoryEvent[]): string {
  for (const { eventType } of history) {
    if (eventType.case !== "executionStarted") continue;
    return eventType.value.orchestrationInstance?.executionId ?? "";
  }
  return "";
}

/** Every event must have a time (trap T11). */
function timed(event: HistoryEvent, now: Timestamp): HistoryEvent {
  const { timestamp } = event;
  return timestamp !== undefined && isTime(timestamp) ? event : { ...event, timestamp: now };
}

function refused(problem: string): TaskFailureDetails {
  return permanentFailure("InvalidHistory", `the history that the worker rewound to: ${problem}`);
}
