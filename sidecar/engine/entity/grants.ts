/** Locks that nobody waits for any more. */
import { create } from "@bufbuild/protobuf";
import { normalEntityId } from "../../foundation/entity-id.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type EntityAnswer,
  type EntityCaller,
  EntityReleaseSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Environment } from "../decision.ts";
import { sendMail } from "../outbox.ts";
import type { InstanceState } from "../state.ts";
import { advance, lockAfter, type StepScope, stepOf } from "./step.ts";

/**
 * A grant came back, because whoever had asked is gone or waits no more: the last entity of the set,
 * which sent it, releases itself and tells the others.
 */
export function releaseUnwanted(
  state: InstanceState,
  entry: Entry,
  { caller, lockSet }: EntityAnswer,
  environment: Environment,
): void {
  const { entity } = state;
  // Answers to calls name no locks: one that nobody waits for has done no harm.
  if (entity === undefined || caller === undefined || lockSet.length === 0) return;
  const { instanceId, executionId, requestId: criticalSectionId } = caller;
  const scope = stepOf(state, entry, environment);
  const holder = lockAfter(scope)?.holder;
  if (
    holder?.instanceId === instanceId &&
    holder.executionId === executionId &&
    holder.requestId === criticalSectionId
  ) {
    scope.step.unlocked = true;
    delete scope.step.locked;
    advance(scope);
  }
  releaseElsewhere(scope, caller, lockSet);
}

/** Has other entities end a critical section: whoever asked for it does not tell them any more. */
export function releaseElsewhere(
  { state, entry }: Pick<StepScope, "state" | "entry">,
  { instanceId, executionId, requestId: criticalSectionId }: EntityCaller,
  entities: readonly string[],
): void {
  for (const other of new Set(entities.map(normalEntityId))) {
    if (other === undefined || other === state.instanceId) continue;
    const value = create(EntityReleaseSchema, { instanceId, executionId, criticalSectionId });
    sendMail(state, entry, other, { case: "entityRelease", value });
  }
}
