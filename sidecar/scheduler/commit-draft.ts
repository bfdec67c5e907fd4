/**
 * One commit in the making: decisions on several heads that happen together or not at all. Each
 * entry is encoded before it is applied, because applying shares its parts with the state.
 */
import { create } from "@bufbuild/protobuf";
import type { Decision, Environment } from "../engine/decision.ts";
import { decideCompactEntity } from "../engine/entity/care.ts";
import { evolve } from "../engine/evolve.ts";
import { isHeld, isTerminal } from "../engine/status.ts";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { encodeEntry } from "../store/entry-codec.ts";
import type { IndexChange, LogAppend, StorageNumber, Store } from "../store/store.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { type HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { GarbageRowSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { Figures } from "./figures.ts";
import { type Head, indexedViewOf } from "./head.ts";
import { indexChanges } from "./index-changes.ts";
import { isTailLong, snapshotIfDue } from "./snapshots.ts";

/** What has to happen with a head once the commit is durable. */
export interface Aftermath {
  /** Storage number of the life that it happened to. */
  number: StorageNumber | undefined;
  /** Activities that the commit scheduled. */
  activities: bigint[];
  /** A hold was released: what was set aside may go on. */
  released: boolean;
}

export class CommitDraft {
  readonly appends: LogAppend[] = [];
  readonly index: IndexChange[] = [];
  readonly touched = new Map<Head, Aftermath>();
  /** Lives that end with this commit, or finish: trees end with their origin. */
  readonly ended: bigint[] = [];
  /** Present when this commit changes the hub itself: the holds that it takes away or replaces. */
  hubChange: { readonly retired: readonly HubHold[] } | undefined;
  readonly #store: Store;
  readonly #figures: Figures;
  /** Ends what workers have of a life or generation that is over. */
  readonly #voidWork: (head: Head, what: "all" | "activities") => void;

  constructor(
    store: Store,
    figures: Figures,
    voidWork: (head: Head, what: "all" | "activities") => void,
  ) {
    this.#store = store;
    this.#figures = figures;
    this.#voidWork = voidWork;
  }

  get isEmpty(): boolean {
    return this.appends.length === 0;
  }

  /** A large commit is long in the making, and nothing else happens meanwhile. */
  get isLarge(): boolean {
    const bytes = this.appends.reduce((sum, { record }) => sum + record.length, 0);
    return bytes > LIMITS.groupBytesMax;
  }

  /** Takes a decision in. The head's state is the one after it from here on. */
  apply(head: Head, decision: Decision): void {
    this.#figures.decided(head.state, decision);
    switch (decision.kind) {
      case "append":
        this.#write(head, decision.entry);
        for (const entry of decision.more ?? []) this.#write(head, entry);
        return;
      case "begin":
        if (decision.ended !== undefined) this.#end(head, decision.ended);
        return this.#begin(head, decision.entry);
      case "end":
        return this.#end(head, decision.entry);
      case "nothing":
      case "refuse":
        return;
    }
  }

  /**
   * Adds the index rows that follow from the new states.
   *
   * @param compacting the environment of entries that begin a generation of an entity's log
   */
  finish(hub: StorageNumber, compacting: () => Environment): void {
    for (const head of this.touched.keys()) {
      this.#compactIfDue(head, compacting);
      this.#reindex(hub, head);
      const snapshot = snapshotIfDue(head);
      if (snapshot !== undefined) this.index.push(snapshot);
    }
  }

