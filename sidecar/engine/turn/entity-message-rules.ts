/** What of a message to an entity cannot be carried out: nobody could ever be named so, or answer. */
import { formatEntityId, parseEntityId } from "../../foundation/entity-id.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { instanceIdProblem, nameProblem } from "../../foundation/text-rules.ts";
import type {
  SendEntityMessageAction,
  SendEventAction,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { isTime } from "../../wire/timestamp.ts";
import type { SentLockWish, SentOperation } from "./entity-actions.ts";
import { legacyMessageIn } from "./legacy-entity-messages.ts";

/** What is wrong with it, in words; undefined when nothing is. */
export function entityMessageProblem({
  EntityMessageType: message,
}: SendEntityMessageAction): string | undefined {
  switch (message.case) {
    case "entityOperationSignaled":
    case "entityOperationCalled": {
      const { targetInstanceId, requestId, operation, scheduledTime } = message.value;
      if (scheduledTime !== undefined && !isTime(scheduledTime)) {
        return "the scheduled time is not between the years 1 and 9999";
      }
      return operationProblem(targetInstanceId, { requestId, operation });
    }
    case "entityLockRequested":
      return lockProblem(message.value);
    case "entityUnlockSent": {
      const { criticalSectionId, targetInstanceId } = message.value;
      return entityProblem(targetInstanceId) ?? sectionProblem(criticalSectionId);
    }
    default:
      return undefined;
  }
}

/** The same for an event that may be a message to an entity in the older encoding. */
export function legacyMessageProblem(action: SendEventAction): string | undefined {
  const message = legacyMessageIn(action.instance?.instanceId ?? "", action);
  switch (message?.kind) {
    case "call":
    case "signal":
      return operationProblem(message.sent.target, message.sent);
    case "lock":
      return lockProblem(message.sent);
    case "unlock": {
      const { criticalSectionId, target } = message.sent;
      return entityProblem(target) ?? sectionProblem(criticalSectionId);
    }
    case undefined:
      return undefined;
  }
}

/** The input that it carries, if it can carry one. */
export function inputOf({
  EntityMessageType: message,
}: SendEntityMessageAction): string | undefined {
  switch (message.case) {
    case "entityOperationSignaled":
    case "entityOperationCalled":
      return message.value.input;
    default:
      return undefined;
  }
}

function operationProblem(
  target: string | undefined,
  { requestId, operation }: Pick<SentOperation, "requestId" | "operation">,
): string | undefined {
  return (
    entityProblem(target) ??
    textProblem("the request id", requestId) ??
    textProblem("the operation", operation)
  );
}

function lockProblem({
  criticalSectionId,
  lockSet,
}: Pick<SentLockWish, "criticalSectionId" | "lockSet">): string | undefined {
  if (lockSet.length > LIMITS.lockSetMax) {
    return `${lockSet.length} entities are to be locked; the limit is ${LIMITS.lockSetMax}`;
  }
  const problems = lockSet.map(entityProblem).filter((problem) => problem !== undefined);
  return problems[0] ?? sectionProblem(criticalSectionId);
}

function entityProblem(text = ""): string | undefined {
  const id = parseEntityId(text);
  // In lower case it may have become longer.
  const problem = instanceIdProblem(id === undefined ? text : formatEntityId(id));
  if (problem !== undefined) return `the entity id ${problem}`;
  if (id !== undefined) return textProblem("the entity name", id.name);
  return `${JSON.stringify(text)} is not an entity id of the form @name@key`;
}

function sectionProblem(criticalSectionId: string): string | undefined {
  return textProblem("the critical section id", criticalSectionId);
}

function textProblem(what: string, text: string): string | undefined {
  const problem = nameProblem(text, LIMITS.nameBytesMax);
  return problem === undefined ? undefined : `${what} ${problem}`;
}
