/**
 * The head of an instance id: its newest decided state, ahead of the disk. Decisions are made on
 * heads; nothing that follows from one leaves before the head is durable.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import type { CommitPosition } from "../store/store.ts";
import type { StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { addMilliseconds } from "../wire/timestamp.ts";
import { type IndexedView, indexedView } from "./index-changes.ts";
import type { ActivityLease, BatchLease, Lease, TurnLease } from "./leases.ts";
import type { Shown } from "./shown.ts";

/** Where one activity of a head is, apart from "settled". */
export type ActivityPlace = "queued" | "delayed" | "parked" | ActivityLease;

/** Until when work waits. */
export interface Delay {
  /** Hub time, for readers. */
  readonly until: Timestamp;
  /** Steady time, by which it happens. */
  readonly untilMs: number;
}

export interface Head {
  readonly instanceId: string;
  /**
   * Undefined while the instance does not exist: never did, or was purged and is not yet forgotten.
   */
  state: InstanceState | undefined;

  /** History of the current generation from behind `historyFrom` on; earlier events are on disk. */
  history: StoredEvent[];
  /** Sequence of the last entry whose events are not in `history`; 0 when all are. */
  historyFrom: number;
  /** The events that are not in `history`: how many there are, and their encoded bytes. */
  earlierEvents: number;
  earlierBytes: number;

  /** The newest commit that this head depends on. */
  position: CommitPosition;
  /** Commits not yet known to be durable, oldest first: positions with the sequence reached. */
  unsettled: { readonly position: CommitPosition; readonly sequence: number }[];
  durableSequence: number;
  /** No turn is handed out before this sequence is durable: the last turn, base, or release. */
  barrierSequence: number;
  /** Nothing at all is handed out before this one is: the last release of a hold. */
  releaseSequence: number;

  indexed: IndexedView | undefined;
  /** The earliest due time that the timer queue knows of. */
  dueScheduled: Timestamp | undefined;
  /**
   * Whether timers changed since `indexed` was made: looking for the earliest one costs their
   * number.
   */
  dueChanged: boolean;

  /** Encoded bytes of entries since the last snapshot of this generation, and its size. */
  tailBytes: number;
  snapshotBytes: number;

  /** How many users need it in memory. */
  pins: number;
  /** The turn that is next; of an entity, the batch of operations. */
  turn: TurnLease | BatchLease | "queued" | "delayed" | undefined;
  /** How often in a row a worker has asked for the same turn again, with its history. */
  turnsResent: number;
  activities: Map<bigint, ActivityPlace>;
  /** Until when work waits that workers have lost or given back, by identity; 0 is the turn. */
  delays: Map<bigint, Delay> | undefined;
  mailing: Promise<void> | undefined;
  /** What watches were told last that there is to see of it. */
  shown: Shown | undefined;
}

export function newHead(instanceId: string): Head {
  return {
    instanceId,
    state: undefined,
    history: [],
    historyFrom: 0,
    earlierEvents: 0,
    earlierBytes: 0,
    position: 0,
    unsettled: [],
    durableSequence: 0,
    barrierSequence: 0,
    releaseSequence: 0,
    indexed: undefined,
    dueScheduled: undefined,
    dueChanged: true,
    tailBytes: 0,
    snapshotBytes: 0,
    pins: 0,
    turn: undefined,
    turnsResent: 0,
    activities: new Map(),
    delays: undefined,
    mailing: undefined,
    shown: undefined,
  };
}

export function turnInFlight({ turn }: Head): TurnLease | undefined {
  return typeof turn === "object" && turn.kind === "turn" ? turn : undefined;
}

/** Operations of an entity that a worker has. */
export function batchInFlight({ turn }: Head): BatchLease | undefined {
  return typeof turn === "object" && turn.kind === "batch" ? turn : undefined;
}

/** What workers have of an instance. */
export function leasesOf(head: Head): readonly Lease[] {
  const leases: Lease[] = typeof head.turn === "object" ? [head.turn] : [];
  for (const place of head.activities.values()) if (typeof place === "object") leases.push(place);
  return leases;
}

/** Activities that wait to be handed out. */
export function queuedIn(head: Head): number {
  let queued = 0;
  for (const place of head.activities.values()) if (typeof place !== "object") queued += 1;
  return queued;
}

/** Remembers until when work waits, for those who ask why nothing happens. */
export function noteDelay(
  head: Head,
  workId: bigint,
  delayMs: number,
  { hubClock, steadyClock }: { readonly hubClock: HubClock; readonly steadyClock: SteadyClock },
): void {
  const until = addMilliseconds(hubClock.now(), delayMs);
  head.delays ??= new Map();
  head.delays.set(workId, { until, untilMs: steadyClock.nowMs() + delayMs });
}

/** Brings `durableSequence` up to what the store has made durable. */
export function settle(head: Head, durablePosition: CommitPosition): void {
  while (head.unsettled[0] !== undefined && head.unsettled[0].position <= durablePosition) {
    head.durableSequence = head.unsettled[0].sequence;
    head.unsettled.shift();
  }
}

export function indexedViewOf(head: Head): IndexedView | undefined {
  const { state, indexed, dueChanged } = head;
  return state && indexedView(state, indexed, dueChanged);
}

/**
 * Measured: what a head takes that has nothing; one event, activity, timer or child of it; and what
 * is remembered of one sender.
 */
const weights = { head: 4_096, item: 256, mark: 76 } as const;

/** Memory that the head holds, roughly, in bytes. */
export function weightOf(head: Head): number {
  const { state } = head;
  if (state === undefined) return weights.head;
  let bytes = weights.head + state.historyBytes - head.earlierBytes;
  bytes += weights.item * (state.historyEvents - head.earlierEvents + state.inbox.length);
  bytes += weights.item * (state.activities.size + state.timers.size + state.children.size);
  for (const event of state.inbox) bytes += event.event.length;
  return bytes + statusWeight(state) + rememberedWeight(state) + entityWeight(state);
}

/** The custom status and its revisions. */
function statusWeight({ customStatus, customStatusHistory }: InstanceState): number {
  let bytes = 2 * (customStatus?.text?.length ?? 0);
  for (const { text } of customStatusHistory) bytes += weights.item + 2 * (text?.length ?? 0);
  return bytes;
}

/** What is remembered of senders and requests, and holds with their reasons. */
function rememberedWeight({
  senderMarks,
  rememberedRequests,
  holds,
  outbox,
}: InstanceState): number {
  let bytes = weights.mark * senderMarks.size;
  bytes += weights.item * (rememberedRequests.length + holds.length + outbox.length);
  for (const { reason } of holds) bytes += 2 * (reason?.length ?? 0);
  return bytes;
}

function entityWeight({ entity }: InstanceState): number {
  if (entity === undefined) return 0;
  const waiting = weights.item * (entity.queue.length + entity.scheduled.size);
  return waiting + entity.waitingBytes + 2 * (entity.text?.length ?? 0);
}