  /**
   * Nobody reads the history of an entity: where the log of an orchestration would get a snapshot, its
   * log begins again.
   */
  #compactIfDue(head: Head, compacting: () => Environment): void {
    const { state } = head;
    if (state?.kind !== Kind.ENTITY || !isTailLong(head)) return;
    this.apply(head, decideCompactEntity(state, compacting()));
    head.snapshotBytes = head.tailBytes;
    head.tailBytes = 0;
  }

  #begin(head: Head, entry: Entry): void {
    const number = this.#store.allocateNumber();
    this.appends.push({ number, generation: 1, sequence: 1, record: encodeEntry(entry) });
    this.#resetGeneration(head);
    head.unsettled = [];
    head.durableSequence = 0;
    head.releaseSequence = 0;
    head.barrierSequence = 1;
    head.state = evolve(undefined, number, 1, entry, (event) => head.history.push(event));
    const after = this.#after(head);
    after.number = number;
    after.activities = [];
  }

  #write(head: Head, entry: Entry): void {
    const { state } = head;
    assert(state !== undefined, "only a living instance goes on");
    const sequence = state.sequence + 1;
    const generation = entry.base === undefined ? state.generation : entry.base.generation;
    const record = encodeEntry(entry);
    this.appends.push({ number: state.number, generation, sequence, record });
    if (entry.base !== undefined) {
      this.#resetGeneration(head);
      const garbage = { number: state.number, belowGeneration: generation };
      this.index.push({ index: "garbage", row: create(GarbageRowSchema, garbage) });
    }
    head.tailBytes += record.length;
    const wasHeld = isHeld(state);
    const { historyEvents, historyBytes } = state;
    head.state = evolve(state, state.number, sequence, entry, (event) => head.history.push(event));
    const grownFrom = entry.base === undefined ? { historyEvents, historyBytes } : undefined;
    this.#figures.grown(grownFrom, head.state);
    // An instance that finishes drops its holds: what it leaves behind goes on as behind a release.
    const isReleased = entry.holdsReleased.length > 0 || (wasHeld && !isHeld(head.state));
    this.#note(head, entry, sequence, isReleased);
  }

  #note(head: Head, entry: Entry, sequence: number, isReleased: boolean): void {
    const after = this.#after(head);
    after.number = head.state?.number;
    const added = entry.base === undefined ? entry.activitiesAdded : entry.base.activities;
    for (const { id } of added) if (!head.activities.has(id)) after.activities.push(id);
    const isBarrier = entry.turn !== undefined || entry.base !== undefined || changesEntity(entry);
    if (isBarrier) head.barrierSequence = sequence;
    if (isReleased) {
      after.released = true;
      head.releaseSequence = sequence;
    }
    const ended = head.state && isTerminal(head.state) ? head.state.number : undefined;
    // What is cancelled as an instance ends is also a turn that a worker may have of it.
    const cancelled = ended === undefined ? "activities" : "all";
    if (entry.workCancelled) this.#voidWork(head, cancelled);
    if (ended !== undefined) this.ended.push(ended);
    if (changesDue(entry)) head.dueChanged = true;
  }

  #end(head: Head, entry: Entry): void {
    const { state } = head;
    assert(state !== undefined, "only a living instance ends");
    const { number, generation } = state;
    const sequence = state.sequence + 1;
    this.appends.push({ number, generation, sequence, record: encodeEntry(entry) });
    this.index.push({ index: "garbage", row: create(GarbageRowSchema, { number }) });
    this.ended.push(number);
    this.#voidWork(head, "all");
    this.#resetGeneration(head);
    head.state = undefined;
    // What is due in the next life is another row, also when it is due at the same time.
    head.dueScheduled = undefined;
    this.#after(head);
  }

  #resetGeneration(head: Head): void {
    head.history = [];
    head.historyFrom = 0;
    head.earlierEvents = 0;
    head.earlierBytes = 0;
    head.tailBytes = 0;
    head.snapshotBytes = 0;
    head.dueChanged = true;
  }

  #after(head: Head): Aftermath {
    let after = this.touched.get(head);
    if (after === undefined) {
      after = { number: undefined, activities: [], released: false };
      this.touched.set(head, after);
    }
    return after;
  }

  #reindex(hub: StorageNumber, head: Head): void {
    const before = head.indexed;
    const after = indexedViewOf(head);
    head.indexed = after;
    head.dueChanged = false;
    this.index.push(...indexChanges(hub, head.instanceId, before, after));
  }
}

/** More than that something has joined the end of the queue: what a batch shows rests on it. */
function changesEntity({ entity }: Entry): boolean {
  return (
    entity !== undefined &&
    (entity.consumed > 0 ||
      entity.withdrawn.length > 0 ||
      entity.inserted.length > 0 ||
      entity.unlocked ||
      entity.locked !== undefined ||
      entity.textChanged)
  );
}

function changesDue(entry: Entry): boolean {
  return (
    (entry.entity?.scheduled ?? []).length > 0 ||
    (entry.entity?.scheduledSettled ?? []).length > 0 ||
    entry.timersAdded.length > 0 ||
    entry.timersSettled.length > 0 ||
    entry.timersMoved.length > 0 ||
    entry.holdsPlaced.length > 0 ||
    entry.holdsReleased.length > 0 ||
    entry.pendingTerminate !== undefined ||
    entry.status !== undefined ||
    entry.startReleased ||
    entry.base !== undefined
  );
}
