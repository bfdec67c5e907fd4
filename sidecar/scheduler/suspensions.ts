/** Holding things, letting them go, and telling whether they have really stopped. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Decision, notFound, nothing, refuseFinished } from "../engine/decision.ts";
import { decidePlaceHold, decideReleaseHolds, type HoldWish } from "../engine/holds.ts";
import { type HubDecision, nothingForHub, refuseForHub } from "../engine/hub/hub-decision.ts";
import { hubFreezesOf } from "../engine/hub/hub-freezes.ts";
import {
  decidePlaceHubHold,
  decideReleaseHubHolds,
  findHubHold,
  type HubHoldTarget,
} from "../engine/hub/hub-holds.ts";
import type { Reply } from "../engine/repeat.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { AssertionFailed, assert } from "../foundation/assert.ts";
import { HubError } from "../foundation/errors.ts";
import { Cause, type HubEntry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Hold,
  type HubHold,
  type PacedRelease,
  TreeOriginSchema,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Commands } from "./commands.ts";
import { turnInFlight } from "./head.ts";
import type { HubLog } from "./hub-log.ts";

/** A hold after it was asked for. */
export interface Placed<H> {
  readonly hold: H;
  /** False when one of that name existed and was left alone. */
  readonly placed: boolean;
}

/** Holds after some were to be released. */
export interface Released {
  readonly released: readonly Hold[];
  readonly releasedOfHub: readonly HubHold[];
  readonly remaining: readonly Hold[];
  readonly remainingOfHub: readonly HubHold[];
}

export interface PlaceOptions {
  readonly replace: boolean;
  /** The compatible RPC ignores an instance that has finished; others are refused. */
  readonly ignoreFinished: boolean;
  /** Also an entity can be quarantined, and only that. */
  readonly alsoEntities?: boolean;
}

/** What is to be released of what was placed on an instance. */
export interface ReleaseWish {
  /** Names of holds of the instance itself, or all of them. */
  readonly names: readonly string[] | "all";
  /** Names of tree holds whose origin it is, or all of them. */
  readonly trees: readonly string[] | "all";
  readonly pace: PacedRelease | undefined;
  readonly reason: string | undefined;
  /** Who asks for it, as they call themselves. */
  readonly requestedBy: string;
  readonly ignoreFinished: boolean;
  /** Also of an entity, which can be quarantined. */
  readonly alsoEntities?: boolean;
}

export interface SuspensionsOptions {
  readonly hub: HubLog;
  readonly commands: Commands;
}

export class Suspensions {
  readonly #options: SuspensionsOptions;

  constructor(options: SuspensionsOptions) {
    this.#options = options;
  }

  /** @throws HubError "instance-not-found", "failed-precondition", "limit-exceeded" */
  place<Result>(
    instanceId: string,
    wish: HoldWish,
    options: PlaceOptions,
    reply: Reply<Placed<Hold>, Result>,
  ): Promise<Result> {
    const decide = this.#decideOn(options);
    return decide(instanceId, Cause.SUSPEND, reply, (state, environment, head) => {
      const command = {
        instanceId,
        wish,
        ...options,
        turnInFlight: turnInFlight(head) !== undefined,
        hubFreezes: this.#freezesOf(state, environment.now),
      };
      const decision = decidePlaceHold(state, command, environment);
      const outcome = () => {
        const placed = decision.kind === "append" ? decision.entry.holdsPlaced[0] : undefined;
        const hold = placed ?? state?.holds.find(({ name }) => name === wish.name);
        assert(hold !== undefined || options.ignoreFinished, "a hold is there afterwards");
        return { hold, placed: placed !== undefined } as Placed<Hold>;
      };
      return { decision, outcome };
    });
  }

  /** Holds an instance and all its descendants. @throws HubError as `place` */
  placeTree<Result>(
    instanceId: string,
    wish: HoldWish,
    replace: boolean,
    reply: Reply<Placed<HubHold>, Result>,
  ): Promise<Result> {
    const { commands, hub } = this.#options;
    return commands.onInstance(instanceId, Cause.SUSPEND_HUB, reply, (state, environment) => {
      const refusal = refusalFor(instanceId, state);
      if (refusal !== undefined || state === undefined || hub.state === undefined) {
        return { decision: refusal ?? notFound(instanceId), outcome: neverAsked };
      }
      const { number } = state;
      const origin = create(TreeOriginSchema, { instanceId, number });
      const command = { wish, target: { kind: "tree", origin } as const, replace };
      const decision = decidePlaceHubHold(hub.state, command, environment);
      if (decision.kind === "refuse") return { decision, outcome: neverAsked };
      const existing = findHubHold(hub.state, wish.name, number);
      const outcome = () => placedIn(decision, existing);
      return { decision: nothing, outcome, ofHub: entryOf(decision) };
    });
  }

