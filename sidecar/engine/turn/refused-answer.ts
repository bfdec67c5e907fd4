/**
 * Answers that cannot be carried out. A turn is never refused for that: workers do not send it
 * again. Its events and a FAILED completion that names the reason are committed instead, and none
 * of its actions is applied.
 */
import { toBinary } from "@bufbuild/protobuf";
import { LIMITS } from "../../foundation/limits.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import {
  type CompleteOrchestrationAction,
  type OrchestratorAction,
  type TaskFailureDetails,
  TaskFailureDetailsSchema,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { isTime } from "../../wire/timestamp.ts";
import { exceedsPayloadLimit } from "../payload-limit.ts";
import { entityMessageProblem, inputOf, legacyMessageProblem } from "./entity-message-rules.ts";

/** Why an answer cannot be carried out, or undefined when it can, as far as its actions tell. */
export function refusedAnswer(
  actions: readonly OrchestratorAction[],
): TaskFailureDetails | undefined {
  if (actions.length > LIMITS.actionsPerTurnMax) {
    return tooLarge(`a turn has ${actions.length} actions`, LIMITS.actionsPerTurnMax, "actions");
  }
  for (const action of actions) {
    const refused = refusedAction(action);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/**
 * Why the children that an answer wants cannot begin: each of them with the tags of its parent, which
 * are not in the answer.
 */
export function refusedChildren(
  tags: Readonly<Record<string, string>>,
  actions: readonly OrchestratorAction[],
): TaskFailureDetails | undefined {
  const isChild = ({ orchestratorActionType: type }: OrchestratorAction) =>
    type.case === "createSubOrchestration";
  const children = actions.filter(isChild).length;
  if (children === 0) return undefined;
  let bytes = 0;
  for (const entry of Object.entries(tags)) bytes += Buffer.byteLength(entry.join(""));
  const limit = LIMITS.inheritedTagBytesMax;
  if (bytes * children <= limit) return undefined;
  return tooLarge(`${children} children inherit ${bytes} bytes of tags each`, limit, "bytes");
}

/** The failure of a turn whose events would be too large together. */
export function tooManyBytes(bytes: number): TaskFailureDetails {
  const limit = LIMITS.actionsPerTurnBytesMax;
  return tooLarge(`the actions of a turn have ${bytes} bytes`, limit, "bytes");
}

function refusedAction(action: OrchestratorAction): TaskFailureDetails | undefined {
  const { id, orchestratorActionType: type } = action;
  const feature = unsupportedFeature(action);
  if (feature !== undefined) {
    const message = `action ${id} needs ${feature}, which this task hub does not support`;
    return permanentFailure("UnsupportedAction", message);
  }
  if (type.case === "createTimer" && type.value.fireAt && !isTime(type.value.fireAt)) {
    const message = `timer ${id} is due at a time that is not between the years 1 and 9999`;
    return permanentFailure("InvalidTimer", message);
  }
  const problem = messageProblem(action);
  if (problem !== undefined) {
    return permanentFailure("InvalidEntityMessage", `action ${id}: ${problem}`);
  }
  const isTooLarge =
    payloadsOf(action).some(exceedsPayloadLimit) ||
    (type.case === "completeOrchestration" && hasLargeFailure(type.value));
  return isTooLarge
    ? tooLarge(`a payload of action ${id} is larger`, LIMITS.payloadBytesMax, "bytes")
    : undefined;
}

function messageProblem({ orchestratorActionType: type }: OrchestratorAction): string | undefined {
  switch (type.case) {
    case "sendEntityMessage":
      return entityMessageProblem(type.value);
    case "sendEvent":
      return legacyMessageProblem(type.value);
    default:
      return undefined;
  }
}

function tooLarge(what: string, limit: number, unit: string): TaskFailureDetails {
  return permanentFailure("LimitExceeded", `${what}: the limit is ${limit} ${unit}`);
}

function unsupportedFeature(action: OrchestratorAction): string | undefined {
  const { orchestratorActionType: type } = action;
  switch (type.case) {
    case "scheduleTask":
    case "createTimer":
    case "createSubOrchestration":
    case "terminateOrchestration":
    case "completeOrchestration":
    case "rewindOrchestration":
    case "sendEvent":
      return undefined;
    case "sendEntityMessage":
      return type.value.EntityMessageType.case === undefined
        ? "an entity message of a newer protocol"
        : undefined;
    default:
      return "a feature of a newer protocol";
  }
}

function payloadsOf(action: OrchestratorAction): readonly (string | undefined)[] {
  const { orchestratorActionType: type } = action;
  switch (type.case) {
    case "scheduleTask":
    case "createSubOrchestration":
      return [type.value.input];
    case "sendEvent":
      return [type.value.data];
    case "terminateOrchestration":
      return [type.value.reason];
    case "sendEntityMessage":
      return [inputOf(type.value)];
    case "completeOrchestration":
      return [type.value.result, type.value.details];
    default:
      return [];
  }
}

function hasLargeFailure({ failureDetails }: CompleteOrchestrationAction): boolean {
  if (failureDetails === undefined) return false;
  return toBinary(TaskFailureDetailsSchema, failureDetails).length > LIMITS.payloadBytesMax;
}
