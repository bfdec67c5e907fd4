/**
 * A worker's answer to a turn becomes one entry: what was consumed, what was appended, what is
 * outstanding, what is sent. One entry is one commit, so a turn happens completely or not at all.
 *
 * @see PROTOCOL.md 4.5
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { failureDetails, permanentFailure, readableFailure } from "../../wire/failure-details.ts";
import {
  type CompleteOrchestrationAction,
  type HistoryEvent,
  HistoryEventSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  type TaskFailureDetails,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { type Entry, TurnSchema } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status, type StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionCompleted, present } from "../../wire/history-event.ts";
import { type Decision, type Environment, newEntry } from "../decision.ts";
import { leaveAll } from "../entity/leave.ts";
import { type Outcome, reportToParent } from "../outbox.ts";
import { decideWorkerRewind, rewoundBy } from "../rewind/worker-history.ts";
import type { InstanceState } from "../state.ts";
import { isTerminal } from "../status.ts";
import { type ActionScope, applyAction } from "./actions.ts";
import { continueAsNew } from "./continue-as-new.ts";
import {
  decideCustomStatus,
  defaultStatusRules,
  type StatusReport,
  type StatusRules,
} from "./custom-status.ts";
import { refusedAnswer, refusedChildren, tooManyBytes } from "./refused-answer.ts";

export interface TurnAnswer {
  /** What `beginTurn` handed out. */
  readonly started: StoredEvent;
  readonly clock: Timestamp;
  readonly taken: number;
  /** In the worker's order. */
  readonly actions: readonly OrchestratorAction[];
  /** Encoded size of the parts of a chunked answer. Above the limit not all actions are here. */
  readonly chunkBytes: number;
  /** Full replacement: absent and empty mean none. */
  readonly customStatus: string | undefined;
  /**
   * How many events of the turn count as consumed, OrchestratorStarted being the first; absent
   * means all.
   */
  readonly eventsProcessed: number | undefined;
  readonly traceContext: Uint8Array | undefined;
}

/** @param rules for the custom status of the orchestration name */
export function decideTurn(
  state: InstanceState,
  answer: TurnAnswer,
  environment: Environment,
  rules: StatusRules = defaultStatusRules,
): Decision {
  assert(!isTerminal(state), "a turn in flight belongs to a live instance");
  const report = decideCustomStatus(state, answer.customStatus, environment.now, rules);
  const refused =
    answer.chunkBytes > LIMITS.actionsPerTurnBytesMax
      ? tooManyBytes(answer.chunkBytes)
      : (refusedAnswer(answer.actions) ??
        refusedChildren(state.tags, answer.actions) ??
        report.failure);
  if (refused !== undefined) return failTurn(state, answer, report, refused, environment);
  const newHistory = rewoundBy(answer.actions);
  if (newHistory !== undefined) return rewindTo(newHistory, state, answer, environment);
  const entry = turnEntry(state, answer, report, environment);
  const { effects, completion } = inOrder(answer.actions);
  const status = completion?.value.orchestrationStatus;
  const ending = endingOf(status);
  const scope: ActionScope = { state, entry, environment, toSelf: [], ending };
  for (const action of effects) applyAction(scope, action);
  const bytes = bytesMade(entry, completion?.value);
  if (bytes > LIMITS.actionsPerTurnBytesMax) {
    return failTurn(state, answer, report, tooManyBytes(bytes), environment);
  }
  if (completion === undefined) {
    for (const event of scope.toSelf) entry.inboxAdded.push(event);
    if (state.status === Status.PENDING) entry.status = Status.RUNNING;
    return { kind: "append", entry };
  }
  if (status === OrchestrationStatus.CONTINUED_AS_NEW) {
    return continueAsNew(scope, completion.value, consumedBy(state, answer));
  }
  return complete(state, entry, environment, completion.id, outcomeOf(completion.value));
}

/** The custom status stays as it is, whatever such an answer says of it. */
function rewindTo(
  newHistory: readonly HistoryEvent[],
  state: InstanceState,
  answer: TurnAnswer,
  environment: Environment,
): Decision {
  const rewound = decideWorkerRewind(state, { ...answer, newHistory }, environment);
  if ("decision" in rewound) return rewound.decision;
  const untouched: StatusReport = { fields: {}, failure: undefined };
  return failTurn(state, answer, untouched, rewound.failure, environment);
}

/** An entry that consumes the events of the turn and applies no action yet. */
function turnEntry(
  state: InstanceState,
  answer: TurnAnswer,
  report: StatusReport,
  environment: Environment,
): Entry {
  const entry = newEntry(environment);
  const consumed = consumedBy(state, answer);
  entry.turn = create(TurnSchema, { started: answer.started, consumed, clock: answer.clock });
  Object.assign(entry, report.fields);
  if (answer.traceContext !== undefined) entry.traceContext = answer.traceContext;
  return entry;
}

