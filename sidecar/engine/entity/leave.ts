/**
 * The end of critical sections. An orchestration that ends, in whatever way, releases what it has
 * locked and withdraws what it had asked for: nothing depends on its worker to do so.
 *
 * A release may overtake a wish that is still on its way from entity to entity. Such a wish ends in a
 * grant that nobody waits for, which comes back: see `releaseUnwanted`.
 */
import { create } from "@bufbuild/protobuf";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityReleaseSchema,
  type LockRequest,
  type Mail,
  MailSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { sendMail } from "../outbox.ts";
import type { InstanceState } from "../state.ts";

type Leaver = Pick<InstanceState, "instanceId" | "executionId">;

export function sendRelease(
  state: InstanceState,
  entry: Entry,
  target: string,
  criticalSectionId: string,
): void {
  sendMail(state, entry, target, releaseOf(state, criticalSectionId));
}

/** Leaves all critical sections that are not over with what the entry says already. */
export function leaveAll(state: InstanceState, entry: Entry): void {
  for (const request of openIn(state, entry)) {
    for (const target of request.lockSet) {
      const isGone = entry.entitiesUnlocked.some(
        (unlocked) => unlocked.lockRequestId === request.id && unlocked.instanceId === target,
      );
      if (!isGone) sendRelease(state, entry, target, request.criticalSectionId);
    }
  }
}

/** The same for a life that another one replaces: its mail goes out under the other's numbers. */
export function releasesOf(state: InstanceState, firstNumber: bigint): readonly Mail[] {
  return [...state.lockRequests.values()]
    .flatMap(({ lockSet, criticalSectionId }) =>
      lockSet.map((target) => [target, criticalSectionId] as const),
    )
    .map(([targetInstanceId, criticalSectionId], index) =>
      create(MailSchema, {
        number: firstNumber + BigInt(index),
        targetInstanceId,
        body: releaseOf(state, criticalSectionId),
      }),
    );
}

/**
 * It has locked something and not released it again, or has asked for several locks. Of those it may
 * have a part already, one entity after the other: it hears of it when it has all.
 */
export function mayHoldLock({ lockRequests }: InstanceState): boolean {
  return [...lockRequests.values()].some(({ granted, lockSet }) => granted || lockSet.length > 1);
}

function openIn(state: InstanceState, entry: Entry): readonly LockRequest[] {
  return [...state.lockRequests.values(), ...entry.lockRequestsAdded].filter(
    ({ id }) => !entry.lockRequestsSettled.includes(id),
  );
}

function releaseOf({ instanceId, executionId }: Leaver, criticalSectionId: string): Mail["body"] {
  const value = create(EntityReleaseSchema, { instanceId, executionId, criticalSectionId });
  return { case: "entityRelease", value };
}
