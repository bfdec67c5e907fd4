/** From flags to what all kinds of holds have in common. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import {
  ExpiryAction,
  ExpiryActionSchema,
  TimerPolicy,
} from "../../../wire/gen/taskhub/v1/hold_pb.ts";
import type { PaceSchema } from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { requestedBy } from "./operands.ts";
import { numberFlag } from "./query.ts";
import { parseTimeOrDuration } from "./times.ts";
import { parseEnum } from "./words.ts";

export interface HoldFlags {
  readonly reason?: string;
  readonly by?: string;
  readonly condition?: string;
  readonly expires?: string;
  readonly onExpiry?: string;
  readonly freezeTimers?: boolean;
  readonly replace?: boolean;
}

/** What requests for holds of every scope share. */
interface HoldFields {
  readonly reason?: string;
  readonly requestedBy: string;
  readonly resumeCondition?: string;
  readonly expiresAt?: Timestamp;
  readonly expiresAfter?: Duration;
  readonly expiryAction: ExpiryAction;
  readonly timerPolicy: TimerPolicy;
  readonly replace: boolean;
}

/**
 * @param mayTerminate whether `--on-expiry terminate` is one of the choices
 * @throws ExitError 64
 */
export function holdFields(flags: HoldFlags, mayTerminate: boolean): HoldFields {
  const { reason, condition, onExpiry, freezeTimers = false, replace = false } = flags;
  if (onExpiry !== undefined && flags.expires === undefined) {
    throw new ExitError(EXIT.usage, "--on-expiry needs --expires");
  }
  const expiryAction =
    onExpiry === undefined
      ? ExpiryAction.UNSPECIFIED
      : (parseEnum(ExpiryActionSchema, onExpiry, "--on-expiry") as ExpiryAction);
  if (expiryAction === ExpiryAction.TERMINATE && !mayTerminate) {
    throw new ExitError(EXIT.usage, '--on-expiry: "terminate" is not one of: resume, keep');
  }
  return {
    requestedBy: requestedBy(flags.by),
    expiryAction,
    timerPolicy: freezeTimers ? TimerPolicy.FREEZE : TimerPolicy.KEEP,
    replace,
    ...present("reason", reason),
    ...present("resumeCondition", condition),
    ...expiryFields(flags.expires),
  };
}

function expiryFields(text: string | undefined) {
  if (text === undefined) return {};
  const expiry = parseTimeOrDuration(text, "--expires");
  // A duration is counted by the clock of the server, which is the one that ends it.
  return expiry.kind === "time" ? { expiresAt: expiry.time } : { expiresAfter: expiry.duration };
}

export interface PaceFlags {
  readonly rate?: string;
  readonly canaries?: string;
}

/** How fast to release; undefined when nobody said. */
export function parsePace({
  rate,
  canaries,
}: PaceFlags): MessageInitShape<typeof PaceSchema> | undefined {
  if (rate === undefined && canaries === undefined) return undefined;
  return {
    instancesPerSecond: rate === undefined ? 0 : parseRate(rate),
    canaries: canaries === undefined ? 0 : numberFlag(canaries, "--canaries", 0, 1_000_000),
  };
}

function parseRate(text: string): number {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (rate >= 0.001 && rate <= 1_000_000) return rate;
  throw new ExitError(
    EXIT.usage,
    `--rate: ${JSON.stringify(text)} is not a number of instances per second, from 0.001 on`,
  );
}
