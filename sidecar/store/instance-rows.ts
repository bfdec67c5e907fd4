/**
 * The rows of the query indexes that follow from the state of one instance. The live task hub
 * writes what changes in them; an upgrade writes them all.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import { assert } from "../foundation/assert.ts";
import { type Hold, Kind, Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  CompletedRowSchema,
  HeldRowSchema,
  QueryRowSchema,
} from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import { present } from "../wire/history-event.ts";
import { compareTimestamps, earlierOf } from "../wire/timestamp.ts";
import type { IndexChange, InstanceClass, StorageNumber } from "./store.ts";

/** What the indexes of orchestrations say of one. */
export interface ListedView {
  readonly instanceClass: InstanceClass;
  readonly createdAt: Timestamp;
  readonly completedAt: Timestamp | undefined;
  readonly name: string;
  readonly version: string | undefined;
  /** That of the state, which never changes it in place. */
  readonly tags: Readonly<Record<string, string>>;
  readonly parentInstanceId: string;
}

/** What the index of holds says of an instance that has some. */
export interface HeldView {
  readonly instanceName: string;
  readonly since: Timestamp;
  readonly holds: readonly Hold[];
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
}

export interface QueryView {
  readonly number: StorageNumber;
  /** Undefined for an entity. */
  readonly listed: ListedView | undefined;
  /** Undefined while nothing of its own holds it. */
  readonly held: HeldView | undefined;
}

/**
 * The view of a state; its parts are those of `before`, the last view of the same life, as long as
 * they say the same: most commits change nothing here, and must not pay for looking.
 */
export function queryViewOf(state: InstanceState, before?: QueryView): QueryView {
  const listed = listedViewOf(state, before?.listed);
  const held = heldViewOf(state, before?.held);
  if (before !== undefined && before.listed === listed && before.held === held) return before;
  return { number: state.number, listed, held };
}

function listedViewOf(state: InstanceState, before?: ListedView): ListedView | undefined {
  if (state.kind !== Kind.ORCHESTRATION) return undefined;
  const { name, version, tags, createdAt, completedAt } = state;
  const instanceClass = classOf(state.status);
  const isSame =
    before?.instanceClass === instanceClass &&
    before.version === version &&
    before.tags === tags &&
    before.name === name;
  if (isSame) return before;
  const parentInstanceId = state.parent?.instanceId ?? "";
  return { instanceClass, createdAt, completedAt, name, version, tags, parentInstanceId };
}

function heldViewOf(state: InstanceState, before?: HeldView): HeldView | undefined {
  const { holds, bufferedEvents, bufferedBytes, name: instanceName } = state;
  const first = holds[0];
  if (first === undefined) return undefined;
  const isSame =
    before !== undefined &&
    before.bufferedEvents === bufferedEvents &&
    before.bufferedBytes === bufferedBytes &&
    before.holds.length === holds.length &&
    before.holds.every((hold, index) => hold === holds[index]);
  if (isSame) return before;
  // States of the first stored format did not say since when.
  const since = state.heldSince ?? holds.map(placedAtOf).reduce(earlierOf);
  // A copy: the state replaces holds in place.
  return { instanceName, since, holds: [...holds], bufferedEvents, bufferedBytes };
}

/** How the rows change from one view to the next; undefined: there is no instance. */
export function queryChanges(
  hub: StorageNumber,
  instanceId: string,
  before: QueryView | undefined,
  after: QueryView | undefined,
): readonly IndexChange[] {
  if (before === after) return NONE;
  return [
    ...listedChanges(hub, instanceId, before, after),
    ...heldChanges(hub, instanceId, before, after),
  ];
}

const NONE: readonly IndexChange[] = [];

