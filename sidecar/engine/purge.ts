import { Death } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { type Decision, type Environment, nothing, refuse } from "./decision.ts";
import { endOf } from "./start.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";

/**
 * Only a finished instance is purged; anything else is left alone and counts as nothing (trap T45).
 */
export function decidePurge(state: InstanceState | undefined, environment: Environment): Decision {
  if (state === undefined || !isTerminal(state)) return nothing;
  // Its log is all that holds mail that was sent and is not yet delivered.
  if (state.outbox.length > 0) {
    const id = JSON.stringify(state.instanceId);
    return refuse("unavailable", `messages of instance ${id} are still on their way: try again`);
  }
  return { kind: "end", entry: endOf(environment, Death.PURGED) };
}
