/** Holds as `taskhub.v1` shows them. */

import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  ExpiryAction,
  type HubHold,
  type Selector,
  type Hold as StoredHold,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  type ExpiryAction as ExpiryActionView,
  type Hold,
  HoldSchema,
  type HoldScope,
  type PacedRelease,
  PacedReleaseSchema,
  SelectorSchema,
  type TimerPolicy,
  WindowSchema,
} from "../../wire/gen/taskhub/v1/hold_pb.ts";
import { present } from "../../wire/history-event.ts";
import { isAfter } from "../../wire/timestamp.ts";

/** How far a paced release has come. */
export interface ReleaseProgress {
  readonly letThrough: number;
  readonly awaitingResume: boolean;
}

/** A hold of an instance. The enumerations of both formats have the same numbers. */
export function holdView(hold: StoredHold, now: Timestamp): Hold {
  return create(HoldSchema, fieldsOf(hold, now));
}

/** A tree or selector hold. `progress` is that of its paced release, if one is under way. */
export function hubHoldView(hubHold: HubHold, now: Timestamp, progress?: ReleaseProgress): Hold {
  const { hold, origin, startsAt, refusesStarts, includeEntities } = hubHold;
  if (hold === undefined) return create(HoldSchema);
  const window = create(WindowSchema, {
    acceptNewInstances: !refusesStarts,
    includeEntities,
    ...present("selector", hubHold.selector && selectorView(hubHold.selector)),
    ...present("startsAt", startsAt),
  });
  return create(HoldSchema, {
    ...fieldsOf(hold, now),
    ...(origin === undefined ? { window } : { originInstanceId: origin.instanceId }),
    ...present("pacedRelease", releaseView(hubHold, progress)),
  });
}

function fieldsOf(hold: StoredHold, now: Timestamp) {
  const { name, scope, requestedBy, expiryAction, timerPolicy, expiresAt } = hold;
  return {
    name,
    scope: scope as number as HoldScope,
    requestedBy,
    expiryAction: expiryAction as number as ExpiryActionView,
    timerPolicy: timerPolicy as number as TimerPolicy,
    overdue: isOverdue(hold, now),
    ...present("reason", hold.reason),
    ...present("placedAt", hold.placedAt),
    ...present("replacedAt", hold.replacedAt),
    ...present("resumeCondition", hold.resumeCondition),
    ...present("expiresAt", expiresAt),
  };
}

/** Its expiry has passed and it still holds, because it was to be kept. */
export function isOverdue({ expiresAt, expiryAction }: StoredHold, now: Timestamp): boolean {
  return expiryAction === ExpiryAction.KEEP && expiresAt !== undefined && !isAfter(expiresAt, now);
}

function selectorView({ names, instanceIdPrefix, tags, versions }: Selector) {
  return create(SelectorSchema, { names, instanceIdPrefix, tags, versions });
}

function releaseView(
  { pacedRelease }: HubHold,
  progress: ReleaseProgress | undefined,
): PacedRelease | undefined {
  if (pacedRelease === undefined) return undefined;
  const { instancesPerSecond, canaries } = pacedRelease;
  return create(PacedReleaseSchema, { instancesPerSecond, canaries, ...progress });
}
