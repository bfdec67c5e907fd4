/**
 * The worker half of the compatible service. Answers of workers are taken to the end, also while
 * draining.
 */
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { TaskHubSidecarService } from "../../wire/gen/orchestrator_service_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkConcurrency } from "../validation.ts";

export function workItemMethods(
  hubs: TaskHubs,
): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async *getWorkItems(request, context) {
      checkConcurrency(
        "maxConcurrentOrchestrationWorkItems",
        request.maxConcurrentOrchestrationWorkItems,
      );
      checkConcurrency("maxConcurrentActivityWorkItems", request.maxConcurrentActivityWorkItems);
      checkConcurrency("maxConcurrentEntityWorkItems", request.maxConcurrentEntityWorkItems);
      const { signal, connection, peer, userAgent, library, workerId } = context;
      const hub = hubs.get(context.taskHub);
      const connectedAt = hub.now();
      const worker = { signal, connection, peer, userAgent, library, workerId, connectedAt };
      yield* hub.workItems(request, worker);
    },

    async completeOrchestratorTask(response, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.completeTurn(response);
      return {};
    },

    async completeActivityTask(response, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.completeActivity(response);
      return {};
    },

    async completeEntityTask(result, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.completeBatch(result);
      return {};
    },

    async abandonTaskOrchestratorWorkItem({ completionToken }, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.abandon("turn", completionToken);
      return {};
    },

    async abandonTaskActivityWorkItem({ completionToken }, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.abandon("activity", completionToken);
      return {};
    },

    async abandonTaskEntityWorkItem({ completionToken }, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.abandon("batch", completionToken);
      return {};
    },
  };
}
