/** Hello, and the lifecycle of the task hub that the caller names in its metadata. */
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import type { ServiceImplementation } from "../service.ts";

export function hubMethods(hubs: TaskHubs): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    // The readiness handshake of several SDKs: it must not wait for anything.
    async hello() {
      return {};
    },

    async createTaskHub({ recreateIfExists }, { taskHub }) {
      await hubs.get(taskHub).create(recreateIfExists);
      return {};
    },

    async deleteTaskHub(_request, { taskHub }) {
      await hubs.get(taskHub).delete();
      return {};
    },
  };
}
