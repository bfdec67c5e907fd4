/**
 * The head of an instance id: its newest decided state, ahead of the disk. Decisions are made on
 * heads; nothing that follows from one leaves before the head is durable.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { nextDue } from "../engine/due.ts";
import { isReady } from "../engine/readiness.ts";
import type { InstanceState } from "../engine/state.ts";
import type { CommitPosition } from "../store/store.ts";
import type { StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ActivityLease, TurnLease } from "./leases.ts";

/** What the indexes say of an instance. It follows from the state; a commit writes what changed. */
export interface IndexedView {
  readonly number: bigint;
  readonly generation: number;
  readonly ready: boolean;
  readonly due: Timestamp | undefined;
}

/** Where one activity of a head is, apart from "settled". */
export type ActivityPlace = "queued" | "delayed" | "parked" | ActivityLease;

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
  turn: TurnLease | "queued" | "delayed" | undefined;
  /** Turns in a row that ended without an answer. */
  turnsLost: number;
  activities: Map<bigint, ActivityPlace>;
  mailing: Promise<void> | undefined;
}

export function newHead(instanceId: string): Head {
  return {
    instanceId,
    state: undefined,
    history: [],
    historyFrom: 0,
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
    turnsLost: 0,
    activities: new Map(),
    mailing: undefined,
  };
}

export function turnInFlight(head: Head): TurnLease | undefined {
  return typeof head.turn === "object" ? head.turn : undefined;
}

/** Brings `durableSequence` up to what the store has made durable. */
export function settle(head: Head, durablePosition: CommitPosition): void {
  while (head.unsettled[0] !== undefined && head.unsettled[0].position <= durablePosition) {
    head.durableSequence = head.unsettled[0].sequence;
    head.unsettled.shift();
  }
}

export function indexedViewOf(head: Head): IndexedView | undefined {
  const { state, indexed } = head;
  if (state === undefined) return undefined;
  const { number, generation } = state;
  const due = head.dueChanged || indexed === undefined ? nextDue(state) : indexed.due;
  return { number, generation, ready: isReady(state), due };
}

/** Memory that the head holds, roughly, in bytes. */
export function weightOf(head: Head): number {
  let bytes = 1_024 + (head.state?.historyBytes ?? 0);
  for (const event of head.state?.inbox ?? []) bytes += event.event.length;
  return bytes;
}
