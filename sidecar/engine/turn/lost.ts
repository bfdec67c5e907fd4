import { type Decision, type Environment, newEntry, nothing } from "../decision.ts";
import type { InstanceState } from "../state.ts";

/**
 * A turn ended without an answer. Reader-only events that waited for its commit take their place in
 * the history now: the next turn may be far away, because the instance is held.
 */
export function decideTurnLost(
  state: InstanceState | undefined,
  environment: Environment,
): Decision {
  // Those of an instance that never ran belong behind its ExecutionStarted.
  if (state?.started === undefined || state.markers.length === 0) return nothing;
  const entry = newEntry(environment);
  entry.markersRecorded = true;
  return { kind: "append", entry };
}
