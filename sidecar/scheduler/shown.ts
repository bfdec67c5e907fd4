/**
 * What watches show of an instance, small enough to be kept for each: a change of anything in here
 * is a visible change. It also has all that a filter asks, so that it can be said whether the
 * instance was among the wanted ones before.
 */
import { createHash } from "node:crypto";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import type { Hold, HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceStatus } from "../wire/gen/taskhub/v1/instance_pb.ts";
import { present } from "../wire/history-event.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { instanceStatusOf } from "./instance-status.ts";

/** A hold without its texts. */
export type ShownHold = Pick<Hold, "name" | "placedAt" | "replacedAt">;

export interface Shown {
  /** Storage number of the life. */
  readonly number: bigint;
  readonly kind: Kind;
  readonly status: InstanceStatus;
  readonly name: string;
  readonly version: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly parentInstanceId: string;
  readonly createdAt: Timestamp;
  readonly completedAt: Timestamp | undefined;
  readonly customStatus: ShownCustomStatus;
  readonly holds: readonly ShownHold[];
}

interface ShownCustomStatus {
  readonly revision: bigint;
  readonly violation: string;
  readonly dropped: bigint;
  readonly overflowed: boolean;
}

export function shownOf(state: InstanceState): Shown {
  const { number, kind, name, version, tags, parent, createdAt, completedAt } = state;
  return {
    number,
    kind,
    status: instanceStatusOf(state),
    name,
    version,
    tags,
    parentInstanceId: parent?.instanceId ?? "",
    createdAt,
    completedAt,
    customStatus: customStatusOf(state),
    holds: state.holds.length === 0 ? none : state.holds.map(shownHold),
  };
}

/** Whether this is still all that there is to see. Most commits change nothing in here. */
export function isShown(shown: Shown, state: InstanceState): boolean {
  const { customStatus: before } = shown;
  return (
    shown.number === state.number &&
    shown.status === instanceStatusOf(state) &&
    shown.version === state.version &&
    before.revision === (state.customStatus?.revision ?? 0n) &&
    before.violation === (state.customStatus?.violation ?? "") &&
    before.dropped === (state.customStatusOverflow?.dropped ?? 0n) &&
    before.overflowed === (state.customStatusOverflow?.current ?? false) &&
    shown.holds.length === state.holds.length &&
    shown.holds.every((hold, index) => isSameHold(hold, state.holds[index])) &&
    hasSameTags(shown.tags, state.tags)
  );
}

/**
 * 16 bytes that tell one view of an instance from every other, over restarts too.
 *
 * @param covering tree and selector holds that cover it
 */
export function fingerprintOf(state: InstanceState, covering: readonly HubHold[]): Buffer {
  const { version, tags } = state;
  const { revision, violation, dropped, overflowed } = customStatusOf(state);
  const parts = [
    String(state.number),
    instanceStatusOf(state),
    version ?? null,
    Object.entries(tags).sort(([left], [right]) => (left < right ? -1 : 1)),
    [String(revision), violation, String(dropped), overflowed],
    state.holds.map(holdParts),
    covering.map((hubHold) => [
      String(hubHold.origin?.number),
      holdParts(hubHold.hold),
      hubHold.pacedRelease !== undefined,
    ]),
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest().subarray(0, fingerprintBytes);
}

export const fingerprintBytes = 16;

const none: readonly ShownHold[] = [];

function customStatusOf(state: InstanceState): ShownCustomStatus {
  const { customStatus, customStatusOverflow: overflow } = state;
  return {
    revision: customStatus?.revision ?? 0n,
    violation: customStatus?.violation ?? "",
    dropped: overflow?.dropped ?? 0n,
    overflowed: overflow?.current ?? false,
  };
}

/** The hold itself may have long texts, which must not be kept because it was once shown. */
function shownHold({ name, placedAt, replacedAt }: Hold): ShownHold {
  return { name, ...present("placedAt", placedAt), ...present("replacedAt", replacedAt) };
}

function holdParts(hold: ShownHold | undefined): unknown {
  return [hold?.name, timeText(hold?.placedAt), timeText(hold?.replacedAt)];
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : `${time.seconds}.${time.nanos}`;
}

function isSameHold(left: ShownHold, right: ShownHold | undefined): boolean {
  return (
    left.name === right?.name &&
    isSameTime(left.placedAt, right.placedAt) &&
    isSameTime(left.replacedAt, right.replacedAt)
  );
}

function isSameTime(left: Timestamp | undefined, right: Timestamp | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left === right || compareTimestamps(left, right) === 0;
}

function hasSameTags(left: Shown["tags"], right: Shown["tags"]): boolean {
  if (left === right) return true;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && left[key] === right[key])
  );
}
