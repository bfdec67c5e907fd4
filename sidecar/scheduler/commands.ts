/**
 * What clients ask to be done: one decision on one instance, or on the hub, told when it is durable,
 * and told again in the same words to a caller that repeats its request.
 */
import { type Decision, type Environment, newEntry, nothing, refuse } from "../engine/decision.ts";
import { type HubDecision, newHubEntry, nothingForHub } from "../engine/hub/hub-decision.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { orchestrationOf } from "../engine/kind.ts";
import { earlierResult, type Reply, toRemember } from "../engine/repeat.ts";
import type { InstanceState } from "../engine/state.ts";
import { AssertionFailed, assert } from "../foundation/assert.ts";
import { HubError } from "../foundation/errors.ts";
import type { Store } from "../store/store.ts";
import { Cause, type HubEntry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Admission } from "./admission.ts";
import type { Figures } from "./figures.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";

/** A decision, and what it means to the caller if it is not a refusal. */
export interface Decided<D, Outcome> {
  readonly decision: D;
  /** Asked before the decision is applied. */
  readonly outcome: () => Outcome;
  /** What it changes in the hub itself, in the same commit. */
  readonly ofHub?: HubEntry | undefined;
}

export interface HubCommandOptions<Outcome> {
  /**
   * What it comes to when there is no hub; throws the refusal. A command without it creates the hub:
   * what is refused must not.
   */
  readonly withoutHub?: () => Outcome;
  /** The sidecar itself asks for it, as it starts: it is not refused for a lack of space. */
  readonly isOwn?: boolean;
}

export interface CommandsOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly road: Road;
  readonly store: Store;
  readonly admission: Admission;
  readonly figures: Figures;
}

export class Commands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /**
   * One decision on one instance. Whoever asks for an entity in this way finds nothing.
   *
   * @throws HubError what the decision refuses with, "limit-exceeded"
   */
  onInstance<Outcome, Result>(
    instanceId: string,
    cause: Cause,
    reply: Reply<Outcome, Result>,
    decide: (
      state: InstanceState | undefined,
      environment: Environment,
      head: Head,
    ) => Decided<Decision, Outcome>,
  ): Promise<Result> {
    return this.onAny(instanceId, cause, reply, (state, environment, head) => {
      const decided = decide(orchestrationOf(state), environment, head);
      const isTaken = state?.kind === Kind.ENTITY && decided.decision.kind === "begin";
      return isTaken ? { decision: takenByEntity(instanceId), outcome: neverAsked } : decided;
    });
  }

  /** One decision on one instance or entity. @throws HubError as above */
  async onAny<Outcome, Result>(
    instanceId: string,
    cause: Cause,
    reply: Reply<Outcome, Result>,
    decide: (
      state: InstanceState | undefined,
      environment: Environment,
      head: Head,
    ) => Decided<Decision, Outcome>,
  ): Promise<Result> {
    const { heads, road, store, hub, admission } = this.#options;
    admission.admit(cause);
    const head = await heads.pin(instanceId);
    try {
      let told: { readonly result: Result } | undefined;
      let ofHub: HubEntry | undefined;
      const decision = road.decide(
        head,
        cause,
        (state, environment) => {
          told = state && earlierResult(state.rememberedRequests, reply);
          if (told !== undefined) {
            this.#options.figures.duplicates.request += 1;
            return nothing;
          }
          const decided = decide(state, environment, head);
          if (decided.decision.kind === "refuse") return decided.decision;
          told = { result: reply.result(decided.outcome()) };
          ofHub = decided.ofHub;
          return remembering(decided.decision, told.result, reply, environment);
        },
        () => ofHub,
      );
      // What was decided may rest on holds of the hub as well.
      await store.whenDurable(Math.max(head.position, hub.position));
      if (decision.kind === "refuse") throw new HubError(decision.code, decision.message);
      assert(told !== undefined, "what was not refused has a result");
      return told.result;
    } finally {
      heads.unpin(head);
    }
  }

  /** One decision on the hub. @throws HubError as above */
  async onHub<Outcome, Result>(
    cause: Cause,
    reply: Reply<Outcome, Result>,
    { withoutHub, isOwn = false }: HubCommandOptions<Outcome>,
    decide: (state: HubState, environment: Environment) => Decided<HubDecision, Outcome>,
  ): Promise<Result> {
    const { road, store, hub, admission } = this.#options;
    if (!isOwn) admission.admit(cause);
    if (hub.number === undefined && withoutHub !== undefined) {
      await store.whenDurable(hub.position);
      return reply.result(withoutHub());
    }
    road.createHub();
    let told: { readonly result: Result } | undefined;
    const decision = road.decideHub(cause, (state, environment) => {
      told = earlierResult(state.rememberedRequests, reply);
      if (told !== undefined) {
        this.#options.figures.duplicates.request += 1;
        return nothingForHub;
      }
      const decided = decide(state, environment);
      if (decided.decision.kind === "refuse") return decided.decision;
      told = { result: reply.result(decided.outcome()) };
      const remembered = toRemember(told.result, reply);
      if (remembered === undefined) return decided.decision;
      const entry =
        decided.decision.kind === "append"
          ? decided.decision.entry
          : newHubEntry({ ...environment, cause: Cause.REMEMBER });
      entry.rememberedRequest = remembered;
      return { kind: "append", entry };
    });
    await store.whenDurable(hub.position);
    if (decision.kind === "refuse") throw new HubError(decision.code, decision.message);
    assert(told !== undefined, "what was not refused has a result");
    return told.result;
  }
}

function takenByEntity(instanceId: string): Decision {
  return refuse("instance-exists", `${JSON.stringify(instanceId)} is the id of an entity`);
}

/** The outcome of a refusal. */
function neverAsked(): never {
  throw new AssertionFailed("nobody asks for the outcome of a refusal");
}

/** Also a request that has changed nothing is remembered: later it might change something. */
function remembering<Outcome, Result>(
  decision: Decision,
  result: Result,
  reply: Reply<Outcome, Result>,
  environment: Environment,
): Decision {
  const remembered = toRemember(result, reply);
  if (remembered === undefined) return decision;
  switch (decision.kind) {
    case "append":
    case "begin":
      decision.entry.rememberedRequest = remembered;
      return decision;
    case "nothing": {
      const entry = newEntry({ ...environment, cause: Cause.REMEMBER });
      entry.rememberedRequest = remembered;
      return { kind: "append", entry };
    }
    default:
      return decision;
  }
}
