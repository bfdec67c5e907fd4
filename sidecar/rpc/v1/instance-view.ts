/** Instances as `taskhub.v1` shows them. */
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../../engine/state.ts";
import { isTerminal } from "../../engine/status.ts";
import { instanceStatusOf } from "../../scheduler/instance-status.ts";
import type {
  HubHold,
  CustomStatus as StoredCustomStatus,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Hold } from "../../wire/gen/taskhub/v1/hold_pb.ts";
import {
  type CustomStatus,
  CustomStatusSchema,
  type Instance,
  InstanceSchema,
} from "../../wire/gen/taskhub/v1/instance_pb.ts";
import { present } from "../../wire/history-event.ts";
import { compareTimestamps, isAfter } from "../../wire/timestamp.ts";
import { holdView, hubHoldView, type ReleaseProgress } from "./hold-view.ts";

/** What views need to know of a task hub. */
export interface ViewedHub {
  now(): Timestamp;
  /** How far the paced release of a tree or window has come. */
  releaseProgress(hold: HubHold): ReleaseProgress | undefined;
}

/** @param covering tree and selector holds that cover the instance now */
export function instanceView(
  state: InstanceState,
  covering: readonly HubHold[],
  hub: ViewedHub,
): Instance {
  const now = hub.now();
  return create(InstanceSchema, {
    instanceId: state.instanceId,
    name: state.name,
    status: instanceStatusOf(state),
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    executionId: state.executionId,
    parentInstanceId: state.parent?.instanceId ?? "",
    tags: state.tags,
    holds: holdsView(state, covering, hub),
    ...present("version", state.version),
    ...present("completedAt", state.completedAt),
    ...present("scheduledStartAt", state.scheduledStartAt),
    ...present("customStatus", customStatusView(state, now)),
    ...present("heldSince", heldSince(state, covering)),
  });
}

/** Everything that holds an instance, the oldest first. A finished one is held by nothing. */
export function holdsView(
  state: InstanceState,
  covering: readonly HubHold[],
  hub: ViewedHub,
): Hold[] {
  if (isTerminal(state)) return [];
  const holds = [
    ...state.holds.map((hold) => holdView(hold, hub.now())),
    ...covering.map((hold) => hubHoldView(hold, hub.now(), hub.releaseProgress(hold))),
  ];
  return holds.sort((left, right) =>
    left.placedAt && right.placedAt ? compareTimestamps(left.placedAt, right.placedAt) : 0,
  );
}

/** The custom status; undefined when there never was one. */
export function customStatusView(state: InstanceState, now: Timestamp): CustomStatus | undefined {
  const { customStatus, customStatusOverflow: overflow } = state;
  if (customStatus === undefined && overflow === undefined) return undefined;
  return create(CustomStatusSchema, {
    ...(customStatus && revisionFields(customStatus, now)),
    overflowed: overflow?.current ?? false,
    updatesDropped: overflow?.dropped ?? 0n,
    droppedSizeBytes: overflow?.size ?? 0,
  });
}

/** One revision of a custom status. */
export function revisionView(status: StoredCustomStatus, now: Timestamp): CustomStatus {
  return create(CustomStatusSchema, revisionFields(status, now));
}

function revisionFields(status: StoredCustomStatus, now: Timestamp) {
  const { text, revision, updatedAt, violation } = status;
  return {
    revision,
    sizeBytes: text === undefined ? 0 : Buffer.byteLength(text),
    violation,
    ...present("value", text),
    ...present("updatedAt", updatedAt),
    ...present("age", updatedAt && durationBetween(updatedAt, now)),
  };
}

/** Never negative: the wall clock may have been set back. */
export function durationBetween(from: Timestamp, to: Timestamp): Duration {
  if (isAfter(from, to)) return create(DurationSchema);
  const nanos = to.nanos - from.nanos;
  const borrow = nanos < 0 ? 1 : 0;
  return create(DurationSchema, {
    seconds: to.seconds - from.seconds - BigInt(borrow),
    nanos: nanos + borrow * 1_000_000_000,
  });
}

/** Holds of the instance know since when without a break; others hold since they began. */
function heldSince(state: InstanceState, covering: readonly HubHold[]): Timestamp | undefined {
  if (isTerminal(state)) return undefined;
  let since = state.heldSince;
  for (const { hold, startsAt } of covering) {
    const began = startsAt ?? hold?.placedAt;
    if (began === undefined) continue;
    // An instance is not held before it exists.
    const from = isAfter(state.createdAt, began) ? state.createdAt : began;
    if (since === undefined || isAfter(since, from)) since = from;
  }
  return since;
}
