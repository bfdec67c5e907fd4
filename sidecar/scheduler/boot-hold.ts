/** The window that holds every hub of a sidecar that is started suspended. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type HoldWish, newHold } from "../engine/holds.ts";
import type { HubHoldTarget } from "../engine/hub/hub-holds.ts";
import {
  ExpiryAction,
  HoldScope,
  type HubHold,
  HubHoldSchema,
  TimerPolicy,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";

export const bootWish: HoldWish = {
  name: "boot",
  reason: "the sidecar was started suspended",
  requestedBy: "taskhub serve --suspended",
  resumeCondition: undefined,
  expiresAt: undefined,
  expiryAction: ExpiryAction.UNSPECIFIED,
  timerPolicy: TimerPolicy.KEEP,
};

export const wholeHub: HubHoldTarget = {
  kind: "window",
  selector: undefined,
  startsAt: undefined,
  refusesStarts: false,
  includeEntities: true,
};

/** The same for a hub that is created while the sidecar runs. */
export function bootHold(now: Timestamp): HubHold {
  return create(HubHoldSchema, {
    hold: newHold(bootWish, HoldScope.SELECTOR, undefined, { now }),
    includeEntities: true,
  });
}
