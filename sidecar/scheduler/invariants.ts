/**
 * What must hold of every instance at every moment between two pieces of work. Pure looks at what
 * is in memory: the scanner takes them in production, simulations after every step.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { hasBatchToRun } from "../engine/entity/batch.ts";
import { hasTurnToRun } from "../engine/readiness.ts";
import type { InstanceState } from "../engine/state.ts";
import { isHeld, isTerminal } from "../engine/status.ts";
import type { StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "../wire/history-event.ts";
import { addMilliseconds, compareTimestamps, isAfter } from "../wire/timestamp.ts";
import type { StrandedWork } from "./figures.ts";
import { type ActivityPlace, type Head, leasesOf, turnInFlight } from "./head.ts";
import { indexedView } from "./index-changes.ts";
import type { Lease } from "./leases.ts";

/** By the name that metrics and logs have for them. */
export type InvariantName =
  /** What is ready has somebody who makes it go on. */
  | "driver"
  /** Events wait in the order of their arrival, and are counted. */
  | "inbox"
  /** Work is with one worker at most. */
  | "lease"
  /** What has finished waits for nothing. */
  | "terminal"
  /** Parent and child know each other. */
  | "links"
  /** What the indexes say follows from the state. */
  | "index"
  /** Entries are dense, and a generation begins and ends once. */
  | "sequence";

export interface Violation {
  readonly invariant: InvariantName;
  /** What is wrong, without anything that came from users. */
  readonly what: string;
  /** Only of "driver": what nobody makes go on. */
  readonly stranded?: StrandedWork;
  /** Only of stranded activities: which. */
  readonly workId?: bigint;
}

/** What must be known besides a head. */
export interface HeadSurroundings {
  readonly now: Timestamp;
  /** Steady time. */
  readonly nowMs: number;
  /** The newest commit that is on the disk. */
  readonly durablePosition: number;
  /** A tree or window holds the instance, or its release has not reached it yet. */
  readonly isHeldByHub: boolean;
  /** Hub time stands still for it. */
  readonly isFrozen: boolean;
  /** Its work waits outside memory, until workers have room. */
  readonly isPostponed: boolean;
  /** Whether the work waits where streams take it from; a turn or batch has the identity 0. */
  isQueued(workId: bigint): boolean;
  isInForce(lease: Lease): boolean;
  /** The head of another instance of the hub, if it is in memory. */
  peek(instanceId: string): Head | undefined;
}

/** How late something may be before nobody is thought to make it go on: alarms take their time. */
export const LATE_MS = 30_000;

/** Larger ones are not looked through for what costs their size. */
const partsMax = 1_000;

/** All that is wrong with a head; empty when nothing is. */
export function violations(head: Head, surroundings: HeadSurroundings): readonly Violation[] {
  const { state } = head;
  if (state === undefined) return nothingElse(head, surroundings);
  return [
    ...stateViolations(state),
    ...sequenceViolations(head, state),
    ...leaseViolations(head, state, surroundings),
    ...linkViolations(state, surroundings),
    ...indexViolations(head, state),
    ...driverViolations(head, state, surroundings),
  ];
}

/** What a state alone tells: I2 and I4. */
export function stateViolations(state: InstanceState): readonly Violation[] {
  const { inbox } = state;
  const found: Violation[] = [];
  if (inbox.length <= partsMax && !isInOrder(inbox)) {
    found.push({ invariant: "inbox", what: "events of the inbox are not in order" });
  }
  if (inbox.length <= partsMax && countExternal(inbox) !== state.bufferedEvents) {
    found.push({ invariant: "inbox", what: "waiting events are not counted right" });
  }
  if (!isTerminal(state)) {
    if (state.completed !== undefined) {
      found.push({ invariant: "terminal", what: "an instance that goes on has completed" });
    }
    return found;
  }
  const waits =
    inbox.length > 0 ||
    state.timers.size > 0 ||
    state.children.size > 0 ||
    state.holds.length > 0 ||
    state.pendingTerminate !== undefined ||
    state.startPending;
  if (waits) found.push({ invariant: "terminal", what: "a finished instance waits" });
  for (const { detached } of state.activities.values()) {
    if (detached) continue;
    found.push({ invariant: "terminal", what: "a finished instance awaits an activity" });
    break;
  }
  return found;
}

/** There is no instance: nobody works for it. */
function nothingElse(head: Head, { isInForce }: HeadSurroundings): readonly Violation[] {
  if (!leasesOf(head).some(isInForce)) return [];
  return [{ invariant: "lease", what: "a worker has work of an instance that does not exist" }];
}

function sequenceViolations(head: Head, state: InstanceState): readonly Violation[] {
  const found: Violation[] = [];
  const wrong = (what: string) => found.push({ invariant: "sequence", what });
  let last = head.durableSequence;
  for (const { sequence } of head.unsettled) {
    if (sequence < last) wrong("commits are not in order");
    last = sequence;
  }
  if (last > state.sequence) wrong("more is durable than was decided");
  if (head.earlierEvents + head.history.length !== state.historyEvents) {
    wrong("the history has a gap");
  }
  if (head.historyFrom !== 0) return found;
  if (head.history.length > partsMax) return found;
  const count = (kind: number) => head.history.filter((event) => event.kind === kind).length;
  if (count(EventKind.executionStarted) > 1) wrong("a generation begins twice");
  if (count(EventKind.executionCompleted) > 1) wrong("a generation ends twice");
  return found;
}

