/**
 * Entity traffic in the older encoding: workers that are not configured for native entities send it
 * as external events with JSON in them. The hub answers in the encoding in which it was asked.
 *
 * @see PROTOCOL.md 6.8
 */
import type { SendEventAction } from "../../wire/gen/orchestrator_service_pb.ts";
import type { ActionScope } from "./actions.ts";
import { call, lock, signal, unlock } from "./entity-actions.ts";
import { legacyMessageIn } from "./legacy-entity-messages.ts";

/**
 * Carries out an event that is addressed to an entity. What is not in this encoding reaches nobody,
 * as an event for an unknown instance does. `refusedAnswer` has let it pass.
 */
export function sendLegacyEntityMessage(
  scope: ActionScope,
  id: number,
  action: SendEventAction,
): void {
  const message = legacyMessageIn(action.instance?.instanceId ?? "", action);
  switch (message?.kind) {
    case "unlock":
      return unlock(scope, message.sent);
    case "lock":
      return lock(scope, id, { ...message.sent, legacy: true });
    case "signal":
      return signal(scope, message.sent);
    case "call":
      return call(scope, id, { ...message.sent, legacy: true });
    case undefined:
      return;
  }
}
