import type { Ids } from "../../foundation/ids.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import { mountService, type ServiceMount } from "../service.ts";
import { entityMethods } from "./entity-methods.ts";
import { hubMethods } from "./hub-methods.ts";
import { instanceMethods } from "./instance-methods.ts";
import { purgeMethods } from "./purge-methods.ts";
import { queryMethods } from "./query-methods.ts";
import { restartMethods } from "./restart-methods.ts";
import { skipGracefulMethods } from "./skip-graceful-methods.ts";
import { workItemMethods } from "./work-item-methods.ts";

/**
 * The published protocol. Methods that are not here answer UNIMPLEMENTED; the README's table says
 * which.
 */
export function compatibleService(hubs: TaskHubs, ids: Ids): ServiceMount {
  return mountService(TaskHubSidecarService, {
    ...hubMethods(hubs),
    ...entityMethods(hubs, ids),
    ...instanceMethods(hubs, ids),
    ...purgeMethods(hubs),
    ...queryMethods(hubs),
    ...restartMethods(hubs, ids),
    ...skipGracefulMethods(hubs),
    ...workItemMethods(hubs),
  });
}
