/** Every check, in the order of the sections of the protocol. */
import type { Check } from "./check.ts";
import { actionEffectChecks } from "./checks/action-effects.ts";
import { activityChecks } from "./checks/activities.ts";
import { callChecks } from "./checks/calls.ts";
import { childChecks } from "./checks/children.ts";
import { connectionChecks } from "./checks/connections.ts";
import { dotnetQuirkChecks } from "./checks/dotnet-quirks.ts";
import { entityChecks } from "./checks/entities.ts";
import { entityBatchChecks } from "./checks/entity-batches.ts";
import { entityCareChecks } from "./checks/entity-care.ts";
import { entityEffectChecks } from "./checks/entity-effects.ts";
import { entityLockChecks } from "./checks/entity-locks.ts";
import { entityMessageChecks } from "./checks/entity-messages.ts";
import { eventChecks } from "./checks/events.ts";
import { generationChecks } from "./checks/generations.ts";
import { historyChecks } from "./checks/history.ts";
import { holdingChecks } from "./checks/holding.ts";
import { hubChecks } from "./checks/hubs.ts";
import { idReuseChecks } from "./checks/id-reuse.ts";
import { instanceChecks } from "./checks/instances.ts";
import { legacyEntityChecks } from "./checks/legacy-entities.ts";
import { listChecks } from "./checks/lists.ts";
import { purgeChecks } from "./checks/purge.ts";
import { queryChecks } from "./checks/queries.ts";
import { repeatChecks } from "./checks/repeats.ts";
import { replacementChecks } from "./checks/replacement.ts";
import { responseChecks } from "./checks/responses.ts";
import { restartChecks } from "./checks/restarts.ts";
import { rewindChecks } from "./checks/rewind.ts";
import { rewoundWorkChecks } from "./checks/rewound-work.ts";
import { scheduledStartChecks } from "./checks/scheduled-start.ts";
import { sdkQuirkChecks } from "./checks/sdk-quirks.ts";
import { serviceChecks } from "./checks/service.ts";
import { startInstanceChecks } from "./checks/start-instance.ts";
import { streamShareChecks } from "./checks/stream-shares.ts";
import { streamChecks } from "./checks/streams.ts";
import { suspensionChecks } from "./checks/suspension.ts";
import { terminationChecks } from "./checks/termination.ts";
import { timerChecks } from "./checks/timers.ts";
import { tokenChecks } from "./checks/tokens.ts";
import { turnChecks } from "./checks/turns.ts";

export const ALL_CHECKS: readonly Check[] = [
  ...serviceChecks,
  ...startInstanceChecks,
  ...instanceChecks,
  ...eventChecks,
  ...queryChecks,
  ...listChecks,
  ...purgeChecks,
  ...historyChecks,
  ...tokenChecks,
  ...streamChecks,
  ...idReuseChecks,
  ...scheduledStartChecks,
  ...turnChecks,
  ...timerChecks,
  ...childChecks,
  ...terminationChecks,
  ...suspensionChecks,
  ...generationChecks,
  ...responseChecks,
  ...rewindChecks,
  ...activityChecks,
  ...entityChecks,
  ...entityBatchChecks,
  ...entityMessageChecks,
  ...entityLockChecks,
  ...legacyEntityChecks,
  ...dotnetQuirkChecks,
  ...sdkQuirkChecks,
  ...actionEffectChecks,
  ...callChecks,
  ...connectionChecks,
  ...entityCareChecks,
  ...entityEffectChecks,
  ...holdingChecks,
  ...hubChecks,
  ...repeatChecks,
  ...replacementChecks,
  ...restartChecks,
  ...rewoundWorkChecks,
  ...streamShareChecks,
].toSorted((left, right) => bySection(left.id, right.id));

function bySection(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}
