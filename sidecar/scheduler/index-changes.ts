/** The rows of all indexes that change with the state of one instance. Pure: two views in, changes out. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { nextDue } from "../engine/due.ts";
import { isReady, waitsForWorker } from "../engine/readiness.ts";
import type { InstanceState } from "../engine/state.ts";
import { type QueryView, queryChanges, queryViewOf } from "../store/instance-rows.ts";
import type { IndexChange, StorageNumber } from "../store/store.ts";
import {
  InstanceAddressSchema,
  InstanceRowSchema,
} from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";

/** What the indexes say of an instance. It follows from the state; a commit writes what changed. */
export interface IndexedView {
  readonly number: StorageNumber;
  readonly generation: number;
  readonly ready: boolean;
  readonly waitsForWorker: boolean;
  readonly due: Timestamp | undefined;
  readonly query: QueryView;
}

/**
 * The view of a state. `dueChanged` says whether timers changed since `before` was made: looking
 * for the earliest one costs their number.
 */
export function indexedView(
  state: InstanceState,
  before: IndexedView | undefined,
  dueChanged: boolean,
): IndexedView {
  const { number, generation } = state;
  const earlier = before?.number === number ? before : undefined;
  const due = dueChanged || earlier === undefined ? nextDue(state) : earlier.due;
  const query = queryViewOf(state, earlier?.query);
  const ready = isReady(state);
  return { number, generation, ready, waitsForWorker: ready && waitsForWorker(state), due, query };
}

/** How the rows change from one view to the next; undefined: there is no instance. */
export function indexChanges(
  hub: StorageNumber,
  instanceId: string,
  before: IndexedView | undefined,
  after: IndexedView | undefined,
): IndexChange[] {
  const sameLife = before !== undefined && before.number === after?.number;
  const changes: IndexChange[] = [];
  if (!sameLife || before.generation !== after?.generation) {
    const row = after && create(InstanceRowSchema, rowOf(after));
    if (before !== undefined || row !== undefined) {
      changes.push({ index: "instance", hub, instanceId, row });
    }
  }
  if (before?.ready === true && !(sameLife && after?.ready)) {
    changes.push({ index: "ready", number: before.number, row: undefined });
  }
  if (after?.ready === true && !(sameLife && sameReady(before, after))) {
    const { waitsForWorker } = after;
    const row = create(InstanceAddressSchema, { hub, instanceId, waitsForWorker });
    changes.push({ index: "ready", number: after.number, row });
  }
  changes.push(...queryChanges(hub, instanceId, before?.query, after?.query));
  if (sameLife && sameDue(before, after)) return changes;
  if (before?.due !== undefined) {
    changes.push({ index: "due", due: before.due, number: before.number, row: undefined });
  }
  if (after?.due !== undefined) {
    const row = create(InstanceAddressSchema, { hub, instanceId });
    changes.push({ index: "due", due: after.due, number: after.number, row });
  }
  return changes;
}

function rowOf({ number, generation }: IndexedView) {
  return { number, generation };
}

function sameReady(before: IndexedView, after: IndexedView): boolean {
  return before.ready === after.ready && before.waitsForWorker === after.waitsForWorker;
}

function sameDue(before: IndexedView, after: IndexedView | undefined): boolean {
  if (before.due === undefined || after?.due === undefined) return before.due === after?.due;
  return compareTimestamps(before.due, after.due) === 0;
}
