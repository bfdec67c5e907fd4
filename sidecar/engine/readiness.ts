import { hasBatchToRun } from "./entity/batch.ts";
import type { InstanceState } from "./state.ts";
import { isHeld, isTerminal } from "./status.ts";

/** A turn could be handed out, apart from holds that the hub places. */
export function hasTurnToRun(state: InstanceState): boolean {
  // The sidecar finishes a waiting termination itself; no further turn comes before that.
  if (state.pendingTerminate !== undefined) return false;
  const isWanted = state.inbox.length > 0 || state.turnWanted;
  return !isTerminal(state) && !isHeld(state) && !state.startPending && isWanted;
}

/** Nothing of it goes on before a worker takes something. Asked of instances that are ready. */
export function waitsForWorker({ pendingTerminate, outbox }: InstanceState): boolean {
  return pendingTerminate === undefined && outbox.length === 0;
}

/**
 * Whether the instance must be found after a restart without waiting for anything: exactly then its
 * ready row exists. Sleeping and suspended instances cost nothing at start.
 */
export function isReady(state: InstanceState): boolean {
  if (state.pendingTerminate !== undefined || state.outbox.length > 0) return true;
  if (isHeld(state)) return false;
  return state.activities.size > 0 || hasTurnToRun(state) || hasBatchToRun(state);
}
