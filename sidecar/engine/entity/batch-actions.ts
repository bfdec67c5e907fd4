/**
 * What the actions of a batch become: mail. An action that nobody could carry out is dropped, because
 * nobody waits for what becomes of it.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { formatEntityId, isEntityId, parseEntityId } from "../../foundation/entity-id.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { instanceIdProblem, nameProblem } from "../../foundation/text-rules.ts";
import { entityOperationSignaled } from "../../wire/entity-event.ts";
import type {
  OperationAction,
  SendSignalAction,
  StartNewOrchestrationAction,
} from "../../wire/gen/orchestrator_service_pb.ts";
import {
  EntityOperationMailSchema,
  EntityOperationSchema,
  StartChildSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionStarted, present } from "../../wire/history-event.ts";
import { isAfter, isTime } from "../../wire/timestamp.ts";
import { sendMail } from "../outbox.ts";
import { exceedsPayloadLimit } from "../payload-limit.ts";
import type { AnswerScope } from "./send-answer.ts";

export function applyOperationAction(
  scope: AnswerScope,
  { operationActionType: type }: OperationAction,
): void {
  switch (type.case) {
    case "sendSignal":
      return sendSignal(scope, type.value);
    case "startNewOrchestration":
      return startNewOrchestration(scope, type.value);
    case undefined:
      return;
  }
}

function sendSignal({ state, entry, environment }: AnswerScope, action: SendSignalAction): void {
  const { now, ids } = environment;
  const { name, input, scheduledTime } = action;
  const id = parseEntityId(action.instanceId);
  if (id === undefined || !isName(id.name)) return;
  const target = formatEntityId(id);
  if (instanceIdProblem(target) !== undefined) return;
  if (!isName(name) || exceedsPayloadLimit(input) || !isPossible(scheduledTime)) return;
  const dueAt = later(scheduledTime, now);
  const event = entityOperationSignaled(now, {
    requestId: ids.next(),
    operation: name,
    ...present("input", input),
    ...present("scheduledTime", dueAt),
  });
  const operation = create(EntityOperationSchema, { event });
  const value = create(EntityOperationMailSchema, { operation, ...present("dueAt", dueAt) });
  sendMail(state, entry, target, { case: "entityOperation", value });
}

/** Nobody waits for it: it has no parent. When its id is in use, nothing is started. */
function startNewOrchestration(
  { state, entry, environment }: AnswerScope,
  action: StartNewOrchestrationAction,
): void {
  const { now, ids } = environment;
  const { name, version, input, scheduledTime, parentTraceContext } = action;
  const instanceId = action.instanceId || ids.next();
  if (isEntityId(instanceId) || instanceIdProblem(instanceId) !== undefined) return;
  if (!isName(name) || exceedsPayloadLimit(input) || !isPossible(scheduledTime)) return;
  if (version !== undefined && nameProblem(version, LIMITS.versionBytesMax) !== undefined) return;
  const started = executionStarted(now, {
    name,
    orchestrationInstance: { instanceId, executionId: ids.next() },
    ...present("version", version),
    ...present("input", input),
    ...present("parentTraceContext", parentTraceContext),
    ...present("scheduledStartTimestamp", later(scheduledTime, now)),
  });
  const value = create(StartChildSchema, { started });
  sendMail(state, entry, instanceId, { case: "startChild", value });
}

function isName(text: string): boolean {
  return text !== "" && nameProblem(text, LIMITS.nameBytesMax) === undefined;
}

function isPossible(time: Timestamp | undefined): boolean {
  return time === undefined || isTime(time);
}

/** A time that is not in the future is now. */
function later(time: Timestamp | undefined, now: Timestamp): Timestamp | undefined {
  return time !== undefined && isAfter(time, now) ? time : undefined;
}
