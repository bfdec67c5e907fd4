import type { Ids } from "../../foundation/ids.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import { mountService, type ServiceMount } from "../service.ts";
import { hubMethods } from "./hub-methods.ts";
import { instanceMethods } from "./instance-methods.ts";
import { workItemMethods } from "./work-item-methods.ts";

/**
 * The published protocol. Methods that are not here answer UNIMPLEMENTED; the README's table says
 * which.
 */
export function compatibleService(hubs: TaskHubs, ids: Ids): ServiceMount {
  return mountService(TaskHubSidecarService, {
    ...hubMethods(hubs),
    ...instanceMethods(hubs, ids),
    ...workItemMethods(hubs),
  });
}
