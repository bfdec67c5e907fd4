/** What operators do with entities: purge, and clean up; and the upkeep of their logs. */
import { create } from "@bufbuild/protobuf";
import { assert } from "../../foundation/assert.ts";
import { failureDetails } from "../../wire/failure-details.ts";
import { Death } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityItemSchema,
  type EntityOperation,
  ScheduledOperationSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyMail } from "../copy-mail.ts";
import { type Decision, type Environment, newEntry, nothing, refuse } from "../decision.ts";
import { endOf } from "../start.ts";
import type { InstanceState } from "../state.ts";
import { toStoredState } from "../stored-state.ts";
import { copyOperation } from "./entity-state.ts";
import { answerCall } from "./send-answer.ts";
import { advance, passOn, stepOf } from "./step.ts";

/** No state, nothing waits, not locked, nothing on its way: its record may go. */
export function isEmptyEntity(state: InstanceState): boolean {
  return state.entity !== undefined && isEmptied(state) && state.outbox.length === 0;
}

/**
 * The first half of a purge: whoever waits for an operation is told that it failed, wishes to lock go
 * on to the next entity of their set as if this one were free, and queue, schedule, lock and state
 * go. "nothing" when there is nothing of that. What a worker has of it is void.
 */
export function decideEmptyEntity(state: InstanceState, environment: Environment): Decision {
  const { entity } = state;
  if (entity === undefined || isEmptied(state)) return nothing;
  const entry = newEntry(environment);
  const scope = stepOf(state, entry, environment);
  const { step } = scope;
  const id = JSON.stringify(state.instanceId);
  const failure = failureDetails(
    "EntityPurged",
    `entity ${id} was purged before the operation ran`,
  );
  const giveUp = ({ caller }: EntityOperation) => {
    if (caller !== undefined) answerCall(scope, caller, { kind: "failed", failure });
  };
  for (const { id: itemId, item } of entity.queue) {
    step.withdrawn.push(itemId);
    if (item.case === "operation") giveUp(item.value);
    else if (item.case === "lockWish") passOn(scope, item.value);
  }
  for (const { id: scheduledId, operation } of entity.scheduled.values()) {
    step.scheduledSettled.push(scheduledId);
    if (operation !== undefined) giveUp(operation);
  }
  step.unlocked = entity.lock !== undefined;
  step.textChanged = true;
  return { kind: "append", entry };
}

/**
 * The second half: the record goes. Its mail must have been delivered. "nothing" when something new
 * has come since: that is for a new entity, which has the record now.
 */
export function decideEndEntity(
  state: InstanceState | undefined,
  environment: Environment,
): Decision {
  if (state?.entity === undefined || !isEmptied(state)) return nothing;
  // Its log is all that holds mail that was sent and is not yet delivered.
  if (state.outbox.length > 0) {
    const id = JSON.stringify(state.instanceId);
    return refuse("unavailable", `messages of entity ${id} are still on their way: try again`);
  }
  return { kind: "end", entry: endOf(environment, Death.PURGED) };
}

/**
 * Releases the lock, and lets the queue go on. The caller knows that the holder is gone, and that it
 * is the one of this very state: a lock may have passed on to somebody else in the meantime.
 */
export function decideReleaseOrphan(state: InstanceState, environment: Environment): Decision {
  if (state.entity?.lock === undefined) return nothing;
  const entry = newEntry(environment);
  const scope = stepOf(state, entry, environment);
  scope.step.unlocked = true;
  advance(scope);
  return { kind: "append", entry };
}

/** A new generation of the log, with a base: what came before becomes garbage. */
export function decideCompactEntity(state: InstanceState, environment: Environment): Decision {
  const { entity } = state;
  if (entity === undefined) return nothing;
  const queue = entity.queue.map((waiting) => {
    const { id, item } = waiting;
    if (item.case !== "operation") return waiting;
    const value = copyOperation(item.value);
    return create(EntityItemSchema, { id, item: { case: "operation", value } });
  });
  const scheduled = Array.from(entity.scheduled.values(), ({ id, dueAt, operation }) => {
    assert(dueAt !== undefined && operation !== undefined, "a scheduled operation has its time");
    return create(ScheduledOperationSchema, { id, dueAt, operation: copyOperation(operation) });
  });
  const entry = newEntry(environment);
  entry.base = toStoredState({
    ...state,
    generation: state.generation + 1,
    outbox: state.outbox.map(copyMail),
    rememberedRequests: [...state.rememberedRequests],
    entity: {
      ...entity,
      queue,
      scheduled: new Map(scheduled.map((operation) => [operation.id, operation])),
    },
    // There is no history of an entity to read: nothing of it would ever take its place there.
    markers: [],
  });
  return { kind: "append", entry };
}

/** Nothing of what it had is left. */
function isEmptied({ entity }: InstanceState): boolean {
  return (
    entity !== undefined &&
    entity.text === undefined &&
    entity.queue.length === 0 &&
    entity.scheduled.size === 0 &&
    entity.lock === undefined
  );
}
