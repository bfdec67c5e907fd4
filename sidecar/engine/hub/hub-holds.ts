/**
 * Tree and selector holds: rows of the hub. Placing or releasing one is an entry of constant size,
 * whether it covers one instance or a million, and touches none of them.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { LIMITS } from "../../foundation/limits.ts";
import {
  ExpiryAction,
  HoldScope,
  type HubHold,
  HubHoldSchema,
  type PacedRelease,
  type Selector,
  type TreeOrigin,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { present } from "../../wire/history-event.ts";
import { earlierOf, isAfter } from "../../wire/timestamp.ts";
import type { Environment } from "../decision.ts";
import { type HoldWish, newHold } from "../holds.ts";
import { isActive } from "./covers.ts";
import { keyOf } from "./evolve-hub.ts";
import { type HubDecision, newHubEntry, nothingForHub, refuseForHub } from "./hub-decision.ts";
import { endFreeze } from "./hub-freezes.ts";
import type { HubState } from "./hub-state.ts";

/** The tree or the window that is to be held. */
export type HubHoldTarget =
  | { readonly kind: "tree"; readonly origin: TreeOrigin }
  | {
      readonly kind: "window";
      readonly selector: Selector | undefined;
      readonly startsAt: Timestamp | undefined;
      readonly refusesStarts: boolean;
      readonly includeEntities: boolean;
    };

export interface PlaceHubHoldCommand {
  readonly wish: HoldWish;
  readonly target: HubHoldTarget;
  /** A hold of this name is replaced; otherwise it stays as it is. */
  readonly replace: boolean;
}

/** The hold of this name on the same tree, or the window of this name. */
export function findHubHold(
  state: HubState,
  name: string,
  origin: bigint | undefined,
): HubHold | undefined {
  return state.holds.find((held) => held.hold?.name === name && held.origin?.number === origin);
}

export function decidePlaceHubHold(
  state: HubState,
  { wish, target, replace }: PlaceHubHoldCommand,
  environment: Environment,
): HubDecision {
  const origin = target.kind === "tree" ? target.origin : undefined;
  const existing = findHubHold(state, wish.name, origin?.number);
  // One that is on its way out is placed anew.
  const stands = existing !== undefined && existing.pacedRelease === undefined;
  if (stands && !replace) return nothingForHub;
  if (existing === undefined && state.holds.length >= LIMITS.hubHoldsMax) {
    return refuseForHub(
      "limit-exceeded",
      `a task hub has at most ${LIMITS.hubHoldsMax} windows and trees`,
    );
  }
  const entry = newHubEntry(environment);
  const scope = target.kind === "tree" ? HoldScope.TREE : HoldScope.SELECTOR;
  const placed = create(HubHoldSchema, {
    hold: newHold(wish, scope, existing?.hold, environment),
    ...present("origin", origin),
  });
  if (target.kind === "window") {
    placed.refusesStarts = target.refusesStarts;
    placed.includeEntities = target.includeEntities;
    if (target.selector !== undefined) placed.selector = target.selector;
    if (target.startsAt !== undefined) placed.startsAt = target.startsAt;
  }
  if (existing !== undefined) endFreeze(state, entry, existing, environment.now);
  entry.hubHoldsPlaced.push(placed);
  return { kind: "append", entry };
}

/**
 * Releases these holds, at once or instance by instance. One that is being released so already gets
 * another pace, and goes on from where it is.
 */
export function decideReleaseHubHolds(
  state: HubState,
  released: readonly HubHold[],
  pace: PacedRelease | undefined,
  environment: Environment,
): HubDecision {
  if (released.length === 0) return nothingForHub;
  const entry = newHubEntry(environment);
  for (const hubHold of released) {
    // While a hold goes away in steps, time does not stand still for anybody any more.
    endFreeze(state, entry, hubHold, environment.now);
    if (pace === undefined) entry.hubHoldsReleased.push(keyOf(hubHold));
    else entry.hubHoldsPlaced.push({ ...hubHold, pacedRelease: pace });
  }
  return { kind: "append", entry };
}

/**
 * Carries out what expires at `now`. Trees that are to be terminated are only marked here, once that
 * was asked of their origin.
 *
 * @param terminating those of which it was
 */
export function decideHubDue(
  state: HubState,
  terminating: ReadonlySet<HubHold>,
  environment: Environment,
): HubDecision {
  const entry = newHubEntry(environment);
  for (const hubHold of expired(state, environment.now)) {
    if (hubHold.hold?.expiryAction === ExpiryAction.TERMINATE) {
      if (terminating.has(hubHold)) entry.hubHoldsPlaced.push({ ...hubHold, expiryDone: true });
      continue;
    }
    endFreeze(state, entry, hubHold, environment.now);
    entry.hubHoldsReleased.push(keyOf(hubHold));
  }
  const isSomething = entry.hubHoldsPlaced.length > 0 || entry.hubHoldsReleased.length > 0;
  return isSomething ? { kind: "append", entry } : nothingForHub;
}

/** Holds whose expiry has come and is not carried out. */
export function expired(state: HubState, now: Timestamp): readonly HubHold[] {
  return state.holds.filter((hubHold) => {
    const due = expiryOf(hubHold);
    return due !== undefined && !isAfter(due, now);
  });
}

/** The next time after `now` at which a hold of the hub begins or expires. */
export function nextHubDue(state: HubState, now: Timestamp): Timestamp | undefined {
  let earliest: Timestamp | undefined;
  const consider = (due: Timestamp | undefined) => {
    if (due !== undefined) earliest = earliest === undefined ? due : earlierOf(earliest, due);
  };
  for (const hubHold of state.holds) {
    consider(expiryOf(hubHold));
    if (!isActive(hubHold, now)) consider(hubHold.startsAt);
  }
  return earliest;
}

function expiryOf({ hold, expiryDone }: HubHold): Timestamp | undefined {
  const action = hold?.expiryAction;
  const acts = action === ExpiryAction.RESUME || action === ExpiryAction.TERMINATE;
  return acts && !expiryDone ? hold?.expiresAt : undefined;
}
