/** What trees and windows hold back, added up. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { oldestBufferedAt } from "../engine/raise-event.ts";
import type { CommitPosition, Store } from "../store/store.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { earlierOf } from "../wire/timestamp.ts";
import { type Head, queuedIn } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HoldGate } from "./hold-gate.ts";

/** What is held back, by one hold or by all. */
export interface HeldBackSums {
  readonly instancesHeldBack: number;
  readonly activitiesHeldBack: number;
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
}

/** What is held back at one moment. */
export interface HeldBackTable {
  readonly all: HeldBackSums;
  by(hold: HubHold): HeldBackSums;
  /** When the oldest event arrived that waits, unless there are too many to look at. */
  oldestBufferedAt(): Timestamp | undefined;
  /** Resolves when all of it is durable: the sums are those of states that may be ahead of the disk. */
  settled(): Promise<void>;
}

export interface HeldBackOptions {
  readonly heads: Heads;
  readonly gate: HoldGate;
  readonly store: Store;
}

/** Costs one look at each instance that is held back, however many holds are asked about. */
export function lookAtHeldBack({ heads, gate, store }: HeldBackOptions): HeldBackTable {
  const all = newSums();
  const byHold = new Map<HubHold, Sums>();
  let position: CommitPosition = 0;
  for (const [instanceId, { by }] of gate.heldBack) {
    // One that has left memory has nothing but its next turn held back.
    const head = heads.peek(instanceId);
    position = Math.max(position, head?.position ?? 0);
    add(all, head);
    for (const hold of by) {
      const sums = byHold.get(hold) ?? newSums();
      byHold.set(hold, sums);
      add(sums, head);
    }
  }
  return {
    all,
    by: (hold) => byHold.get(hold) ?? newSums(),
    oldestBufferedAt: () => oldestIn(heads, gate),
    settled: () => store.whenDurable(position),
  };
}

/** Looking into an event costs more than counting it. */
const lookedIntoMax = 10_000;

function oldestIn(heads: Heads, gate: HoldGate): Timestamp | undefined {
  if (gate.heldBack.size > lookedIntoMax) return undefined;
  let oldest: Timestamp | undefined;
  for (const instanceId of gate.heldBack.keys()) {
    const state = heads.peek(instanceId)?.state;
    const at = state && oldestBufferedAt(state);
    if (at !== undefined) oldest = oldest === undefined ? at : earlierOf(oldest, at);
  }
  return oldest;
}

type Sums = { -readonly [Key in keyof HeldBackSums]: HeldBackSums[Key] };

function newSums(): Sums {
  return { instancesHeldBack: 0, activitiesHeldBack: 0, bufferedEvents: 0, bufferedBytes: 0 };
}

function add(sums: Sums, head: Head | undefined): void {
  sums.instancesHeldBack += 1;
  if (head?.state === undefined) return;
  sums.activitiesHeldBack += queuedIn(head);
  sums.bufferedEvents += head.state.bufferedEvents;
  sums.bufferedBytes += head.state.bufferedBytes;
}
