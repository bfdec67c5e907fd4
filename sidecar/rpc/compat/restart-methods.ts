/** Running instances again: from where they failed, or from the beginning. */
import type { Ids } from "../../foundation/ids.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId, checkReason } from "../validation.ts";

export function restartMethods(
  hubs: TaskHubs,
  ids: Ids,
): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async rewindInstance({ instanceId, reason }, { taskHub }) {
      checkInstanceId(instanceId);
      checkReason(reason);
      await hubs.get(taskHub).reruns.rewind({ instanceId, reason });
      return {};
    },

    async restartInstance({ instanceId, restartWithNewInstanceId }, { taskHub }) {
      checkInstanceId(instanceId);
      const { reruns } = hubs.get(taskHub);
      if (!restartWithNewInstanceId) {
        await reruns.restart(instanceId);
        return { instanceId };
      }
      const newInstanceId = ids.next();
      await reruns.restartAs(newInstanceId, instanceId);
      return { instanceId: newInstanceId };
    },
  };
}
