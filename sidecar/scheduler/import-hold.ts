/** The window that holds a hub from its import on: what was done after the backup will run again. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { newHold } from "../engine/holds.ts";
import {
  ExpiryAction,
  HoldScope,
  type HubHold,
  HubHoldSchema,
  TimerPolicy,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";

export const importHoldName = "import";

/** Takes the place of one of the same name, which may have been on its way out. */
export function importHold(now: Timestamp): HubHold {
  const wish = {
    name: importHoldName,
    reason: "the hub was imported; what ran after the backup runs again",
    requestedBy: "taskhub import",
    resumeCondition: undefined,
    expiresAt: undefined,
    expiryAction: ExpiryAction.UNSPECIFIED,
    timerPolicy: TimerPolicy.KEEP,
  };
  const hold = newHold(wish, HoldScope.SELECTOR, undefined, { now });
  return create(HubHoldSchema, { hold, includeEntities: true });
}
