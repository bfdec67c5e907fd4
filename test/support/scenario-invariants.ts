/** What must hold of every instance after every step. */
import { isDeepStrictEqual } from "node:util";
import { fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { nextDue } from "../../sidecar/engine/due.ts";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { hasTurnToRun, isReady } from "../../sidecar/engine/readiness.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { fromStoredState, toStoredState } from "../../sidecar/engine/stored-state.ts";
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { EntrySchema } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  InstanceStateSchema,
  Status,
  type StoredEvent,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../../sidecar/wire/history-event.ts";
import { addMilliseconds, compareTimestamps } from "../../sidecar/wire/timestamp.ts";
import { checkEntity, hasBatch } from "./entity-invariants.ts";
import type { Life } from "./scenario-world.ts";

const { executionSuspended: suspended, executionResumed: resumed } = EventKind;

export function checkLife(life: Life): void {
  checkRebuild(life);
  checkSnapshot(life.state);
  checkHistory(life);
  checkAnswers([...life.history, ...life.state.inbox].map(readEvent));
  checkPairs(life);
  checkInbox(life.state);
  checkWork(life.state);
  checkAttention(life.state);
  checkHolds(life.state);
  checkRevisions(life.state);
  checkEntity(life.state);
  if (isTerminal(life.state)) checkTerminal(life);
  else expect(life.state.completed, "only a finished instance has completed").toBeUndefined();
}

function expectSameState(actual: InstanceState, expected: InstanceState, message: string): void {
  // The readable form takes ten times as long as the bytes.
  if (isDeepStrictEqual(stateBytes(actual), stateBytes(expected))) return;
  expect(plainState(actual), message).toEqual(plainState(expected));
}

/** All that decisions can see of a state, to compare. */
export function stateBytes(state: InstanceState): unknown {
  return {
    ...plainPart(state),
    stored: toBinary(InstanceStateSchema, toStoredState(state)),
  };
}

/** All that decisions can see of a state, to read. */
function plainState(state: InstanceState): unknown {
  return {
    ...plainPart(state),
    stored: toJson(InstanceStateSchema, toStoredState(state)),
  };
}

function plainPart({ number, sequence, awaitedActivities, awaitedChildren }: InstanceState) {
  return {
    number,
    sequence,
    awaitedActivities: sorted(awaitedActivities),
    awaitedChildren: sorted(awaitedChildren),
  };
}

function sorted(map: ReadonlyMap<number, bigint>) {
  return [...map].sort(([left], [right]) => left - right);
}

/** State and history of the current generation, from the log from entry `first` on. */
export function rebuild({ log, number }: Life, first = 0) {
  let state: InstanceState | undefined;
  let history: StoredEvent[] = [];
  for (const [index, bytes] of log.entries()) {
    if (index < first) continue;
    const entry = fromBinary(EntrySchema, bytes);
    if (entry.base !== undefined) history = [];
    state = evolve(state, number, index + 1, entry, (event) => history.push(event));
  }
  if (state === undefined) throw new Error("a log has entries");
  return { state, history };
}

/** The log says it all: all of it, and from the newest base on. */
function checkRebuild(life: Life): void {
  expect(life.state.sequence, "sequences are dense").toBe(life.log.length);
  const newestBase = life.log.findLastIndex(
    (bytes) => fromBinary(EntrySchema, bytes).base !== undefined,
  );
  for (const first of new Set([0, newestBase])) {
    const { state, history } = rebuild(life, first);
    expectSameState(state, life.state, "the log gives the live state");
    expect(isDeepStrictEqual(bytesOf(history), bytesOf(life.history)), "and its history").toBe(
      true,
    );
  }
}

function checkSnapshot(state: InstanceState): void {
  const bytes = toBinary(InstanceStateSchema, toStoredState(state));
  const stored = fromBinary(InstanceStateSchema, bytes);
  const loaded = fromStoredState(stored, state.number, state.sequence);
  expectSameState(loaded, state, "a snapshot gives the live state");
}

function bytesOf(events: readonly StoredEvent[]): readonly Uint8Array[] {
  return events.map(({ event }) => event);
}

function checkHistory({ history, state, clocks }: Life): void {
  expect(state.historyEvents).toBe(history.length);
  expect(state.historyBytes).toBe(history.reduce((sum, { event }) => sum + event.length, 0));
  const events = history.map(readEvent);
  const kinds = events.map(({ eventType }) => eventType.case);
  const completions = kinds.filter((kind) => kind === "executionCompleted");
  expect(completions.length, "a history has one end").toBeLessThanOrEqual(1);
  if (completions.length === 1) expect(kinds.at(-1)).toBe("executionCompleted");
  if (kinds.length > 0) {
    expect(kinds.slice(0, 2)).toEqual(["orchestratorStarted", "executionStarted"]);
    expect(kinds.filter((kind) => kind === "executionStarted")).toHaveLength(1);
  }
  for (const event of events) checkEvent(event);
  for (const [index, clock] of clocks.entries()) {
    const earlier = clocks[index - 1];
    if (earlier !== undefined) checkNotBefore(clock, addMilliseconds(earlier, 1), "turn clocks");
  }
}

const madeFromActions: ReadonlySet<string | undefined> = new Set([
  "executionCompleted",
  "taskScheduled",
  "timerCreated",
  "subOrchestrationInstanceCreated",
  "eventSent",
  "entityOperationSignaled",
  "entityOperationCalled",
  "entityLockRequested",
  "entityUnlockSent",
]);

function checkEvent({ eventId, timestamp, eventType }: HistoryEvent): void {
  expect(timestamp, "every event has a time (T11)").toBeDefined();
  if (!madeFromActions.has(eventType.case)) expect(eventId, "ids of actions only (T1)").toBe(-1);
}

/** No answer without a question before it, and not more answers than questions. */
function checkAnswers(events: readonly HistoryEvent[]): void {
  const open = new Map<string, number>();
  const ask = (what: string) => open.set(what, (open.get(what) ?? 0) + 1);
  const answer = (what: string) => {
    const left = (open.get(what) ?? 0) - 1;
    expect(left, `${what} has one answer`).toBeGreaterThanOrEqual(0);
    open.set(what, left);
  };
  for (const { eventId, eventType } of events) {
    switch (eventType.case) {
      case "taskScheduled":
        ask(`activity ${eventId}`);
        break;
      case "timerCreated":
        ask(`timer ${eventId}`);
        break;
      case "subOrchestrationInstanceCreated":
        ask(`child ${eventId}`);
        break;
      case "taskCompleted":
      case "taskFailed":
        answer(`activity ${eventType.value.taskScheduledId}`);
        break;
      case "timerFired":
        answer(`timer ${eventType.value.timerId}`);
        break;
      case "subOrchestrationInstanceCompleted":
      case "subOrchestrationInstanceFailed":
        answer(`child ${eventType.value.taskScheduledId}`);
        break;
      default:
    }
  }
}

/**
 * Suspended and Resumed take turns, in the order in which readers will see them, and end as the
 * instance stands.
 */
function checkPairs({ history, state }: Life): void {
  const behindStart = state.markers.filter((marker) => marker.behindExecutionStarted);
  const later = state.markers.filter((marker) => !marker.behindExecutionStarted);
  const waiting = [...behindStart, ...later].map(({ event }) => event?.kind);
  const kinds = [...history.map(({ kind }) => kind), ...waiting];
  const pair: readonly (number | undefined)[] = [suspended, resumed];
  const shown = kinds.filter((kind) => pair.includes(kind));
  expect(shown, "no double suspend or resume (T4, T5)").toEqual(shown.map((_, i) => pair[i % 2]));
  if (isTerminal(state) || state.entity !== undefined) return;
  expect(shown.at(-1) === suspended, "the last one says how it is").toBe(state.holds.length > 0);
}

const neverDelivered: ReadonlySet<string | undefined> = new Set([
  "orchestratorStarted",
  "executionSuspended",
  "executionResumed",
  "executionTerminated",
  "executionCompleted",
]);

function checkInbox(state: InstanceState): void {
  const events = state.inbox.map(readEvent);
  for (const [index, event] of events.entries()) {
    checkEvent(event);
    expect(neverDelivered.has(event.eventType.case)).toBe(false);
    const isStart = event.eventType.case === "executionStarted";
    const expected = index === 0 && state.started === undefined;
    expect(isStart, "ExecutionStarted comes first, and once").toBe(expected);
  }
  if (!isTerminal(state) && state.started === undefined && state.entity === undefined) {
    expect(events.length, "an instance that never ran has its ExecutionStarted").toBeGreaterThan(0);
  }
}

function checkWork(state: InstanceState): void {
  const ids = [...state.activities.keys(), ...state.timers.keys(), ...state.children.keys()];
  expect(new Set(ids).size, "work has identities of its own").toBe(ids.length);
  for (const id of ids) expect(id < state.nextWorkId).toBe(true);
  const awaited = new Set(state.awaitedActivities.values());
  for (const activity of state.activities.values()) {
    expect(awaited.has(activity.id), "detached means not awaited").toBe(!activity.detached);
    expect(activity.scheduled?.event.length ?? 0).toBeGreaterThan(0);
  }
  for (const id of awaited) expect(state.activities.has(id)).toBe(true);
  for (const id of state.awaitedChildren.values()) expect(state.children.has(id)).toBe(true);
  const numbers = state.outbox.map(({ number }) => number);
  const expected = numbers.map((_, i) => state.nextMailNumber - BigInt(numbers.length - i));
  expect(numbers, "mail numbers are dense").toEqual(expected);
}

/** Readiness and the next due time, worked out the slow way. */
function checkAttention(state: InstanceState): void {
  const live = !isTerminal(state);
  const mayRun = live && state.holds.length === 0 && state.pendingTerminate === undefined;
  const isWanted = state.inbox.length > 0 || state.turnWanted;
  const turn = mayRun && !state.startPending && isWanted;
  expect(hasTurnToRun(state)).toBe(turn);
  const toDo = state.outbox.length > 0 || state.pendingTerminate !== undefined;
  expect(isReady(state)).toBe(
    toDo || turn || hasBatch(state) || (state.holds.length === 0 && state.activities.size > 0),
  );
  const isFrozen = state.holds.some(({ timerPolicy }) => timerPolicy === TimerPolicy.FREEZE);
  const due = isFrozen ? [] : [...state.timers.values()].map(({ dueAt }) => dueAt);
  if (state.startPending) due.push(state.scheduledStartAt);
  for (const { dueAt } of state.entity?.scheduled.values() ?? []) due.push(dueAt);
  for (const { expiresAt, expiryAction } of state.holds) {
    const terminates = expiryAction === ExpiryAction.TERMINATE;
    const isAskedFor = terminates && state.pendingTerminate !== undefined;
    if (expiryAction === ExpiryAction.RESUME || (terminates && !isAskedFor)) due.push(expiresAt);
  }
  const [earliest] = due.filter((time) => time !== undefined).sort(compareTimestamps);
  expect(nextDue(state)).toEqual(earliest);
}

/** Holds and what is counted of the inbox, worked out the slow way. */
function checkHolds({ holds, heldSince, frozenSince, inbox, ...counted }: InstanceState): void {
  const names = holds.map(({ name }) => name);
  expect(new Set(names).size, "names of holds are unique").toBe(names.length);
  expect(heldSince !== undefined, "held since the first hold").toBe(holds.length > 0);
  const isFrozen = holds.some(({ timerPolicy }) => timerPolicy === TimerPolicy.FREEZE);
  expect(frozenSince !== undefined, "frozen while a hold freezes").toBe(isFrozen);
  const external = inbox.filter(({ kind }) => kind === EventKind.eventRaised);
  const bytes = external.reduce((sum, { event }) => sum + event.length, 0);
  const { bufferedEvents, bufferedBytes } = counted;
  expect([bufferedEvents, bufferedBytes]).toEqual([external.length, bytes]);
}

/** What is kept of the custom status are the newest revisions, without a gap. */
function checkRevisions({ customStatus, customStatusHistory }: InstanceState): void {
  const kept = customStatusHistory.map(({ revision }) => revision);
  const newest = customStatus?.revision ?? 0n;
  const expected = kept.map((_, index) => newest - BigInt(kept.length - index));
  expect(kept, "kept revisions are the newest, in order").toEqual(expected);
}

function checkTerminal({ state, history }: Life): void {
  expect(state.completedAt).toBeDefined();
  expect(state.completed?.event).toEqual(history.at(-1)?.event);
  expect(state.startPending).toBe(false);
  expect(state.pendingTerminate).toBeUndefined();
  const left = [state.inbox, state.markers, state.holds, [...state.timers], [...state.children]];
  expect(left, "a finished instance waits for nothing").toEqual([[], [], [], [], []]);
  expect(state.awaitedActivities.size + state.awaitedChildren.size).toBe(0);
}

/** Not the engine's own function: an invariant should not trust what it checks. */
export function isTerminal({ status }: InstanceState): boolean {
  return status !== Status.PENDING && status !== Status.RUNNING;
}

function checkNotBefore(time: Timestamp, earliest: Timestamp, what: string): void {
  expect(compareTimestamps(time, earliest), what).toBeGreaterThanOrEqual(0);
}
