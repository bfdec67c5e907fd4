/**
 * Termination. The sidecar finishes it itself, without a worker: delivering it to SDK workers runs
 * into defects of several of them, and nothing would happen while no worker is connected.
 *
 * @see docs/decisions/0005-termination-without-a-worker.md, PROTOCOL.md 4.9
 */
import { create } from "@bufbuild/protobuf";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { OrchestrationStatus } from "../wire/gen/orchestrator_service_pb.ts";
import { type Entry, TurnSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  PendingTerminateSchema,
  Status,
  TerminateMailSchema,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  executionCompleted,
  executionTerminated,
  orchestratorStarted,
  present,
} from "../wire/history-event.ts";
import {
  type Decision,
  type Environment,
  newEntry,
  notFound,
  nothing,
  refuseFinished,
} from "./decision.ts";
import { leaveAll } from "./entity/leave.ts";
import { reportToParent, sendMail } from "./outbox.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";
import { nextTurnClock } from "./turn/begin.ts";

export interface TerminateCommand {
  readonly instanceId: string;
  /** Recorded verbatim as the output. */
  readonly output: string | undefined;
  readonly recurse: boolean;
  /** An instance that has finished is ignored; others than the compatible RPC refuse it. */
  readonly ignoreFinished: boolean;
}

/**
 * Records that the instance is to end; `decideFinishTerminate` follows as soon as no turn is in
 * flight.
 */
export function decideTerminate(
  state: InstanceState | undefined,
  command: TerminateCommand,
  environment: Environment,
): Decision {
  // An entity does not end: it is no instance for those who ask for that.
  if (state === undefined || state.entity !== undefined) return notFound(command.instanceId);
  if (isTerminal(state)) return command.ignoreFinished ? nothing : refuseFinished(state);
  // The first output wins.
  if (state.pendingTerminate !== undefined) return nothing;
  const entry = newEntry(environment);
  entry.pendingTerminate = create(PendingTerminateSchema, {
    recurse: command.recurse,
    ...present("output", command.output),
  });
  return { kind: "append", entry };
}

/** Ends an instance whose termination waits. No turn of it may be in flight. */
export function decideFinishTerminate(state: InstanceState, environment: Environment): Decision {
  const pending = state.pendingTerminate;
  assert(pending !== undefined && !isTerminal(state), "a termination is waiting");
  return { kind: "append", entry: terminatedEntry(state, pending.output, environment) };
}

/**
 * What ends an instance as terminated, with this output. A recursive termination that waits is
 * carried out with it: its children are told, with the output that it was given if there is room.
 */
export function terminatedEntry(
  state: InstanceState,
  output: string | undefined,
  environment: Environment,
): Entry {
  const { now } = environment;
  const { pendingTerminate: pending } = state;
  const clock = nextTurnClock(state, now);
  const result = present("result", output);
  const passedOn = outputForChildren(state, pending?.output);
  const entry = newEntry(environment);
  entry.turn = create(TurnSchema, {
    started: orchestratorStarted(clock),
    // A history has its ExecutionStarted, also that of an instance that never ran.
    consumed: state.started === undefined ? 1 : 0,
    clock,
  });
  entry.history.push(
    executionTerminated(now, output, pending?.recurse ?? false),
    executionCompleted(-1, now, {
      orchestrationStatus: OrchestrationStatus.TERMINATED,
      ...result,
    }),
  );
  entry.status = Status.TERMINATED;
  entry.workCancelled = true;
  entry.pendingTerminateCleared = true;
  leaveAll(state, entry);
  reportToParent(state, entry, environment, { status: "terminated", output });
  if (pending?.recurse) {
    for (const child of state.children.values()) {
      const value = create(TerminateMailSchema, {
        recurse: true,
        childOf: state.number,
        ...present("output", passedOn),
      });
      sendMail(state, entry, child.instanceId, { case: "terminate", value });
    }
  }
  return entry;
}

/**
 * Every child is sent a copy in one commit. What is too large for all of them is only recorded of the
 * instance itself: a payload cannot be cut.
 */
function outputForChildren(
  { children }: InstanceState,
  output: string | undefined,
): string | undefined {
  const bytes = Buffer.byteLength(output ?? "") * children.size;
  return bytes > LIMITS.actionsPerTurnBytesMax ? undefined : output;
}