/**
 * Ends the instance because of an answer that cannot be carried out. A custom status that is
 * acceptable is part of it: only what the actions ask for does not happen.
 */
function failTurn(
  state: InstanceState,
  answer: TurnAnswer,
  report: StatusReport,
  failure: TaskFailureDetails,
  environment: Environment,
): Decision {
  const { completion } = inOrder(answer.actions);
  const outcome: Outcome = { status: "failed", failureDetails: failure };
  const entry = turnEntry(state, answer, report, environment);
  return complete(state, entry, environment, completion?.id ?? -1, outcome);
}

/** Bytes that the actions stand for: each of them is in the history once, or is only carried on. */
function bytesMade(entry: Entry, completion: CompleteOrchestrationAction | undefined): number {
  let bytes = 0;
  for (const { event } of entry.history) bytes += event.length;
  for (const { body } of entry.mailSent) {
    if (body.case === "terminate") bytes += body.value.output?.length ?? 0;
  }
  for (const event of completion?.carryoverEvents ?? []) {
    bytes += toBinary(HistoryEventSchema, event).length;
  }
  return bytes;
}

/** A first turn has run with ExecutionStarted, whatever it says: a history begins with it. */
function consumedBy(state: InstanceState, { taken, eventsProcessed }: TurnAnswer): number {
  const least = state.started === undefined ? 1 : 0;
  return Math.max(least, Math.min((eventsProcessed ?? taken + 1) - 1, taken));
}

/**
 * Ascending by id, stable: Go answers in random order. Of several completions the last one counts,
 * wherever it stands.
 */
function inOrder(actions: readonly OrchestratorAction[]) {
  const effects: OrchestratorAction[] = [];
  let completion: { readonly id: number; readonly value: CompleteOrchestrationAction } | undefined;
  for (const action of actions) {
    const { orchestratorActionType: type } = action;
    if (type.case === "completeOrchestration") completion = { id: action.id, value: type.value };
    else effects.push(action);
  }
  effects.sort((left, right) => left.id - right.id);
  return { effects, completion };
}

function endingOf(status: OrchestrationStatus | undefined): ActionScope["ending"] {
  switch (status) {
    case undefined:
      return "goes-on";
    case OrchestrationStatus.CONTINUED_AS_NEW:
      return "continues-as-new";
    case OrchestrationStatus.TERMINATED:
      return "terminated";
    default:
      return "completes";
  }
}

function outcomeOf(completion: CompleteOrchestrationAction): Outcome {
  switch (completion.orchestrationStatus) {
    case OrchestrationStatus.COMPLETED:
      return { status: "completed", result: completion.result };
    case OrchestrationStatus.TERMINATED:
      return { status: "terminated", output: completion.result };
    case OrchestrationStatus.CANCELED:
      return { status: "canceled", output: completion.result };
    case OrchestrationStatus.FAILED:
      return {
        status: "failed",
        failureDetails: readableFailure(
          completion.failureDetails ??
            failureDetails("OrchestrationFailed", completion.details ?? completion.result ?? ""),
        ),
        output: completion.result,
      };
    default:
      return {
        status: "failed",
        failureDetails: permanentFailure(
          "UnsupportedAction",
          `an orchestration cannot complete with status ${completion.orchestrationStatus}`,
        ),
      };
  }
}

const finalStatus = {
  completed: { status: Status.COMPLETED, shown: OrchestrationStatus.COMPLETED },
  failed: { status: Status.FAILED, shown: OrchestrationStatus.FAILED },
  terminated: { status: Status.TERMINATED, shown: OrchestrationStatus.TERMINATED },
  canceled: { status: Status.CANCELED, shown: OrchestrationStatus.CANCELED },
} as const;

/** Ends the instance with this entry, and has its parent told. */
export function complete(
  state: InstanceState,
  entry: Entry,
  environment: Environment,
  actionId: number,
  outcome: Outcome,
): Decision {
  const { status, shown } = finalStatus[outcome.status];
  const result = outcome.status === "completed" ? outcome.result : outcome.output;
  entry.history.push(
    executionCompleted(actionId, environment.now, {
      orchestrationStatus: shown,
      ...present("result", result),
      ...(outcome.status === "failed" ? { failureDetails: outcome.failureDetails } : {}),
    }),
  );
  entry.status = status;
  leaveAll(state, entry);
  reportToParent(state, entry, environment, outcome);
  return { kind: "append", entry };
}
