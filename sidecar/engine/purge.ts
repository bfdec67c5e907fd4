import { Death } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { type Decision, type Environment, nothing } from "./decision.ts";
import { endOf } from "./start.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";

/**
 * Only a finished instance is purged; anything else is left alone and counts as nothing (trap T45).
 */
export function decidePurge(state: InstanceState | undefined, environment: Environment): Decision {
  if (state === undefined || !isTerminal(state)) return nothing;
  return { kind: "end", entry: endOf(environment, Death.PURGED) };
}