function listedChanges(
  hub: StorageNumber,
  instanceId: string,
  before: QueryView | undefined,
  after: QueryView | undefined,
): IndexChange[] {
  const old = before?.listed;
  const now = after?.listed;
  const changes: IndexChange[] = [];
  if (before?.number === after?.number && old && now && saysTheSame(old, now)) return changes;
  if (old !== undefined && !(now !== undefined && hasSameKey(old, now))) {
    const { instanceClass, createdAt, completedAt } = old;
    changes.push({ index: "query", hub, instanceClass, createdAt, instanceId, row: undefined });
    if (completedAt !== undefined) {
      changes.push({ index: "completed", hub, completedAt, instanceId, row: undefined });
    }
  }
  if (after === undefined || now === undefined) return changes;
  const { number } = after;
  const { instanceClass, createdAt, completedAt, name, tags, parentInstanceId } = now;
  const row = create(QueryRowSchema, {
    number,
    name,
    tags,
    parentInstanceId,
    ...present("version", now.version),
    ...present("completedAt", completedAt),
  });
  changes.push({ index: "query", hub, instanceClass, createdAt, instanceId, row });
  if (completedAt !== undefined) {
    const status = STATUS[instanceClass];
    const completedRow = create(CompletedRowSchema, { number, status, createdAt });
    changes.push({ index: "completed", hub, completedAt, instanceId, row: completedRow });
  }
  return changes;
}

function heldChanges(
  hub: StorageNumber,
  instanceId: string,
  before: QueryView | undefined,
  after: QueryView | undefined,
): IndexChange[] {
  const changes: IndexChange[] = [];
  const old = before?.held;
  const now = after?.held;
  const sameLife = before?.number === after?.number;
  if (sameLife && old === now) return changes;
  if (before !== undefined && old !== undefined) {
    const { number } = before;
    for (const hold of old.holds) {
      if (sameLife && now?.holds.some((each) => hasSamePlace(each, hold))) continue;
      const placedAt = placedAtOf(hold);
      changes.push({ index: "held", hub, placedAt, number, name: hold.name, row: undefined });
    }
  }
  if (after === undefined || now === undefined) return changes;
  const { number } = after;
  const about = aboutHeld(instanceId, now);
  const isKnown = sameLife && old !== undefined && saysTheSameOfHolder(old, now);
  for (const hold of now.holds) {
    if (isKnown && old.holds.includes(hold)) continue;
    const placedAt = placedAtOf(hold);
    const row = create(HeldRowSchema, { ...about, hold });
    changes.push({ index: "held", hub, placedAt, number, name: hold.name, row });
  }
  return changes;
}

function aboutHeld(instanceId: string, held: HeldView) {
  const { instanceName, since: heldSince, bufferedEvents } = held;
  return {
    instanceId,
    instanceName,
    heldSince,
    bufferedEvents,
    bufferedBytes: BigInt(held.bufferedBytes),
  };
}

function saysTheSameOfHolder(left: HeldView, right: HeldView): boolean {
  return (
    left.bufferedEvents === right.bufferedEvents &&
    left.bufferedBytes === right.bufferedBytes &&
    compareTimestamps(left.since, right.since) === 0
  );
}

function hasSamePlace(left: Hold, right: Hold): boolean {
  return left.name === right.name && compareTimestamps(placedAtOf(left), placedAtOf(right)) === 0;
}

function saysTheSame(left: ListedView, right: ListedView): boolean {
  return (
    left === right ||
    (left.instanceClass === right.instanceClass &&
      left.name === right.name &&
      left.version === right.version &&
      sameTags(left.tags, right.tags))
  );
}

function sameTags(left: ListedView["tags"], right: ListedView["tags"]): boolean {
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && left[key] === right[key])
  );
}

function hasSameKey(left: ListedView, right: ListedView): boolean {
  return (
    left.instanceClass === right.instanceClass &&
    compareTimestamps(left.createdAt, right.createdAt) === 0 &&
    sameTime(left.completedAt, right.completedAt)
  );
}

function sameTime(left: Timestamp | undefined, right: Timestamp | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return compareTimestamps(left, right) === 0;
}

function placedAtOf({ placedAt }: Hold): Timestamp {
  assert(placedAt !== undefined, "a hold has the time when it was placed");
  return placedAt;
}

export function classOf(status: Status): InstanceClass {
  switch (status) {
    case Status.COMPLETED:
      return "completed";
    case Status.FAILED:
      return "failed";
    case Status.TERMINATED:
      return "terminated";
    case Status.CANCELED:
      return "canceled";
    default:
      return "live";
  }
}

const STATUS: Readonly<Record<InstanceClass, Status>> = {
  live: Status.UNSPECIFIED,
  completed: Status.COMPLETED,
  failed: Status.FAILED,
  terminated: Status.TERMINATED,
  canceled: Status.CANCELED,
};
