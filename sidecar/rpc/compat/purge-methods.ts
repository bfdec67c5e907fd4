/** PurgeInstances of the compatible service. */
import { isEntityId, normalEntityId } from "../../foundation/entity-id.ts";
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { Ending } from "../../scheduler/figures.ts";
import type { FilterPurgeWish, PurgeFilter } from "../../scheduler/purging.ts";
import type { TaskHub } from "../../scheduler/task-hub.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import {
  OrchestrationStatus,
  type PurgeInstanceFilter,
  type TaskHubSidecarService,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { addNanoseconds, isAfter } from "../../wire/timestamp.ts";
import type { ServiceImplementation } from "../service.ts";
import { nanosecondsOf } from "../v1/hold-requests.ts";
import { checkInstanceId, checkTimestamp } from "../validation.ts";
import { checkStatuses } from "./query-methods.ts";

export function purgeMethods(hubs: TaskHubs): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async purgeInstances({ request, recursive, isOrchestration }, { taskHub, signal }) {
      switch (request.case) {
        case "instanceId":
        case "instanceBatch": {
          const ids = request.case === "instanceId" ? [request.value] : request.value.instanceIds;
          checkIds(request.case, ids);
          const hub = hubs.get(taskHub);
          const isEntity = (id: string) => !isOrchestration && isEntityId(id);
          const orchestrations = ids.filter((id) => !isEntity(id));
          const entities = await purgeEntities(hub, ids.filter(isEntity));
          const deleted = await hub.purging.byId(orchestrations, { recursive, signal });
          return { deletedInstanceCount: entities + deleted, isComplete: true };
        }
        case "purgeInstanceFilter": {
          const filter = filterOf(request.value);
          const timeoutMs = timeoutOf(request.value);
          const wish = { recursive, signal, timeoutMs };
          const { deleted, isComplete } = await hubs.get(taskHub).purging.byFilter(filter, wish);
          return { deletedInstanceCount: deleted, isComplete };
        }
        default:
          throw new HubError("invalid-argument", "the request names no instance to purge");
      }
    },
  };
}

/** Purges entities by their ids, which may be named twice. Both forms that take ids lead here. */
async function purgeEntities(hub: TaskHub, entityIds: readonly string[]): Promise<number> {
  const ids = new Set(entityIds.flatMap((id) => normalEntityId(id) ?? []));
  // All at once: they share their flushes.
  const deleted = await Promise.all(Array.from(ids, (id) => hub.entities.purge(id)));
  return deleted.reduce((sum, count) => sum + count, 0);
}

function checkIds(form: "instanceId" | "instanceBatch", ids: readonly string[]): void {
  if (ids.length > LIMITS.purgeSliceMax) {
    throw new HubError(
      "invalid-argument",
      `instanceBatch names ${ids.length} instances; the limit is ${LIMITS.purgeSliceMax}`,
    );
  }
  for (const id of ids)
    checkInstanceId(id, form === "instanceId" ? form : "an id of instanceBatch");
}

function filterOf({
  createdTimeFrom: from,
  createdTimeTo: to,
  runtimeStatus,
}: PurgeInstanceFilter): PurgeFilter {
  checkStatuses(runtimeStatus);
  checkTimestamp("createdTimeFrom", from);
  checkTimestamp("createdTimeTo", to);
  if (from !== undefined && to !== undefined && isAfter(from, to)) {
    throw new HubError("invalid-argument", "createdTimeFrom is later than createdTimeTo");
  }
  const endings =
    runtimeStatus.length === 0
      ? ALL_ENDINGS
      : [...new Set(runtimeStatus)].flatMap((status): readonly Ending[] => {
          const ending = endingOf[status];
          return ending === undefined ? [] : [ending];
        });
  // Ranges of the index end before their end, those of clients with it.
  return { created: { from, to: to && addNanoseconds(to, 1n) }, endings };
}

const ALL_ENDINGS: readonly Ending[] = ["completed", "failed", "terminated", "canceled"];

/** What has not ended is never purged, so other statuses match nothing. */
const endingOf: Readonly<Partial<Record<OrchestrationStatus, Ending>>> = {
  [OrchestrationStatus.COMPLETED]: "completed",
  [OrchestrationStatus.FAILED]: "failed",
  [OrchestrationStatus.TERMINATED]: "terminated",
  [OrchestrationStatus.CANCELED]: "canceled",
};

/** Rounded up. No time at all means that none was given. */
function timeoutOf({ timeout }: PurgeInstanceFilter): FilterPurgeWish["timeoutMs"] {
  const nanoseconds = timeout === undefined ? 0n : nanosecondsOf("timeout", timeout);
  return nanoseconds === 0n ? undefined : Math.ceil(Number(nanoseconds) / 1_000_000);
}