  /** Places a maintenance window. @throws HubError "limit-exceeded" */
  placeWindow<Result>(
    wish: HoldWish,
    target: HubHoldTarget,
    replace: boolean,
    reply: Reply<Placed<HubHold>, Result>,
    how: { readonly isOwn?: boolean } = {},
  ): Promise<Result> {
    return this.#options.commands.onHub(Cause.SUSPEND_HUB, reply, how, (hub, environment) => {
      const decision = decidePlaceHubHold(hub, { wish, target, replace }, environment);
      const existing = findHubHold(hub, wish.name, undefined);
      return { decision, outcome: () => placedIn(decision, existing) };
    });
  }

  /**
   * Releases what was placed on an instance, also trees, which are rows of the hub: in one commit.
   *
   * @throws HubError as `place`
   */
  release<Result>(
    instanceId: string,
    wish: ReleaseWish,
    reply: Reply<Released, Result>,
  ): Promise<Result> {
    const { hub } = this.#options;
    const decide = this.#decideOn(wish);
    return decide(instanceId, Cause.RESUME, reply, (state, environment, head) => {
      const trees = state === undefined ? [] : this.#treesOf(state, wish.trees);
      const hubDecision =
        hub.state === undefined
          ? nothingForHub
          : askedBy(
              wish.requestedBy,
              decideReleaseHubHolds(hub.state, trees, wish.pace, environment),
            );
      const command = {
        instanceId,
        names: wish.names,
        reason: wish.reason,
        ignoreFinished: wish.ignoreFinished,
        turnInFlight: turnInFlight(head) !== undefined,
        hubFreezes: this.#freezesOf(state, environment.now),
      };
      const decision = askedBy(wish.requestedBy, decideReleaseHolds(state, command, environment));
      const outcome = () => {
        const names = decision.kind === "append" ? decision.entry.holdsReleased : [];
        const holds = state?.holds ?? [];
        return {
          released: holds.filter(({ name }) => names.includes(name)),
          releasedOfHub: wish.pace === undefined ? trees : [],
          remaining: holds.filter(({ name }) => !names.includes(name)),
          remainingOfHub:
            state === undefined
              ? []
              : afterwards(hub.holdsOn(state, environment.now), trees, hubDecision),
        };
      };
      return { decision, outcome, ofHub: entryOf(hubDecision) };
    });
  }

  /**
   * Ends windows, at once or paced.
   *
   * @throws HubError "instance-not-found" when there is none of that name
   */
  releaseWindows<Result>(
    which: { readonly name: string } | "all",
    pace: PacedRelease | undefined,
    requestedBy: string,
    reply: Reply<Released, Result>,
  ): Promise<Result> {
    const { commands } = this.#options;
    const withoutHub = () => {
      if (which === "all") return nothingReleased;
      throw new HubError("instance-not-found", noWindow(which.name));
    };
    return commands.onHub(Cause.RESUME_HUB, reply, { withoutHub }, (hub, environment) => {
      const windows = hub.holds.filter(
        ({ hold, origin }) =>
          origin === undefined && (which === "all" || hold?.name === which.name),
      );
      const decision =
        windows.length === 0 && which !== "all"
          ? refuseForHub("instance-not-found", noWindow(which.name))
          : askedBy(requestedBy, decideReleaseHubHolds(hub, windows, pace, environment));
      const outcome = () => ({
        released: [],
        releasedOfHub: pace === undefined ? windows : [],
        remaining: [],
        remainingOfHub: afterwards(hub.holds, windows, decision).filter(
          ({ origin }) => origin === undefined,
        ),
      });
      return { decision, outcome };
    });
  }

  #decideOn({ alsoEntities = false }: { readonly alsoEntities?: boolean }): Commands["onAny"] {
    const { commands } = this.#options;
    return alsoEntities
      ? (...command) => commands.onAny(...command)
      : (...command) => commands.onInstance(...command);
  }

  #freezesOf(state: InstanceState | undefined, now: Timestamp) {
    return state === undefined ? [] : hubFreezesOf(this.#options.hub.state, state, now);
  }

  #treesOf({ number }: InstanceState, names: readonly string[] | "all"): readonly HubHold[] {
    return this.#options.hub.holds.filter(
      ({ hold, origin }) =>
        origin?.number === number && (names === "all" || names.includes(hold?.name ?? "")),
    );
  }
}

const nothingReleased: Released = {
  released: [],
  releasedOfHub: [],
  remaining: [],
  remainingOfHub: [],
};

/** The outcome of a refusal. */
function neverAsked(): never {
  throw new AssertionFailed("nobody asks for the outcome of a refusal");
}

function entryOf(decision: HubDecision): HubEntry | undefined {
  return decision.kind === "append" ? decision.entry : undefined;
}

/** Notes in the log who asked for a release: of a hold that is placed, the hold says it. */
function askedBy<D extends Decision | HubDecision>(requestedBy: string, decision: D): D {
  if (decision.kind === "append" && decision.entry.header !== undefined) {
    decision.entry.header.requestedBy = requestedBy;
  }
  return decision;
}

/** Why nothing can be placed on an instance, or released. */
function refusalFor(instanceId: string, state: InstanceState | undefined) {
  const decision =
    state === undefined
      ? notFound(instanceId)
      : isTerminal(state)
        ? refuseFinished(state)
        : undefined;
  return decision?.kind === "refuse" ? decision : undefined;
}

function placedIn(decision: HubDecision, existing: HubHold | undefined): Placed<HubHold> {
  const placed = decision.kind === "append" ? decision.entry.hubHoldsPlaced[0] : undefined;
  const hold = placed ?? existing;
  assert(hold !== undefined, "a hold is there afterwards");
  return { hold, placed: placed !== undefined };
}

/** Holds of the hub once the decision is applied. */
function afterwards(
  holds: readonly HubHold[],
  touched: readonly HubHold[],
  decision: HubDecision,
): readonly HubHold[] {
  const changed = decision.kind === "append" ? decision.entry.hubHoldsPlaced : [];
  return [...holds.filter((hold) => !touched.includes(hold)), ...changed];
}

function noWindow(name: string): string {
  return `there is no maintenance window ${JSON.stringify(name)}`;
}
