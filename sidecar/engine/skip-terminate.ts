/**
 * Termination that waits for nobody: what a worker has of the instance is void.
 *
 * @see PROTOCOL.md 2.2, SkipGracefulOrchestrationTerminations
 */
import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Decision, type Environment, nothing } from "./decision.ts";
import { mayHoldLock } from "./entity/leave.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";
import { terminatedEntry } from "./terminate.ts";

/**
 * Ends an orchestration now, with the reason as its output. "nothing": there is none that could be
 * ended so. Whoever commits it ends the lease of a turn in flight in the same step.
 */
export function decideSkipTerminate(
  state: InstanceState | undefined,
  reason: string | undefined,
  environment: Environment,
): Decision {
  if (state === undefined || state.kind !== Kind.ORCHESTRATION) return nothing;
  if (isTerminal(state) || mayHoldLock(state)) return nothing;
  return { kind: "append", entry: terminatedEntry(state, reason, environment) };
}