function leaseViolations(
  head: Head,
  state: InstanceState,
  { isInForce }: HeadSurroundings,
): readonly Violation[] {
  const found: Violation[] = [];
  const wrong = (what: string) => found.push({ invariant: "lease", what });
  for (const lease of leasesOf(head)) {
    if (!isInForce(lease)) wrong("work is with a worker without a lease");
    if (lease.number !== state.number) wrong("a worker has work of an earlier life");
    if (lease.head !== head) wrong("a lease is of another head");
  }
  if (turnInFlight(head) !== undefined && isTerminal(state))
    wrong("a finished instance has a turn");
  for (const id of head.activities.keys()) {
    if (!state.activities.has(id)) wrong("an activity is out that nobody asked for");
  }
  return found;
}

/** From the side of the parent: an id may be somebody else's once its child is over. */
function linkViolations(state: InstanceState, { peek }: HeadSurroundings): readonly Violation[] {
  if (state.children.size > partsMax) return [];
  const onItsWay = new Set(state.outbox.map(({ targetInstanceId }) => targetInstanceId));
  for (const { instanceId, detached } of state.children.values()) {
    if (detached || onItsWay.has(instanceId)) continue;
    const child = peek(instanceId)?.state;
    // Its result may be on its way.
    if (child === undefined || isTerminal(child) || child.outbox.length > 0) continue;
    if (child.parent?.number !== state.number) {
      return [{ invariant: "links", what: "a child does not know its parent" }];
    }
  }
  return [];
}

function indexViolations(head: Head, state: InstanceState): readonly Violation[] {
  const { indexed } = head;
  const wrong = (what: string): readonly Violation[] => [{ invariant: "index", what }];
  if (indexed === undefined) return wrong("an instance has no rows");
  const isSmall = state.timers.size <= partsMax;
  const expected = indexedView(state, indexed, isSmall);
  if (indexed.number !== expected.number || indexed.generation !== expected.generation) {
    return wrong("the row of the instance is of another generation");
  }
  if (indexed.ready !== expected.ready) return wrong("the ready row is wrong");
  if (indexed.query !== expected.query) return wrong("the rows of queries are wrong");
  const isSameDue =
    indexed.due === undefined || expected.due === undefined
      ? indexed.due === expected.due
      : compareTimestamps(indexed.due, expected.due) === 0;
  return isSameDue ? [] : wrong("the due row is wrong");
}

/** I1. Only what is durable and held by nothing must go on. */
function driverViolations(
  head: Head,
  state: InstanceState,
  surroundings: HeadSurroundings,
): readonly Violation[] {
  if (head.position > surroundings.durablePosition || head.pins > 0) return [];
  const found: Violation[] = [];
  const stranded = (work: StrandedWork, what: string, workId?: bigint) =>
    found.push({
      invariant: "driver",
      what,
      stranded: work,
      ...(workId === undefined ? {} : { workId }),
    });
  if (state.outbox.length > 0 && head.mailing === undefined) {
    stranded("mail", "nobody delivers what waits in the outbox");
  }
  const due = head.indexed?.due;
  const lateDue = addMilliseconds(surroundings.now, -LATE_MS);
  if (due !== undefined && !surroundings.isFrozen && !isAfter(due, lateDue)) {
    stranded("timer", "nothing fires what is due");
  }
  const { isHeldByHub, isPostponed } = surroundings;
  if (isHeld(state) || isHeldByHub || isPostponed) return found;
  if (isTurnStranded(head, state, surroundings)) stranded("turn", "nobody will take the turn");
  if (isBatchStranded(head, state, surroundings)) stranded("batch", "nobody will take the batch");
  for (const id of state.activities.keys()) {
    const place = head.activities.get(id);
    if (isPlaced(place, head, id, surroundings)) continue;
    stranded("activity", "nobody will take an activity", id);
  }
  return found;
}

/** What is queued of a turn that may not run any more is void, and harms nobody. */
function isTurnStranded(head: Head, state: InstanceState, around: HeadSurroundings): boolean {
  return hasTurnToRun(state) && !isPlaced(head.turn, head, 0n, around);
}

function isBatchStranded(head: Head, state: InstanceState, around: HeadSurroundings): boolean {
  return hasBatchToRun(state) && !isPlaced(head.turn, head, 0n, around);
}

function isPlaced(
  place: Head["turn"] | ActivityPlace,
  head: Head,
  workId: bigint,
  { isQueued, isInForce, nowMs }: HeadSurroundings,
): boolean {
  switch (place) {
    case undefined:
    case "parked":
      return false;
    case "queued":
      return isQueued(workId);
    case "delayed": {
      const delay = head.delays?.get(workId);
      return delay !== undefined && delay.untilMs + LATE_MS > nowMs;
    }
    default:
      return isInForce(place);
  }
}

function isInOrder(inbox: readonly StoredEvent[]): boolean {
  return inbox.every((event, index) => {
    const before = inbox[index - 1];
    if (before === undefined || before.originSequence < event.originSequence) return true;
    return before.originSequence === event.originSequence && before.originIndex < event.originIndex;
  });
}

function countExternal(inbox: readonly StoredEvent[]): number {
  return inbox.reduce((sum, { kind }) => sum + (kind === EventKind.eventRaised ? 1 : 0), 0);
}
