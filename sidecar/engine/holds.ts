/**
 * Holds of one instance: named reasons why it does not run. The compatible RPCs own the hold with
 * the empty name and touch no other.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  type Hold,
  HoldSchema,
  HoldScope,
  Kind,
  MarkerSchema,
  type StoredEvent,
  TimerPolicy,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionResumed, executionSuspended, present } from "../wire/history-event.ts";
import {
  type Decision,
  type Environment,
  newEntry,
  notFound,
  nothing,
  refuse,
  refuseFinished,
} from "./decision.ts";
import { type FrozenSpan, moveTimers } from "./freeze.ts";
import type { InstanceState } from "./state.ts";
import { isHeld, isTerminal } from "./status.ts";

/** The name of the hold that the compatible RPCs place and release. */
export const compatibleHold = "";

/** What is said of a hold by whoever asks for it. */
export interface HoldWish {
  readonly name: string;
  readonly reason: string | undefined;
  readonly requestedBy: string;
  readonly resumeCondition: string | undefined;
  readonly expiresAt: Timestamp | undefined;
  readonly expiryAction: ExpiryAction;
  readonly timerPolicy: TimerPolicy;
}

/** What both commands say. */
interface HoldCommand {
  readonly instanceId: string;
  /** A worker has a turn of the instance right now. */
  readonly turnInFlight: boolean;
  /** The compatible RPCs ignore an instance that has finished; others are refused. */
  readonly ignoreFinished: boolean;
  /** Spans in which hub holds froze the timers of this instance, also one that is still open. */
  readonly hubFreezes: readonly FrozenSpan[];
}

export interface PlaceHoldCommand extends HoldCommand {
  readonly wish: HoldWish;
  /** A hold of this name is replaced; otherwise it stays as it is. */
  readonly replace: boolean;
}

export interface ReleaseHoldsCommand extends HoldCommand {
  readonly names: readonly string[] | "all";
  readonly reason: string | undefined;
}

/**
 * Places the hold. Only the first hold of an instance leaves an event: a second one breaks SDKs
 * (trap T5).
 */
export function decidePlaceHold(
  state: InstanceState | undefined,
  command: PlaceHoldCommand,
  environment: Environment,
): Decision {
  const { instanceId, wish, replace, turnInFlight, ignoreFinished, hubFreezes } = command;
  if (state === undefined) return notFound(instanceId);
  if (isTerminal(state)) return ignoreFinished ? nothing : refuseFinished(state);
  if (state.entity !== undefined && wish.expiryAction === ExpiryAction.TERMINATE) {
    return refuse("failed-precondition", "an entity cannot be terminated when a hold expires");
  }
  const existing = state.holds.find(({ name }) => name === wish.name);
  if (existing !== undefined && !replace) return nothing;
  if (existing === undefined && state.holds.length >= LIMITS.instanceHoldsMax) {
    return refuse("limit-exceeded", `an instance has at most ${LIMITS.instanceHoldsMax} holds`);
  }
  const entry = newEntry(environment);
  const hold = newHold(wish, HoldScope.INSTANCE, existing, environment);
  addHold(state, entry, hold, turnInFlight);
  thaw(state, entry, [...state.holds.filter((other) => other !== existing), hold], hubFreezes);
  return { kind: "append", entry };
}

/** Adds to an entry that a hold is placed, with the event that readers see of the first one. */
export function addHold(
  state: InstanceState,
  entry: Entry,
  hold: Hold,
  turnInFlight: boolean,
): void {
  entry.holdsPlaced.push(hold);
  if (isHeld(state)) return;
  noteInHistory(state, entry, executionSuspended(timeOf(entry), hold.reason), turnInFlight);
}

/** Releases holds. Only the release of the last one leaves an event (trap T4). */
export function decideReleaseHolds(
  state: InstanceState | undefined,
  command: ReleaseHoldsCommand,
  environment: Environment,
): Decision {
  const { instanceId, names, ignoreFinished } = command;
  if (state === undefined) return notFound(instanceId);
  if (isTerminal(state)) return ignoreFinished ? nothing : refuseFinished(state);
  const released = state.holds.filter(({ name }) => names === "all" || names.includes(name));
  if (released.length === 0) return nothing;
  const entry = newEntry(environment);
  releaseHolds(state, entry, released, command);
  return { kind: "append", entry };
}

/** Adds to an entry that these holds are released, with all that follows from it. */
export function releaseHolds(
  state: InstanceState,
  entry: Entry,
  released: readonly Hold[],
  {
    reason,
    turnInFlight,
    hubFreezes,
  }: Omit<ReleaseHoldsCommand, "instanceId" | "names" | "ignoreFinished">,
): void {
  const remaining = state.holds.filter((hold) => !released.includes(hold));
  for (const { name } of released) entry.holdsReleased.push(name);
  if (remaining.length === 0) {
    noteInHistory(state, entry, executionResumed(timeOf(entry), reason), turnInFlight);
  }
  thaw(state, entry, remaining, hubFreezes);
}

/** A hold as it is stored. Replacing one does not make it younger. */
export function newHold(
  wish: HoldWish,
  scope: HoldScope,
  existing: Hold | undefined,
  { now }: Pick<Environment, "now">,
): Hold {
  const { name, requestedBy, expiresAt, expiryAction, timerPolicy } = wish;
  return create(HoldSchema, {
    name,
    scope,
    requestedBy,
    placedAt: existing?.placedAt ?? now,
    timerPolicy,
    ...(expiresAt === undefined ? {} : { expiresAt, expiryAction }),
    ...present("reason", wish.reason),
    ...present("resumeCondition", wish.resumeCondition),
    ...(existing === undefined ? {} : { replacedAt: now }),
  });
}

/** When the last hold that froze timers goes, their due times move by the time that they stood. */
function thaw(
  state: InstanceState,
  entry: Entry,
  after: readonly Hold[],
  hubFreezes: readonly FrozenSpan[],
): void {
  if (state.frozenSince === undefined) return;
  if (after.some(({ timerPolicy }) => timerPolicy === TimerPolicy.FREEZE)) return;
  const now = timeOf(entry);
  moveTimers(state, entry, [{ from: state.frozenSince, to: now }, ...hubFreezes], now);
}

/**
 * Suspended and Resumed are for readers of the history only; no SDK worker ever gets them. They are
 * appended at once, or wait for the turn in flight, or for the first turn, and never overtake an
 * earlier one that waits.
 *
 * @see PROTOCOL.md 4.10
 */
function noteInHistory(
  state: InstanceState,
  entry: Entry,
  event: StoredEvent,
  turnInFlight: boolean,
): void {
  // Entities have no history.
  if (state.kind === Kind.ENTITY) return;
  const neverRan = state.started === undefined;
  const isNext = state.markers.length === 0 || entry.markersRecorded;
  if (!neverRan && !turnInFlight && isNext) {
    entry.history.push(event);
    return;
  }
  const behindExecutionStarted =
    neverRan && !turnInFlight && state.markers.every((marker) => marker.behindExecutionStarted);
  entry.markersAdded.push(create(MarkerSchema, { event, behindExecutionStarted }));
}

function timeOf({ header }: Entry): Timestamp {
  assert(header?.time !== undefined, "an entry has its time");
  return header.time;
}
