import { eventRaised } from "../wire/history-event.ts";
import { type Decision, type Environment, newEntry, notFound, nothing } from "./decision.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";

export interface RaiseEventCommand {
  readonly instanceId: string;
  /** Stored as given: SDKs compare event names without case. */
  readonly name: string;
  readonly input: string | undefined;
}

/**
 * External events belong to the instance, never to one generation. A finished instance drops them
 * silently.
 */
export function decideRaiseEvent(
  state: InstanceState | undefined,
  command: RaiseEventCommand,
  environment: Environment,
): Decision {
  if (state === undefined) return notFound(command.instanceId);
  if (isTerminal(state)) return nothing;
  const entry = newEntry(environment);
  entry.inboxAdded.push(eventRaised(environment.now, command.name, command.input));
  return { kind: "append", entry };
}
