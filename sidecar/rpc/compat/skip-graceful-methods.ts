/** Terminating many instances at once, also those whose worker does not answer. */
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId, checkReason } from "../validation.ts";

export function skipGracefulMethods(
  hubs: TaskHubs,
): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async skipGracefulOrchestrationTerminations({ instanceBatch, reason }, { taskHub }) {
      const { instanceIds = [] } = instanceBatch ?? {};
      const max = LIMITS.terminationsMax;
      if (instanceIds.length > max) {
        const message = `instanceBatch has ${instanceIds.length} ids; the limit is ${max}`;
        throw new HubError("invalid-argument", message);
      }
      for (const instanceId of instanceIds) checkInstanceId(instanceId, "instanceBatch");
      checkReason(reason);
      const { instances } = hubs.get(taskHub);
      const unterminatedInstanceIds = await instances.skipGracefulTerminations(instanceIds, reason);
      return { unterminatedInstanceIds };
    },
  };
}
