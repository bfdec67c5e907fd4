/** The load worker's "orchestrators": n activities one after the other, or n at once. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ActivityResponseSchema,
  OrchestrationStatus,
  type OrchestratorActionSchema,
  OrchestratorResponseSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { ReadItem } from "./work-item.ts";
import type { Workload } from "./workloads.ts";

type ActionInit = MessageInitShape<typeof OrchestratorActionSchema>;

/** Input of every orchestration and activity, and result of every activity. */
export const PAYLOAD = JSON.stringify({ order: "0123456789abcdef", amount: 42, currency: "EUR" });

/** The answer to a work item, encoded. */
export type Answer = (item: ReadItem) => Buffer;

/**
 * Answers turns of a workload. Actions are encoded once: concatenated protobuf messages are merged,
 * so an answer is the ids of its turn followed by finished actions.
 */
export function orchestratorOf({ kind, activities }: Workload): Answer {
  const completed = encodedActions([completeAction(activities + 1)]);
  if (kind === "sequence") {
    const scheduled = Array.from({ length: activities }, (_, at) =>
      encodedActions([scheduleAction(at + 1)]),
    );
    return (turn) => answerOf(turn, scheduled[turn.taskId] ?? completed);
  }
  const all = encodedActions(Array.from({ length: activities }, (_, at) => scheduleAction(at + 1)));
  const none = Buffer.alloc(0);
  return (turn) => {
    if (turn.completions === 0) return answerOf(turn, all);
    return answerOf(turn, turn.completions < activities ? none : completed);
  };
}

/** The result of an activity, which did nothing. */
export function activityAnswer({ token, instanceId, taskId }: ReadItem): Buffer {
  const answer = { instanceId, taskId, completionToken: token, result: PAYLOAD };
  const message = create(ActivityResponseSchema, answer);
  return Buffer.from(toBinary(ActivityResponseSchema, message));
}

function answerOf({ token, instanceId }: ReadItem, actions: Buffer): Buffer {
  const message = create(OrchestratorResponseSchema, { instanceId, completionToken: token });
  return Buffer.concat([toBinary(OrchestratorResponseSchema, message), actions]);
}

function encodedActions(actions: ActionInit[]): Buffer {
  const message = create(OrchestratorResponseSchema, { actions });
  return Buffer.from(toBinary(OrchestratorResponseSchema, message));
}

function scheduleAction(id: number): ActionInit {
  const value = { name: "Step", input: PAYLOAD };
  return { id, orchestratorActionType: { case: "scheduleTask", value } };
}

function completeAction(id: number): ActionInit {
  const value = { orchestrationStatus: OrchestrationStatus.COMPLETED, result: PAYLOAD };
  return { id, orchestratorActionType: { case: "completeOrchestration", value } };
}
