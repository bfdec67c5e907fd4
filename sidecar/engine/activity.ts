import { create } from "@bufbuild/protobuf";
import { LIMITS } from "../foundation/limits.ts";
import { permanentFailure, readableFailure } from "../wire/failure-details.ts";
import type { TaskFailureDetails } from "../wire/gen/orchestrator_service_pb.ts";
import { DeliverySchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Activity, StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { taskCompleted, taskFailed } from "../wire/history-event.ts";
import { type Decision, type Environment, newEntry, nothing } from "./decision.ts";
import {
  countDelivery,
  deliveriesInWords,
  isExhausted,
  isWorthCounting,
  type ReturnCommand,
} from "./delivery.ts";
import type { InstanceState } from "./state.ts";

export interface ActivityResult {
  readonly workId: bigint;
  readonly result: string | undefined;
  /** Its presence decides that the activity failed, not its text. */
  readonly failureDetails: TaskFailureDetails | undefined;
}

/**
 * Records a result. One that nobody waits for any more (a finished generation, an earlier attempt)
 * only settles the activity (trap T7); one for no outstanding activity changes nothing.
 */
export function decideActivityResult(
  state: InstanceState | undefined,
  answer: ActivityResult,
  environment: Environment,
): Decision {
  const activity = state?.activities.get(answer.workId);
  if (state === undefined || activity === undefined) return nothing;
  const entry = newEntry(environment);
  entry.activitiesSettled.push(activity.id);
  if (!activity.detached) {
    entry.inboxAdded.push(resultEvent(activity, answer, environment));
  }
  return { kind: "append", entry };
}

/**
 * A worker has lost an activity, or given it back: that is counted. One that was lost too often has
 * failed, for good: the same work again would meet the same end.
 */
export function decideActivityReturned(
  state: InstanceState | undefined,
  command: ReturnCommand & Pick<ActivityResult, "workId">,
  environment: Environment,
): Decision {
  const { workId, outcome } = command;
  const activity = state?.activities.get(workId);
  if (activity === undefined) return nothing;
  const counts = countDelivery(activity.deliveries, outcome);
  const isOver = isExhausted(counts, command);
  if (!isOver && !isWorthCounting(activity.deliveries)) return nothing;
  const entry = newEntry(environment);
  entry.deliveries.push(create(DeliverySchema, { workId, outcome }));
  if (!isOver) return { kind: "append", entry };
  entry.activitiesSettled.push(workId);
  if (!activity.detached) {
    const message = `activity ${JSON.stringify(activity.name)} ${deliveriesInWords(counts)}`;
    const failure = permanentFailure("ActivityDeliveryExhausted", message);
    entry.inboxAdded.push(taskFailed(activity.taskId, environment.now, failure));
  }
  return { kind: "append", entry };
}

/** A completion is never refused for its size, because nobody would send it again: it fails. */
function resultEvent(
  { taskId, name }: Activity,
  { result, failureDetails }: ActivityResult,
  { now }: Environment,
): StoredEvent {
  const event =
    failureDetails === undefined
      ? taskCompleted(taskId, now, result)
      : taskFailed(taskId, now, readableFailure(failureDetails));
  if (event.event.length <= LIMITS.payloadBytesMax + eventOverheadMax) return event;
  const message =
    `the result of activity ${JSON.stringify(name)} is larger than ` +
    `${LIMITS.payloadBytesMax} bytes`;
  return taskFailed(taskId, now, permanentFailure("PayloadTooLarge", message));
}

/** What an event adds to the payload that it carries: ids, time and lengths. */
const eventOverheadMax = 64;
