/** What comes back to an orchestration from entities. */
import { assert } from "../../foundation/assert.ts";
import type { EntityAnswer } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent } from "../../wire/history-event.ts";
import { type Decision, type Environment, newEntry, nothing, refuse } from "../decision.ts";
import type { InstanceState } from "../state.ts";
import { sendRelease } from "./leave.ts";

/**
 * A result joins the inbox when it is waited for, and is dropped otherwise (trap T42). A grant of
 * locks that nobody waits for is refused: see `releaseUnwanted`.
 */
export function decideEntityAnswer(
  receiver: InstanceState | undefined,
  { event, caller, lockSet }: EntityAnswer,
  environment: Environment,
): Decision {
  assert(event !== undefined && caller !== undefined, "an answer has its event and its caller");
  const isGrant = lockSet.length > 0;
  // An answer is tied to the generation that asked (trap T7).
  const waiting = receiver?.executionId === caller.executionId ? receiver : undefined;
  const entry = newEntry(environment);
  if (isGrant) {
    const request = waiting && lockRequestOf(waiting, caller.requestId);
    if (waiting === undefined || request === undefined)
      return refuse("failed-precondition", "nobody waits for this lock");
    entry.lockRequestsGranted.push(request.id);
    // What it had unlocked before may have been locked behind that.
    for (const target of lockSet) {
      if (request.lockSet.includes(target)) continue;
      sendRelease(waiting, entry, target, request.criticalSectionId);
    }
  } else {
    const call = waiting && callOf(waiting, caller.requestId);
    if (call === undefined) return nothing;
    entry.entityCallsSettled.push(call.id);
  }
  entry.inboxAdded.push(copyEvent(event));
  return { kind: "append", entry };
}

function lockRequestOf({ lockRequests }: InstanceState, criticalSectionId: string) {
  for (const request of lockRequests.values()) {
    if (!request.granted && request.criticalSectionId === criticalSectionId) return request;
  }
  return undefined;
}

function callOf({ entityCalls }: InstanceState, requestId: string) {
  for (const call of entityCalls.values()) if (call.requestId === requestId) return call;
  return undefined;
}
