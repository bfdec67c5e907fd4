import {
  OrchestrationStatus,
  OrchestrationStatusSchema,
} from "../wire/gen/orchestrator_service_pb.ts";
import { type Decision, nothing, refuse } from "./decision.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal, shownStatus } from "./status.ts";

/** What a client wants to happen to an instance that has the id already. */
export interface IdReusePolicy {
  readonly replaceableStatus: readonly OrchestrationStatus[];
  /** The removed field 2, still sent by Go: 0 nothing or ERROR, 1 IGNORE, 2 TERMINATE. */
  readonly legacyAction: number;
}

const legacyIgnore = 1;

/**
 * Whether a new instance may take the id of `existing`: undefined means that it replaces it.
 *
 * @see PROTOCOL.md 4.2, the table, and trap T26
 */
export function decideIdReuse(
  existing: InstanceState,
  policy: IdReusePolicy | undefined,
): Decision | undefined {
  const exists = refuse(
    "instance-exists",
    `an instance with id ${JSON.stringify(existing.instanceId)} already exists ` +
      `in status ${OrchestrationStatusSchema.value[shownStatus(existing)]?.localName}`,
  );
  if (policy === undefined) return isTerminal(existing) ? undefined : exists;
  if (!policy.replaceableStatus.includes(shownStatus(existing))) return exists;
  if (policy.legacyAction === legacyIgnore) return nothing;
  if (policy.legacyAction === 0 && !isTerminal(existing) && !mayTerminate(policy)) {
    return refuse(
      "invalid-argument",
      "Invalid reusable statuses: cannot exclude 'Terminated' while also allowing reuse of running instances",
    );
  }
  return undefined;
}

/**
 * Replacing a live instance ends it, so whoever allows that must allow a terminated one to be
 * replaced too.
 */
function mayTerminate(policy: IdReusePolicy): boolean {
  return policy.replaceableStatus.includes(OrchestrationStatus.TERMINATED);
}
