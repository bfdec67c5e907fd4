/** Answers to batches that cannot be carried out as they are. Nobody would send them again. */
import { toBinary } from "@bufbuild/protobuf";
import { LIMITS } from "../../foundation/limits.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import {
  type TaskFailureDetails,
  TaskFailureDetailsSchema,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { BatchAnswer } from "./complete-batch.ts";

/** Why an answer cannot be carried out, or undefined when it can, as far as it tells itself. */
export function refusedBatch({
  text,
  actions,
  failureDetails,
}: BatchAnswer): TaskFailureDetails | undefined {
  // The state that comes with a failure is not taken anyway.
  if (failureDetails === undefined && Buffer.byteLength(text ?? "") > LIMITS.entityStateBytesMax) {
    return tooLarge("the new state of the entity is larger", LIMITS.entityStateBytesMax, "bytes");
  }
  if (actions.length > LIMITS.actionsPerTurnMax) {
    return tooLarge(`a batch has ${actions.length} actions`, LIMITS.actionsPerTurnMax, "actions");
  }
  return undefined;
}

/** The failure of a batch whose actions have become so many bytes, when those are too many. */
export function tooManyActionBytes(bytes: number): TaskFailureDetails | undefined {
  const limit = LIMITS.actionsPerTurnBytesMax;
  if (bytes <= limit) return undefined;
  return tooLarge(`the actions of a batch have ${bytes} bytes`, limit, "bytes");
}

/** The failure that every operation of a batch gets, unless it is too large so many times over. */
export function boundedFailure(
  operations: number,
  failure: TaskFailureDetails | undefined,
): TaskFailureDetails | undefined {
  if (failure === undefined) return undefined;
  const bytes = toBinary(TaskFailureDetailsSchema, failure).length;
  const limit = LIMITS.actionsPerTurnBytesMax;
  if (bytes * operations <= limit) return failure;
  const what = `the failure of ${operations} operations has ${bytes} bytes for each of them`;
  return tooLarge(what, limit, "bytes");
}

function tooLarge(what: string, limit: number, unit: string): TaskFailureDetails {
  return permanentFailure("LimitExceeded", `${what}: the limit is ${limit} ${unit}`);
}
