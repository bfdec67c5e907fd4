/**
 * What becomes of the custom status that a turn reports: a new revision, nothing, a dropped update,
 * or the failure of the instance.
 *
 * @see PROTOCOL.md 4.12
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { checksumOf } from "../../foundation/checksum.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import type { TaskFailureDetails } from "../../wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type CustomStatus,
  type CustomStatusOverflow,
  CustomStatusOverflowSchema,
  CustomStatusSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import { exceedsBytes } from "../payload-limit.ts";
import type { InstanceState } from "../state.ts";

export interface CustomStatusPolicy {
  /** Bytes of UTF-8. */
  readonly bytesMax: number;
  /** What happens above `bytesMax`: the instance fails, or the update is dropped and counted. */
  readonly overflow: "fail" | "drop";
  /** Revisions that are kept, the newest included: at least 1. */
  readonly revisionsMax: number;
  /** Bytes of their texts together. The newest one is kept whatever its size. */
  readonly revisionBytesMax: number;
}

/** What the custom status of an orchestration name has to follow. */
export interface StatusContract {
  /** Why the text does not follow it; undefined when it does. Pure, and never throws. */
  check(text: string): string | undefined;
  /** A text that does not follow it is marked with the reason; otherwise it fails the instance. */
  readonly warnOnly: boolean;
}

export interface StatusRules {
  readonly policy: CustomStatusPolicy;
  readonly contract: StatusContract | undefined;
}

export const defaultStatusPolicy: CustomStatusPolicy = {
  bytesMax: LIMITS.customStatusBytesMax,
  overflow: "fail",
  revisionsMax: LIMITS.customStatusRevisionsMax,
  revisionBytesMax: LIMITS.customStatusRevisionBytesMax,
};

export const defaultStatusRules: StatusRules = { policy: defaultStatusPolicy, contract: undefined };

/** The type of the failure of an instance whose custom status does not follow its contract. */
export const CUSTOM_STATUS_REJECTED = "CustomStatusRejected";

type StatusFields = Pick<Entry, "customStatus" | "customStatusForgotten" | "customStatusOverflow">;

export interface StatusReport {
  /** What the entry of the turn says of it, whether the turn is carried out or fails. */
  readonly fields: Partial<StatusFields>;
  /** Why the instance fails because of it. */
  readonly failure: TaskFailureDetails | undefined;
}

/** @param reported full replacement: absent and empty mean none */
export function decideCustomStatus(
  state: InstanceState,
  reported: string | undefined,
  now: Timestamp,
  { policy, contract }: StatusRules,
): StatusReport {
  const text = reported === "" ? undefined : reported;
  // Orchestrators report their status with every turn: the same text again is no news, also when
  // it would not be accepted any more.
  if (text === state.customStatus?.text) return accepted(overflowEnded(state));
  if (text !== undefined && exceedsBytes(text, policy.bytesMax)) {
    return policy.overflow === "fail" ? tooLarge(text, policy.bytesMax) : dropped(state, text);
  }
  const violation = text === undefined ? undefined : contract?.check(text);
  if (violation !== undefined && contract?.warnOnly === false) {
    const message = `the custom status does not follow its schema: ${violation}`;
    return refused(permanentFailure(CUSTOM_STATUS_REJECTED, message));
  }
  const customStatus = create(CustomStatusSchema, {
    revision: (state.customStatus?.revision ?? 0n) + 1n,
    updatedAt: now,
    ...present("violation", violation),
    ...present("text", text),
  });
  return accepted({
    customStatus,
    customStatusForgotten: forgottenFor(state, customStatus, policy),
    ...overflowEnded(state),
  });
}

function accepted(fields: Partial<StatusFields>): StatusReport {
  return { fields, failure: undefined };
}

function refused(failure: TaskFailureDetails): StatusReport {
  return { fields: {}, failure };
}

function tooLarge(text: string, bytesMax: number): StatusReport {
  const size = Buffer.byteLength(text);
  const message = `the custom status has ${size} bytes: the limit is ${bytesMax} bytes`;
  return refused(permanentFailure("LimitExceeded", message));
}

function dropped({ customStatusOverflow: last }: InstanceState, text: string): StatusReport {
  const size = Buffer.byteLength(text);
  const checksum = checksumOf(text);
  if (last?.current && last.size === size && last.checksum === checksum) return accepted({});
  const count = (last?.dropped ?? 0n) + 1n;
  const overflow = { dropped: count, size, checksum, current: true };
  return accepted({ customStatusOverflow: create(CustomStatusOverflowSchema, overflow) });
}

/** An update that was accepted is the newest again. */
function overflowEnded({ customStatusOverflow: last }: InstanceState): Partial<StatusFields> {
  if (!last?.current) return {};
  const { dropped, size, checksum } = last;
  const customStatusOverflow: CustomStatusOverflow = create(CustomStatusOverflowSchema, {
    dropped,
    size,
    checksum,
    current: false,
  });
  return { customStatusOverflow };
}

/** How many of the oldest revisions are no longer kept once `next` is the newest. */
function forgottenFor(
  { customStatus, customStatusHistory }: InstanceState,
  next: CustomStatus,
  { revisionsMax, revisionBytesMax }: CustomStatusPolicy,
): number {
  const earlier =
    customStatus === undefined ? customStatusHistory : [...customStatusHistory, customStatus];
  let kept = 0;
  let bytes = sizeOf(next);
  while (kept < earlier.length && kept + 1 < revisionsMax) {
    bytes += sizeOf(earlier[earlier.length - 1 - kept]);
    if (bytes > revisionBytesMax) break;
    kept += 1;
  }
  return earlier.length - kept;
}

function sizeOf(status: CustomStatus | undefined): number {
  return Buffer.byteLength(status?.text ?? "");
}
