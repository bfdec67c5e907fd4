/** The only way the state of a task hub changes, live and after a restart. */
import { create } from "@bufbuild/protobuf";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { HubEntry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type HubHold,
  type HubHoldKey,
  HubHoldKeySchema,
  HubStateSchema,
  type HubState as StoredHubState,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { HubState } from "./hub-state.ts";

/** Applies `entry`, which is the one with `sequence` in the log `number`. */
export function evolveHub(
  state: HubState | undefined,
  number: bigint,
  sequence: number,
  entry: HubEntry,
): HubState {
  const next = entry.base === undefined ? state : fromStored(entry.base, number);
  assert(next !== undefined, "the log of a hub starts with a base");
  next.sequence = sequence;
  for (const key of entry.hubHoldsReleased) {
    next.holds = next.holds.filter((hold) => !isKeyOf(key, hold));
  }
  for (const placed of entry.hubHoldsPlaced) {
    const key = keyOf(placed);
    const at = next.holds.findIndex((hold) => isKeyOf(key, hold));
    if (at === -1) next.holds.push(placed);
    else next.holds[at] = placed;
  }
  next.freezes.splice(0, entry.freezesForgotten);
  next.freezes.push(...entry.freezesAdded);
  for (const name of entry.schemasDeleted) next.schemas.delete(name);
  for (const schema of entry.schemasPut) next.schemas.set(schema.name, schema);
  for (const mark of entry.ageMarks) {
    next.ageMarks = [...next.ageMarks.filter(({ age }) => age !== mark.age), mark];
  }
  if (entry.rememberedRequest !== undefined) {
    next.rememberedRequests.push(entry.rememberedRequest);
    if (next.rememberedRequests.length > LIMITS.rememberedRequestsMax) {
      next.rememberedRequests.shift();
    }
  }
  return next;
}

/** Tells one hold of a hub from all others. */
export function keyOf({ hold, origin }: HubHold): HubHoldKey {
  assert(hold !== undefined, "a hold of a hub has its hold");
  const { scope, name } = hold;
  return create(HubHoldKeySchema, { scope, name, origin: origin?.number ?? 0n });
}

function isKeyOf(key: HubHoldKey, { hold, origin }: HubHold): boolean {
  return (
    key.scope === hold?.scope && key.name === hold.name && key.origin === (origin?.number ?? 0n)
  );
}

/** The state as the base of a generation stores it. */
export function toStoredHub(state: HubState): StoredHubState {
  return create(HubStateSchema, {
    name: state.name,
    createdAt: state.createdAt,
    incarnation: state.incarnation,
    hubHolds: state.holds,
    freezes: state.freezes,
    schemas: [...state.schemas.values()],
    rememberedRequests: state.rememberedRequests,
    ageMarks: state.ageMarks,
    generation: state.generation,
  });
}

function fromStored(stored: StoredHubState, number: bigint): HubState {
  assert(stored.createdAt !== undefined, "a hub has a time of creation");
  return {
    number,
    sequence: 0,
    // The first version of this format did not say it, and had one only.
    generation: Math.max(stored.generation, 1),
    name: stored.name,
    createdAt: stored.createdAt,
    incarnation: stored.incarnation,
    holds: stored.hubHolds,
    freezes: stored.freezes,
    schemas: new Map(stored.schemas.map((schema) => [schema.name, schema])),
    rememberedRequests: stored.rememberedRequests,
    ageMarks: stored.ageMarks,
  };
}
