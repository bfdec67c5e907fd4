/**
 * The only way a state changes, live and after a restart. It applies what an entry says and decides
 * nothing.
 */
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import {
  Cause,
  type Delivery,
  type Entry,
  type TimerMove,
  type Turn,
} from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Activity,
  type Child,
  type Marker,
  type StoredEvent,
  TimerPolicy,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "../wire/history-event.ts";
import { countDelivery, quarantineHold } from "./delivery.ts";
import { applyEntityStep, applyEntityWork } from "./entity/evolve-entity.ts";
import { eventsOf } from "./entry-events.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";
import { fromStoredState } from "./stored-state.ts";

/** Receives what an entry appends to the history of the generation, in order. */
export type HistorySink = (event: StoredEvent) => void;

/**
 * Applies `entry`, which is the one with `sequence` in the log `number`, to `state` and returns the
 * state after it: the same object, or a new one when the entry begins a generation.
 */
export function evolve(
  state: InstanceState | undefined,
  number: bigint,
  sequence: number,
  entry: Entry,
  history: HistorySink = () => {},
): InstanceState {
  for (const [index, event] of eventsOf(entry).entries()) {
    event.originSequence = BigInt(sequence);
    event.originIndex = index;
  }
  const next = entry.base === undefined ? state : fromStoredState(entry.base, number, sequence);
  assert(next !== undefined, "a log starts with a base");
  assert(entry.base !== undefined || next.sequence + 1 === sequence, "sequences are dense");
  next.sequence = sequence;
  const record = (event: StoredEvent) => {
    next.historyEvents += 1;
    next.historyBytes += event.event.length;
    if (event.kind === EventKind.executionStarted) next.started = event;
    if (event.kind === EventKind.executionCompleted) next.completed = event;
    history(event);
  };
  applyTurn(next, entry.turn, record);
  if (entry.markersRecorded) {
    recordMarkers(next.markers, () => true, record);
    next.markers = [];
  }
  for (const event of entry.history) record(event);
  applyWork(next, entry);
  applyEntityWork(next, entry);
  applyEntityStep(next, entry);
  applyHolds(next, entry);
  applyMail(next, entry);
  applyStatus(next, entry);
  return next;
}

function applyTurn(state: InstanceState, turn: Turn | undefined, record: HistorySink): void {
  if (turn === undefined) return;
  assert(turn.started !== undefined, "a turn has its OrchestratorStarted event");
  assert(turn.consumed <= state.inbox.length, "a turn consumes what is in the inbox");
  state.turnClock = turn.clock;
  state.turnDeliveries = [];
  state.turnWanted = false;
  record(turn.started);
  const markers = state.markers;
  const consumed = state.inbox.splice(0, turn.consumed);
  for (const event of consumed) countBuffered(state, event, -1);
  const [first, ...rest] = consumed;
  if (first !== undefined) record(first);
  if (first?.kind === EventKind.executionStarted) {
    recordMarkers(markers, (marker) => marker.behindExecutionStarted, record);
  }
  for (const event of rest) record(event);
  const ranFirst = first !== undefined && state.started === first;
  recordMarkers(markers, (marker) => !(ranFirst && marker.behindExecutionStarted), record);
  state.markers = [];
}

function recordMarkers(
  markers: readonly Marker[],
  belongsHere: (marker: Marker) => boolean,
  record: HistorySink,
): void {
  for (const marker of markers) {
    assert(marker.event !== undefined, "a marker has its event");
    if (belongsHere(marker)) record(marker.event);
  }
}

