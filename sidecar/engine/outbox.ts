/**
 * Mail that an entry sends. It leaves the outbox once the entry is part of a commit, in order of
 * its numbers.
 */
import { create } from "@bufbuild/protobuf";
import { failureDetails } from "../wire/failure-details.ts";
import type { TaskFailureDetails } from "../wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ChildResultSchema,
  type Mail,
  MailSchema,
  type StoredEvent,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { subOrchestrationCompleted, subOrchestrationFailed } from "../wire/history-event.ts";
import type { Environment } from "./decision.ts";
import type { InstanceState } from "./state.ts";

/** A child with this tag does not report to its parent. */
export const fireAndForgetTag = "FireAndForget";

export function sendMail(
  state: InstanceState,
  entry: Entry,
  targetInstanceId: string,
  body: Mail["body"],
): void {
  const number = state.nextMailNumber + BigInt(entry.mailSent.length);
  entry.mailSent.push(create(MailSchema, { number, targetInstanceId, body }));
}

/** How an instance ended, as its parent is told. */
export type Outcome =
  | { readonly status: "completed"; readonly result: string | undefined }
  | {
      readonly status: "failed";
      readonly failureDetails: TaskFailureDetails;
      /** .NET puts a plain message here. */
      readonly output?: string | undefined;
    }
  | { readonly status: "terminated" | "canceled"; readonly output: string | undefined };

/**
 * Only the final completion of a child is reported, tied to the generation of the parent that
 * created it.
 */
export function reportToParent(
  state: InstanceState,
  entry: Entry,
  environment: Environment,
  outcome: Outcome,
): void {
  const { parent } = state;
  if (parent === undefined || Object.hasOwn(state.tags, fireAndForgetTag)) return;
  const value = create(ChildResultSchema, {
    event: outcomeEvent(parent.taskScheduledId, environment, outcome),
    parentExecutionId: parent.executionId,
    taskScheduledId: parent.taskScheduledId,
    childInstanceId: state.instanceId,
  });
  sendMail(state, entry, parent.instanceId, { case: "childResult", value });
}

function outcomeEvent(
  taskScheduledId: number,
  { now }: Environment,
  outcome: Outcome,
): StoredEvent {
  switch (outcome.status) {
    case "completed":
      return subOrchestrationCompleted(taskScheduledId, now, outcome.result);
    case "failed":
      return subOrchestrationFailed(taskScheduledId, now, outcome.failureDetails);
    case "terminated":
    case "canceled": {
      // SDKs handle a failure without details each in their own way (trap T38).
      const because = outcome.output === undefined ? "" : `: ${outcome.output}`;
      const message = `the sub-orchestration was ${outcome.status}${because}`;
      const details = failureDetails("OrchestrationTerminated", message);
      return subOrchestrationFailed(taskScheduledId, now, details);
    }
  }
}
