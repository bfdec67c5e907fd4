/** What the compatible RPCs place and release: the hold with the empty name, and no other. */
import { compatibleHold, type HoldWish } from "../engine/holds.ts";
import { noReply } from "../engine/repeat.ts";
import { ExpiryAction, TimerPolicy } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ReleaseWish, Suspensions } from "./suspensions.ts";

const wish: HoldWish = {
  name: compatibleHold,
  reason: undefined,
  requestedBy: "",
  resumeCondition: undefined,
  expiresAt: undefined,
  expiryAction: ExpiryAction.UNSPECIFIED,
  timerPolicy: TimerPolicy.KEEP,
};

const releaseWish: ReleaseWish = {
  names: [compatibleHold],
  trees: [],
  pace: undefined,
  reason: undefined,
  requestedBy: "",
  ignoreFinished: true,
};

/** Places it unless it is there. @throws HubError "instance-not-found", "limit-exceeded" */
export async function suspendCompatibly(
  suspensions: Suspensions,
  instanceId: string,
  reason: string | undefined,
): Promise<void> {
  const options = { replace: false, ignoreFinished: true };
  await suspensions.place(instanceId, { ...wish, reason }, options, noReply);
}

/** Releases it if it is there. @throws HubError "instance-not-found" */
export async function resumeCompatibly(
  suspensions: Suspensions,
  instanceId: string,
  reason: string | undefined,
): Promise<void> {
  await suspensions.release(instanceId, { ...releaseWish, reason }, noReply);
}
