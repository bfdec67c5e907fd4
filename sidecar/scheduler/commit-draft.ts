/**
 * One commit in the making: decisions on several heads that happen together or not at all. Each
 * entry is encoded before it is applied, because applying shares its parts with the state.
 */
import { create } from "@bufbuild/protobuf";
import type { Decision } from "../engine/decision.ts";
import { evolve } from "../engine/evolve.ts";
import { assert } from "../foundation/assert.ts";
import { encodeEntry } from "../store/entry-codec.ts";
import type { IndexChange, LogAppend, StorageNumber, Store } from "../store/store.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  GarbageRowSchema,
  InstanceAddressSchema,
  InstanceRowSchema,
} from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { type Head, type IndexedView, indexedViewOf } from "./head.ts";
import { snapshotIfDue } from "./snapshots.ts";

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
  readonly #store: Store;
  /** Ends what workers have of a life or generation that is over. */
  readonly #voidWork: (head: Head, what: "all" | "activities") => void;

  constructor(store: Store, voidWork: (head: Head, what: "all" | "activities") => void) {
    this.#store = store;
    this.#voidWork = voidWork;
  }

  get isEmpty(): boolean {
    return this.appends.length === 0;
  }

  /** Takes a decision in. The head's state is the one after it from here on. */
  apply(head: Head, decision: Decision): void {
    switch (decision.kind) {
      case "append":
        return this.#write(head, decision.entry);
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

  /** Adds the index rows that follow from the new states. */
  finish(hub: StorageNumber): void {
    for (const head of this.touched.keys()) {
      this.#reindex(hub, head);
      const snapshot = snapshotIfDue(head);
      if (snapshot !== undefined) this.index.push(snapshot);
    }
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
    head.state = evolve(state, state.number, sequence, entry, (event) => head.history.push(event));
    this.#note(head, entry, sequence);
  }

  #note(head: Head, entry: Entry, sequence: number): void {
    const after = this.#after(head);
    after.number = head.state?.number;
    const added = entry.base === undefined ? entry.activitiesAdded : entry.base.activities;
    for (const { id } of added) if (!head.activities.has(id)) after.activities.push(id);
    if (entry.turn !== undefined || entry.base !== undefined) head.barrierSequence = sequence;
    if (entry.holdsReleased.length > 0) {
      after.released = true;
      head.releaseSequence = sequence;
    }
    if (entry.workCancelled) this.#voidWork(head, "activities");
    if (changesDue(entry)) head.dueChanged = true;
  }

  #end(head: Head, entry: Entry): void {
    const { state } = head;
    assert(state !== undefined, "only a living instance ends");
    const { number, generation } = state;
    const sequence = state.sequence + 1;
    this.appends.push({ number, generation, sequence, record: encodeEntry(entry) });
    this.index.push({ index: "garbage", row: create(GarbageRowSchema, { number }) });
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
    const { instanceId } = head;
    const sameLife = before !== undefined && before.number === after?.number;
    if (!sameLife || before.generation !== after?.generation) {
      const row = after && create(InstanceRowSchema, after);
      if (before !== undefined || row !== undefined) {
        this.index.push({ index: "instance", hub, instanceId, row });
      }
    }
    const address = create(InstanceAddressSchema, { hub, instanceId });
    if (before?.ready === true && !(sameLife && after.ready)) {
      this.index.push({ index: "ready", number: before.number, row: undefined });
    }
    if (after?.ready === true && !(sameLife && before.ready)) {
      this.index.push({ index: "ready", number: after.number, row: address });
    }
    if (sameLife && sameDue(before, after)) return;
    if (before?.due !== undefined) {
      this.index.push({ index: "due", due: before.due, number: before.number, row: undefined });
    }
    if (after?.due !== undefined) {
      this.index.push({ index: "due", due: after.due, number: after.number, row: address });
    }
  }
}

function changesDue(entry: Entry): boolean {
  return (
    entry.timersAdded.length > 0 ||
    entry.timersSettled.length > 0 ||
    entry.status !== undefined ||
    entry.startReleased ||
    entry.base !== undefined
  );
}

function sameDue(before: IndexedView, after: IndexedView | undefined): boolean {
  if (before.due === undefined || after?.due === undefined) return before.due === after?.due;
  return compareTimestamps(before.due, after.due) === 0;
}
