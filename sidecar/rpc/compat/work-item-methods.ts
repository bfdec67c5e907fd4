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
    async *getWorkItems(request, { taskHub, signal, connection }) {
      checkConcurrency(
        "maxConcurrentOrchestrationWorkItems",
        request.maxConcurrentOrchestrationWorkItems,
      );
      checkConcurrency("maxConcurrentActivityWorkItems", request.maxConcurrentActivityWorkItems);
      checkConcurrency("maxConcurrentEntityWorkItems", request.maxConcurrentEntityWorkItems);
      yield* hubs.get(taskHub).workItems(request, { signal, connection });
    },

    async completeOrchestratorTask(response, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.completeTurn(response);
      return {};
    },

    async completeActivityTask(response, { taskHub }) {
      await hubs.getForCompletion(taskHub)?.completeActivity(response);
      return {};
    },

    async abandonTaskOrchestratorWorkItem({ completionToken }, { taskHub }) {
      hubs.getForCompletion(taskHub)?.abandon("turn", completionToken);
      return {};
    },

    async abandonTaskActivityWorkItem({ completionToken }, { taskHub }) {
      hubs.getForCompletion(taskHub)?.abandon("activity", completionToken);
      return {};
    },
  };
}
