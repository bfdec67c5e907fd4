/** What an entity answers to orchestrations, each in the encoding in which it asked. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { LIMITS } from "../../foundation/limits.ts";
import {
  entityLockGranted,
  entityOperationCompleted,
  entityOperationFailed,
} from "../../wire/entity-event.ts";
import { permanentFailure, readableFailure } from "../../wire/failure-details.ts";
import type { TaskFailureDetails } from "../../wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityAnswerSchema,
  type EntityCaller,
  type StoredEvent,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Environment } from "../decision.ts";
import { sendMail } from "../outbox.ts";
import type { InstanceState } from "../state.ts";
import { legacyCompleted, legacyFailed, legacyLockGranted } from "./legacy-answers.ts";

export interface AnswerScope {
  readonly state: InstanceState;
  readonly entry: Entry;
  readonly environment: Environment;
}

/** How an operation ended. */
export type OperationOutcome =
  | { readonly kind: "completed"; readonly output: string | undefined }
  | { readonly kind: "failed"; readonly failure: TaskFailureDetails };

export function answerCall(
  { state, entry, environment }: AnswerScope,
  caller: EntityCaller,
  outcome: OperationOutcome,
): void {
  const event = boundedEvent(caller, environment.now, outcome);
  const value = create(EntityAnswerSchema, { event, caller });
  sendMail(state, entry, caller.instanceId, { case: "entityAnswer", value });
}

export function grantLock(
  { state, entry, environment }: AnswerScope,
  caller: EntityCaller,
  lockSet: readonly string[],
): void {
  const { now } = environment;
  const event = caller.legacy
    ? legacyLockGranted(now, caller.requestId)
    : entityLockGranted(now, caller.requestId);
  const value = create(EntityAnswerSchema, { event, caller, lockSet: [...lockSet] });
  sendMail(state, entry, caller.instanceId, { case: "entityAnswer", value });
}

/** A result is never refused for its size, because nobody would send it again: the call fails. */
function boundedEvent(
  caller: EntityCaller,
  now: Timestamp,
  outcome: OperationOutcome,
): StoredEvent {
  const event = outcomeEvent(caller, now, outcome);
  if (event.event.length <= LIMITS.payloadBytesMax + eventOverheadMax) return event;
  const message = `the result of the operation is larger than ${LIMITS.payloadBytesMax} bytes`;
  const failure = permanentFailure("PayloadTooLarge", message);
  return outcomeEvent(caller, now, { kind: "failed", failure });
}

/** What an event adds to the payload that it carries: ids, time and lengths. */
const eventOverheadMax = 512;

function outcomeEvent(
  { requestId, legacy }: EntityCaller,
  now: Timestamp,
  outcome: OperationOutcome,
): StoredEvent {
  switch (outcome.kind) {
    case "completed":
      return (legacy ? legacyCompleted : entityOperationCompleted)(now, requestId, outcome.output);
    case "failed": {
      const failure = readableFailure(outcome.failure);
      return (legacy ? legacyFailed : entityOperationFailed)(now, requestId, failure);
    }
  }
}
