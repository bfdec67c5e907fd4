/**
 * A turn that no worker can be sent. It would come back for ever, and take the stream of its worker
 * down each time, so the instance ends and says why (trap T34).
 */
import { create } from "@bufbuild/protobuf";
import { permanentFailure } from "../../wire/failure-details.ts";
import type { TaskFailureDetails } from "../../wire/gen/orchestrator_service_pb.ts";
import { TurnSchema } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { orchestratorStarted } from "../../wire/history-event.ts";
import { type Decision, type Environment, newEntry, nothing } from "../decision.ts";
import type { InstanceState } from "../state.ts";
import { isTerminal } from "../status.ts";
import { nextTurnClock } from "./begin.ts";
import { complete } from "./complete.ts";

export interface TooLargeTurn {
  /** What the smallest message with the turn takes, in bytes. */
  readonly bytes: number;
  /** What the worker takes that asked for it. */
  readonly bytesMax: number;
}

/** Ends the instance without running the turn: its events stay unread, what is outstanding goes on. */
export function decideTooLarge(
  state: InstanceState | undefined,
  turn: TooLargeTurn,
  environment: Environment,
): Decision {
  if (state === undefined || isTerminal(state)) return nothing;
  const entry = newEntry(environment);
  const clock = nextTurnClock(state, environment.now);
  entry.turn = create(TurnSchema, {
    started: orchestratorStarted(clock),
    // A history has its ExecutionStarted, also that of an instance that never ran.
    consumed: state.started === undefined ? 1 : 0,
    clock,
  });
  const failure = historyTooLarge(state, turn);
  return complete(state, entry, environment, -1, { status: "failed", failureDetails: failure });
}

function historyTooLarge(
  { historyBytes, historyEvents }: InstanceState,
  { bytes, bytesMax }: TooLargeTurn,
): TaskFailureDetails {
  return permanentFailure(
    "HistoryTooLarge",
    `the next turn has ${bytes} bytes, ${historyBytes} of them for the ${historyEvents} events ` +
      `of the history, and the worker takes at most ${bytesMax} bytes in one message: the ` +
      "orchestration has to continue as new before its history is that long, or to run on a " +
      "worker that streams histories",
  );
}
