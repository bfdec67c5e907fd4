/**
 * What falls due in one instance: timers, the scheduled start, and the expiry of holds; and of an
 * entity, scheduled operations: see `decideEntityDue`.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type Entry, TimerMoveSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  type Hold,
  PendingTerminateSchema,
  type Timer,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { timerFired } from "../wire/history-event.ts";
import { compareTimestamps, earlierOf, isAfter } from "../wire/timestamp.ts";
import { type Decision, type Environment, newEntry, nothing } from "./decision.ts";
import { decideEntityDue, nextOperationDue } from "./entity/arrive.ts";
import { countedThrough, type FrozenSpan, thawedDue } from "./freeze.ts";
import { releaseHolds } from "./holds.ts";
import type { InstanceState } from "./state.ts";

/** The earliest time at which this instance needs attention; undefined when nothing is due ever. */
export function nextDue(state: InstanceState): Timestamp | undefined {
  let earliest = state.startPending ? state.scheduledStartAt : undefined;
  const consider = (due: Timestamp) => {
    earliest = earliest === undefined ? due : earlierOf(earliest, due);
  };
  // Timers that its own holds freeze are due again when the last of these goes.
  if (state.frozenSince === undefined) {
    for (const timer of state.timers.values()) consider(dueOf(timer));
  }
  const operation = nextOperationDue(state);
  if (operation !== undefined) consider(operation);
  const expiry = nextExpiry(state);
  if (expiry !== undefined) consider(expiry);
  return earliest;
}

/** When the first of its own holds expires that something happens to then. */
export function nextExpiry(state: InstanceState): Timestamp | undefined {
  let earliest: Timestamp | undefined;
  for (const hold of state.holds) {
    const { expiresAt } = hold;
    if (expiresAt === undefined || !acts(hold, state)) continue;
    earliest = earliest === undefined ? expiresAt : earlierOf(earliest, expiresAt);
  }
  return earliest;
}

/** What must be known besides the state. */
export interface DueCommand {
  /** A worker has a turn of the instance right now. */
  readonly turnInFlight: boolean;
  /** Spans in which hub holds froze the timers of this instance, also one that is still open. */
  readonly hubFreezes: readonly FrozenSpan[];
  /** A hub hold freezes them now. */
  readonly frozen: boolean;
}

/**
 * Fires what is due at `now`, the earliest first and a bounded number at once. A timer never fires
 * early; it may fire late (trap T44).
 */
export function decideDue(
  state: InstanceState | undefined,
  command: DueCommand,
  environment: Environment,
): Decision {
  if (state === undefined) return nothing;
  const joined = decideEntityDue(state, environment);
  // What else is due comes next: it is still due then.
  if (joined.kind !== "nothing") return joined;
  const { now } = environment;
  const entry = newEntry(environment);
  entry.startReleased =
    state.startPending &&
    state.scheduledStartAt !== undefined &&
    !isAfter(state.scheduledStartAt, now);
  // Timers first: those that a hold froze until now are moved when it goes.
  if (state.frozenSince === undefined && !command.frozen) fireTimers(state, entry, command, now);
  expireHolds(state, entry, command, now);
  const isSomething =
    entry.startReleased ||
    entry.timersSettled.length > 0 ||
    entry.timersMoved.length > 0 ||
    entry.holdsReleased.length > 0 ||
    entry.pendingTerminate !== undefined;
  return isSomething ? { kind: "append", entry } : nothing;
}

function fireTimers(
  state: InstanceState,
  entry: Entry,
  { hubFreezes }: DueCommand,
  now: Timestamp,
): void {
  const fired: Timer[] = [];
  for (const timer of state.timers.values()) {
    if (isAfter(dueOf(timer), now)) continue;
    const dueAt = thawedDue(timer, state, hubFreezes);
    if (!isAfter(dueAt, now)) {
      fired.push(timer);
      continue;
    }
    const countedTo = countedThrough(hubFreezes, now);
    entry.timersMoved.push(create(TimerMoveSchema, { id: timer.id, dueAt, countedTo }));
  }
  fired.sort((a, b) => compareTimestamps(dueOf(a), dueOf(b)) || Number(a.id - b.id));
  for (const timer of fired.slice(0, LIMITS.timersFiredMax)) {
    assert(timer.fireAt !== undefined, "a timer has its requested time");
    entry.timersSettled.push(timer.id);
    entry.inboxAdded.push(timerFired(timer.timerId, now, timer.fireAt));
  }
}

/** A hold that is to be kept stays and is shown as overdue: nothing happens to it here. */
function expireHolds(
  state: InstanceState,
  entry: Entry,
  command: DueCommand,
  now: Timestamp,
): void {
  const expired = state.holds.filter(
    (hold) => acts(hold, state) && hold.expiresAt !== undefined && !isAfter(hold.expiresAt, now),
  );
  const terminating = expired.find(({ expiryAction }) => expiryAction === ExpiryAction.TERMINATE);
  if (terminating !== undefined) {
    const output = expiredOutput(terminating.name);
    entry.pendingTerminate = create(PendingTerminateSchema, { output });
    return;
  }
  if (expired.length === 0) return;
  const names = expired.map(({ name }) => JSON.stringify(name)).join(", ");
  releaseHolds(state, entry, expired, { ...command, reason: `suspension ${names} expired` });
}

/** The output of an instance that a hold has terminated: JSON text. */
export function expiredOutput(holdName: string): string {
  return JSON.stringify(`suspension ${holdName} expired`);
}

function acts({ expiryAction }: Hold, { pendingTerminate }: InstanceState): boolean {
  switch (expiryAction) {
    case ExpiryAction.RESUME:
      return true;
    case ExpiryAction.TERMINATE:
      // What waits for a turn in flight need not be asked for again.
      return pendingTerminate === undefined;
    default:
      return false;
  }
}

function dueOf(timer: Timer): Timestamp {
  assert(timer.dueAt !== undefined, "a timer has its due time");
  return timer.dueAt;
}
