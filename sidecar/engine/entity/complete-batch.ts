/** A worker's answer to a batch of operations becomes one entry. @see PROTOCOL.md 6.4 */
import { assert } from "../../foundation/assert.ts";
import { failureDetails } from "../../wire/failure-details.ts";
import type {
  OperationAction,
  OperationResult,
  TaskFailureDetails,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { DeliveryOutcome } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Decision, type Environment, newEntry, nothing } from "../decision.ts";
import type { InstanceState } from "../state.ts";
import { applyOperationAction } from "./batch-actions.ts";
import { operationOf } from "./entity-state.ts";
import { boundedFailure, refusedBatch, tooManyActionBytes } from "./refused-batch.ts";
import { answerCall, type OperationOutcome } from "./send-answer.ts";
import { advance, type StepScope, stepOf } from "./step.ts";

export interface BatchAnswer {
  /** How many items `batchOf` had handed out. */
  readonly taken: number;
  readonly results: readonly OperationResult[];
  readonly actions: readonly OperationAction[];
  /** The new state; absent and empty mean that the entity no longer exists. */
  readonly text: string | undefined;
  /** The batch failed outside user code. */
  readonly failureDetails: TaskFailureDetails | undefined;
}

/** Deliveries of a batch that fails outside user code, before its operations fail with it. */
const triesMax = 3;

/**
 * The batch failed outside user code, and not so often yet that its operations fail with it. It is
 * to be given back as a delivery with the outcome REJECTED.
 */
export function shouldRetry({ turnDeliveries }: InstanceState, answer: BatchAnswer): boolean {
  if (batchFailure(answer) === undefined) return false;
  const rejected = turnDeliveries.find(({ outcome }) => outcome === DeliveryOutcome.REJECTED);
  return (rejected?.count ?? 0) < triesMax - 1;
}

/**
 * Commits a batch: its results and actions, the new state, and that its operations have left the
 * queue. Operations without a result stay and come again, unless the batch failed outside user code:
 * then they fail with it, and the state stays as it was (trap T28).
 */
export function decideBatch(
  state: InstanceState,
  answer: BatchAnswer,
  environment: Environment,
): Decision {
  const { entity } = state;
  assert(entity !== undefined && answer.taken <= entity.queue.length, "a batch waits in the queue");
  if (answer.taken === 0) return nothing;
  const refused = refusedBatch(answer);
  if (refused !== undefined) return failBatch(state, answer, refused, environment);
  const scope = stepOf(state, newEntry(environment), environment);
  // Before the answers: what an operation has sent is on its way when its caller hears of it.
  for (const action of answer.actions) applyOperationAction(scope, action);
  const bytes = bytesSent(scope.entry);
  const tooMany = tooManyActionBytes(bytes);
  if (tooMany !== undefined) return failBatch(state, answer, tooMany, environment);
  const failure = boundedFailure(answer.taken, batchFailure(answer));
  for (let index = 0; index < answer.taken; index += 1) {
    const outcome = outcomeOf(answer.results[index], failure);
    if (outcome === undefined) break;
    consume(scope, outcome);
  }
  if (failure === undefined) changeText(scope, answer.text || undefined);
  advance(scope);
  return { kind: "append", entry: scope.entry };
}

/**
 * The answer as a whole cannot be carried out: what its operations did is rolled back, as if each of
 * them had failed. Those without a result were not part of it.
 */
function failBatch(
  state: InstanceState,
  { taken, results, failureDetails: details }: BatchAnswer,
  failure: TaskFailureDetails,
  environment: Environment,
): Decision {
  const scope = stepOf(state, newEntry(environment), environment);
  const isAll = details !== undefined || results.length === 0;
  const failed = isAll ? taken : Math.min(taken, results.length);
  for (let index = 0; index < failed; index += 1) consume(scope, { kind: "failed", failure });
  advance(scope);
  return { kind: "append", entry: scope.entry };
}

/** Why the batch failed outside user code. A worker that answers nothing at all runs nothing. */
function batchFailure({
  results,
  failureDetails: details,
}: BatchAnswer): TaskFailureDetails | undefined {
  if (details !== undefined || results.length > 0) return details;
  return failureDetails("EntityBatchNotRun", "the worker gave no result for any operation");
}

/** How the operation ended; undefined when it has not been run and comes again. */
function outcomeOf(
  result: OperationResult | undefined,
  batch: TaskFailureDetails | undefined,
): OperationOutcome | undefined {
  if (result === undefined) return batch && { kind: "failed", failure: batch };
  const { resultType: type } = result;
  switch (type.case) {
    case "success":
      return { kind: "completed", output: type.value.result };
    case "failure": {
      const { failureDetails: details } = type.value;
      return { kind: "failed", failure: details ?? unexplained };
    }
    case undefined:
      return { kind: "failed", failure: unexplained };
  }
}

const unexplained = failureDetails("EntityOperationFailed", "the worker did not say why");

/** The next operation of the batch leaves the queue. Nobody waits for those that are signals. */
function consume(scope: StepScope, outcome: OperationOutcome): void {
  const { entity, step } = scope;
  const item = entity.queue[step.consumed];
  const operation = item && operationOf(item);
  assert(operation !== undefined, "a batch is of operations");
  step.consumed += 1;
  if (operation.caller !== undefined) answerCall(scope, operation.caller, outcome);
}

function changeText({ entity, step }: StepScope, text: string | undefined): void {
  if (text === entity.text) return;
  step.textChanged = true;
  if (text !== undefined) step.text = text;
}

/** Bytes of the mail that actions have become. */
function bytesSent({ mailSent }: Entry): number {
  let bytes = 0;
  for (const { body } of mailSent) {
    if (body.case === "entityOperation") bytes += body.value.operation?.event?.event.length ?? 0;
    if (body.case === "startChild") bytes += body.value.started?.event.length ?? 0;
  }
  return bytes;
}
