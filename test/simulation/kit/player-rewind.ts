/** What an SDK answers that rewinds by itself: the history so far without what has failed. */
import { create } from "@bufbuild/protobuf";
import {
  type HistoryEvent,
  type OrchestratorAction,
  OrchestratorActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** @param failed action ids of what has failed; of activities all goes, of children their answer */
export function rewindWithout(
  failed: ReadonlySet<number>,
  history: readonly HistoryEvent[],
): OrchestratorAction {
  const newHistory = history.filter((event) => !isToGo(event, failed));
  return create(OrchestratorActionSchema, {
    id: -1,
    orchestratorActionType: { case: "rewindOrchestration", value: { newHistory } },
  });
}

function isToGo({ eventId, eventType: type }: HistoryEvent, failed: ReadonlySet<number>): boolean {
  switch (type.case) {
    case "taskScheduled":
      return failed.has(eventId);
    case "taskFailed":
    case "subOrchestrationInstanceFailed":
      return failed.has(type.value.taskScheduledId);
    default:
      return false;
  }
}