function applyWork(state: InstanceState, entry: Entry): void {
  for (const delivery of entry.deliveries) applyDelivery(state, delivery);
  for (const id of entry.activitiesSettled) {
    const activity = state.activities.get(id);
    state.activities.delete(id);
    if (activity !== undefined && state.awaitedActivities.get(activity.taskId) === id) {
      state.awaitedActivities.delete(activity.taskId);
    }
  }
  for (const activity of entry.activitiesAdded) {
    activity.scheduled ??= entry.history[activity.historyIndex];
    state.activities.set(activity.id, activity);
    if (!activity.detached) awaitInstead(state, activity);
    useWorkId(state, activity.id);
  }
  for (const id of entry.timersSettled) state.timers.delete(id);
  for (const move of entry.timersMoved) moveTimer(state, move);
  for (const timer of entry.timersAdded) {
    state.timers.set(timer.id, timer);
    useWorkId(state, timer.id);
  }
  for (const id of entry.childrenSettled) {
    const child = state.children.get(id);
    state.children.delete(id);
    if (child !== undefined && state.awaitedChildren.get(child.taskScheduledId) === id) {
      state.awaitedChildren.delete(child.taskScheduledId);
    }
  }
  for (const child of entry.childrenAdded) {
    state.children.set(child.id, child);
    if (!child.detached) awaitChildInstead(state, child);
    useWorkId(state, child.id);
  }
  for (const event of entry.inboxAdded) {
    state.inbox.push(event);
    countBuffered(state, event, 1);
  }
  for (const marker of entry.markersAdded) state.markers.push(marker);
}

function applyDelivery(state: InstanceState, { workId, outcome }: Delivery): void {
  if (workId === 0n) {
    state.turnDeliveries = countDelivery(state.turnDeliveries, outcome);
    return;
  }
  const activity = state.activities.get(workId);
  assert(activity !== undefined, "a delivery is of work that is outstanding");
  activity.deliveries = countDelivery(activity.deliveries, outcome);
}

function countBuffered(state: InstanceState, event: StoredEvent, sign: 1 | -1): void {
  if (event.kind !== EventKind.eventRaised) return;
  state.bufferedEvents += sign;
  state.bufferedBytes += sign * event.event.length;
}

/**
 * Only the latest attempt under an action id is awaited; an earlier one stays queued and still
 * runs.
 */
function awaitInstead(state: InstanceState, activity: Activity): void {
  const earlier = state.awaitedActivities.get(activity.taskId);
  if (earlier !== undefined) {
    const replaced = state.activities.get(earlier);
    if (replaced !== undefined) replaced.detached = true;
  }
  state.awaitedActivities.set(activity.taskId, activity.id);
}

/** Only the latest child under an action id is awaited. */
function awaitChildInstead(state: InstanceState, child: Child): void {
  const earlier = state.awaitedChildren.get(child.taskScheduledId);
  if (earlier !== undefined) state.children.delete(earlier);
  state.awaitedChildren.set(child.taskScheduledId, child.id);
}

function useWorkId(state: InstanceState, id: bigint): void {
  if (id >= state.nextWorkId) state.nextWorkId = id + 1n;
}

function moveTimer(state: InstanceState, { id, dueAt, countedTo }: TimerMove): void {
  const timer = state.timers.get(id);
  assert(timer !== undefined && dueAt !== undefined, "a due time moves while its timer waits");
  timer.dueAt = dueAt;
  if (countedTo !== undefined) timer.countedTo = countedTo;
}

function applyHolds(state: InstanceState, entry: Entry): void {
  if (entry.holdsReleased.length === 0 && entry.holdsPlaced.length === 0) return;
  for (const name of entry.holdsReleased) {
    state.holds = state.holds.filter((hold) => hold.name !== name);
    // Whoever releases it wants another try, with all that it may cost.
    if (name === quarantineHold) state.turnDeliveries = [];
  }
  for (const placed of entry.holdsPlaced) {
    const at = state.holds.findIndex((hold) => hold.name === placed.name);
    if (at === -1) state.holds.push(placed);
    else state.holds[at] = placed;
  }
  const time = entry.header?.time;
  state.heldSince = state.holds.length > 0 ? (state.heldSince ?? time) : undefined;
  const isFrozen = state.holds.some(({ timerPolicy }) => timerPolicy === TimerPolicy.FREEZE);
  state.frozenSince = isFrozen ? (state.frozenSince ?? time) : undefined;
}

