/** What requests say of holds, checked. */
import { create } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { HoldWish } from "../../engine/holds.ts";
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import {
  ExpiryAction as ExpiryActionStored,
  type PacedRelease,
  PacedReleaseSchema,
  type Selector as SelectorStored,
  SelectorSchema as SelectorStoredSchema,
  TimerPolicy as TimerPolicyStored,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { ExpiryAction, type Selector, TimerPolicy } from "../../wire/gen/taskhub/v1/hold_pb.ts";
import type { Pace } from "../../wire/gen/taskhub/v1/suspension_pb.ts";
import { addNanoseconds, laterOf, nanosecondsBetween } from "../../wire/timestamp.ts";
import { checkReason, checkTags, checkText, checkTimestamp } from "../validation.ts";

/** The fields that say what a hold is, in requests of every scope. */
export interface HoldFields {
  readonly name: string;
  readonly reason?: string | undefined;
  readonly requestedBy: string;
  readonly resumeCondition?: string | undefined;
  readonly expiresAt?: Timestamp | undefined;
  readonly expiresAfter?: Duration | undefined;
  readonly expiryAction: ExpiryAction;
  readonly timerPolicy: TimerPolicy;
}

/**
 * @param from what `expires_after` counts from
 * @throws HubError "invalid-argument"
 */
export function holdWish(fields: HoldFields, from: Timestamp): HoldWish {
  const { name, reason, requestedBy, resumeCondition } = fields;
  checkText("name", name, LIMITS.nameBytesMax);
  checkReason(reason);
  checkText("requested_by", requestedBy, LIMITS.nameBytesMax);
  checkReason(resumeCondition, "resume_condition");
  const expiresAt = expiryOf(fields, from);
  return {
    name,
    reason,
    requestedBy,
    resumeCondition,
    expiresAt,
    expiryAction: expiryActionOf(fields.expiryAction, expiresAt !== undefined),
    timerPolicy: timerPolicyOf(fields.timerPolicy),
  };
}

function expiryOf({ expiresAt, expiresAfter }: HoldFields, from: Timestamp): Timestamp | undefined {
  checkTimestamp("expires_at", expiresAt);
  if (expiresAfter === undefined) return expiresAt;
  if (expiresAt !== undefined) throw invalid("expires_at and expires_after are both set");
  const nanoseconds = nanosecondsOf("expires_after", expiresAfter);
  const expiry = addNanoseconds(from, nanoseconds);
  // A sum that no Timestamp can hold is cut.
  if (nanosecondsBetween(from, expiry) !== nanoseconds) {
    throw invalid("expires_after ends behind the year 9999");
  }
  return expiry;
}

/** A duration that is not negative. @throws HubError "invalid-argument" */
export function nanosecondsOf(field: string, { seconds, nanos }: Duration): bigint {
  if (seconds < 0n || nanos < 0) throw invalid(`${field} is negative`);
  if (seconds > DURATION_SECONDS_MAX || nanos > 999_999_999) {
    throw invalid(`${field} is not a duration of at most 10,000 years`);
  }
  return seconds * 1_000_000_000n + BigInt(nanos);
}

const DURATION_SECONDS_MAX = 315_576_000_000n;

function expiryActionOf(action: ExpiryAction, expires: boolean): ExpiryActionStored {
  switch (action) {
    case ExpiryAction.UNSPECIFIED:
      return expires ? ExpiryActionStored.RESUME : ExpiryActionStored.UNSPECIFIED;
    case ExpiryAction.RESUME:
    case ExpiryAction.TERMINATE:
    case ExpiryAction.KEEP:
      if (!expires) throw invalid("expiry_action is set, but the hold never expires");
      return action as number as ExpiryActionStored;
    default:
      throw invalid(`expiry_action ${action} does not exist`);
  }
}

function timerPolicyOf(policy: TimerPolicy): TimerPolicyStored {
  switch (policy) {
    case TimerPolicy.UNSPECIFIED:
    case TimerPolicy.KEEP:
      return TimerPolicyStored.KEEP;
    case TimerPolicy.FREEZE:
      return TimerPolicyStored.FREEZE;
    default:
      throw invalid(`timer_policy ${policy} does not exist`);
  }
}

/** @throws HubError "invalid-argument" */
export function storedSelector(selector: Selector | undefined): SelectorStored | undefined {
  if (selector === undefined) return undefined;
  const { names, instanceIdPrefix, tags, versions } = selector;
  for (const [field, values] of Object.entries({ names, versions })) {
    if (values.length > LIMITS.selectorValuesMax) {
      throw invalid(`selector.${field} has more than ${LIMITS.selectorValuesMax} values`);
    }
    for (const value of values) checkText(`selector.${field}`, value, LIMITS.nameBytesMax);
    if (field === "names" && values.includes("")) throw invalid("selector.names has an empty name");
  }
  checkText("selector.instance_id_prefix", instanceIdPrefix, LIMITS.instanceIdBytesMax);
  checkTags(tags);
  return create(SelectorStoredSchema, { names, instanceIdPrefix, tags, versions });
}

/** @throws HubError "invalid-argument" */
export function storedPace(pace: Pace | undefined): PacedRelease | undefined {
  if (pace === undefined) return undefined;
  const { instancesPerSecond, canaries } = pace;
  const isRate = instancesPerSecond >= 0.001 && instancesPerSecond <= 1_000_000;
  if (instancesPerSecond !== 0 && !isRate) {
    throw invalid("pace.instances_per_second is not between 0.001 and 1,000,000");
  }
  if (canaries > 1_000_000) throw invalid("pace.canaries is more than 1,000,000");
  // Neither a rate nor canaries: all at once.
  if (instancesPerSecond === 0 && canaries === 0) return undefined;
  return create(PacedReleaseSchema, { instancesPerSecond, canaries });
}

/** From when on a window holds: its start, or now when that has passed. */
export function beginOf(startsAt: Timestamp | undefined, now: Timestamp): Timestamp {
  checkTimestamp("starts_at", startsAt);
  return startsAt === undefined ? now : laterOf(startsAt, now);
}

export function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