function applyMail(state: InstanceState, entry: Entry): void {
  for (const mail of entry.mailSent) {
    state.outbox.push(mail);
    if (mail.number >= state.nextMailNumber) state.nextMailNumber = mail.number + 1n;
  }
  if (entry.mailSettled > 0) state.outbox.splice(0, entry.mailSettled);
  const received = entry.mailReceived;
  if (received === undefined) return;
  // The most recent sender is last, so that the oldest goes when there are too many.
  state.senderMarks.delete(received.sender);
  state.senderMarks.set(received.sender, received.number);
  if (state.senderMarks.size > LIMITS.senderMarksMax) {
    const [oldest] = state.senderMarks.keys();
    if (oldest !== undefined) state.senderMarks.delete(oldest);
  }
}

function applyStatus(state: InstanceState, entry: Entry): void {
  const time = entry.header?.time;
  assert(time !== undefined, "an entry has its time");
  // Nothing that a reader can see changes any more in a finished instance.
  if (isVisible(entry) && !isTerminal(state)) state.updatedAt = time;
  applyCustomStatus(state, entry);
  if (entry.traceContext !== undefined) state.traceContext = entry.traceContext;
  if (entry.startReleased) state.startPending = false;
  if (entry.parentRelinked !== undefined) state.parent = entry.parentRelinked;
  if (entry.pendingTerminate !== undefined) state.pendingTerminate = entry.pendingTerminate;
  if (entry.pendingTerminateCleared) state.pendingTerminate = undefined;
  if (entry.rememberedRequest !== undefined) {
    state.rememberedRequests.push(entry.rememberedRequest);
    if (state.rememberedRequests.length > LIMITS.rememberedRequestsMax) {
      state.rememberedRequests.shift();
    }
  }
  if (entry.workCancelled) state.activities.clear();
  if (entry.status === undefined) return;
  state.status = entry.status;
  if (isTerminal(state)) finish(state);
}

/** Something that a reader can see may have changed. */
function isVisible(entry: Entry): boolean {
  const cause = entry.header?.cause;
  return cause !== Cause.MAIL_SETTLED && cause !== Cause.REMEMBER && !isOnlyCounted(entry);
}

/** Nothing has happened but that a delivery ended without an answer. */
function isOnlyCounted(entry: Entry): boolean {
  return (
    entry.deliveries.length > 0 &&
    !entry.markersRecorded &&
    entry.holdsPlaced.length === 0 &&
    entry.activitiesSettled.length === 0
  );
}

function applyCustomStatus(state: InstanceState, entry: Entry): void {
  if (entry.customStatusOverflow !== undefined) {
    state.customStatusOverflow = entry.customStatusOverflow;
  }
  if (entry.customStatus === undefined) return;
  if (state.customStatus !== undefined) state.customStatusHistory.push(state.customStatus);
  state.customStatusHistory.splice(0, entry.customStatusForgotten);
  state.customStatus = entry.customStatus;
}

/**
 * A finished instance waits for nothing: timers are cancelled, children and results are no longer
 * awaited, holds and a waiting terminate are dropped. Activities that nobody cancelled still run
 * (PROTOCOL.md 5).
 */
function finish(state: InstanceState): void {
  state.completedAt = state.updatedAt;
  state.startPending = false;
  state.turnWanted = false;
  state.pendingTerminate = undefined;
  state.holds = [];
  state.heldSince = undefined;
  state.frozenSince = undefined;
  state.inbox = [];
  state.bufferedEvents = 0;
  state.bufferedBytes = 0;
  state.timers.clear();
  state.children.clear();
  state.awaitedChildren.clear();
  state.entityCalls.clear();
  state.lockRequests.clear();
  for (const activity of state.activities.values()) activity.detached = true;
  state.awaitedActivities.clear();
}
