/**
 * A world of instances for scenarios and property tests: it is to the engine what the scheduler is,
 * without disk, sockets or workers. Every decision is checked to be pure, and every life after
 * every step: see `scenario-invariants.ts`.
 */
import { isDeepStrictEqual } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Decision, Environment } from "../../sidecar/engine/decision.ts";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { decideMail, decideMailSettled } from "../../sidecar/engine/mail.ts";
import { hasTurnToRun } from "../../sidecar/engine/readiness.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { type BegunTurn, beginTurn } from "../../sidecar/engine/turn/begin.ts";
import { decideTurn } from "../../sidecar/engine/turn/complete.ts";
import { defaultStatusRules, type StatusRules } from "../../sidecar/engine/turn/custom-status.ts";
import type { OrchestratorAction } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  Cause,
  type Entry,
  EntrySchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Mail,
  MailSchema,
  type StoredEvent,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { parseTime } from "./scenario-arguments.ts";
import { checkLife, rebuild, stateBytes } from "./scenario-invariants.ts";

export interface Life {
  readonly number: bigint;
  readonly instanceId: string;
  /** Encoded entries; the sequence of the first is 1. */
  readonly log: Uint8Array[];
  state: InstanceState;
  /** Of the current generation. */
  history: StoredEvent[];
  /** What a worker has right now. */
  turn: BegunTurn | undefined;
  /** Clocks of all turns of the instance, over its generations. */
  readonly clocks: Timestamp[];
}

export interface Outcome {
  readonly instanceId: string;
  readonly decision: Decision;
  /** What the decision added to the history. */
  readonly appended: readonly StoredEvent[];
}

export interface Delivery {
  readonly mail: Mail;
  readonly outcome: Outcome;
}

export interface Answer {
  readonly actions: readonly OrchestratorAction[];
  readonly customStatus?: string | undefined;
  readonly eventsProcessed?: number | undefined;
  readonly traceContext?: Uint8Array | undefined;
}

/**
 * A command that makes no sense now, such as completing a turn that nobody has: a mistake of the
 * scenario.
 */
export class Inapplicable extends Error {
  override readonly name = "Inapplicable";
}

type Decide = (state: InstanceState | undefined, environment: Environment) => Decision;

export class ScenarioWorld {
  now: Timestamp = parseTime("10:00:00");
  statusRules: StatusRules = defaultStatusRules;
  readonly #lives = new Map<string, Life>();
  readonly #isChecked: boolean;
  #identities = 0;
  #numbers = 0n;

  /** The checks take time that grows with the state: tests of large states do without. */
  constructor({ isChecked = true } = {}) {
    this.#isChecked = isChecked;
  }

  find(instanceId: string): Life | undefined {
    return this.#lives.get(instanceId);
  }

  life(instanceId: string): Life {
    const life = this.find(instanceId);
    if (life === undefined) throw new Inapplicable(`there is no instance ${instanceId}`);
    return life;
  }

  instanceIds(): readonly string[] {
    return [...this.#lives.keys()];
  }

  perform(instanceId: string, cause: Cause, decide: Decide): Outcome {
    const life = this.find(instanceId);
    const decision = this.#decideTwice(life?.state, cause, decide);
    const outcome = { instanceId, decision, appended: this.#apply(instanceId, life, decision) };
    const touched = this.find(instanceId);
    if (this.#isChecked && touched !== undefined) checkLife(touched);
    return outcome;
  }

  /** Also of those that no decision was about: they may share something that they should not. */
  checkAll(): void {
    for (const life of this.#lives.values()) checkLife(life);
  }

  /** One turn at a time, and none while something holds the instance. */
  hasTurnToRun(instanceId: string): boolean {
    const { state, turn } = this.life(instanceId);
    return turn === undefined && hasTurnToRun(state);
  }

  beginTurn(instanceId: string, throughSequence?: number): BegunTurn {
    const life = this.life(instanceId);
    if (!this.hasTurnToRun(instanceId)) throw new Inapplicable(`${instanceId} has no turn to run`);
    life.turn = beginTurn(life.state, this.now, throughSequence ?? life.state.sequence);
    return life.turn;
  }

  /** The worker is gone, or gave the turn back. */
  loseTurn(instanceId: string): void {
    this.life(instanceId).turn = undefined;
  }

  completeTurn(instanceId: string, answer: Answer): Outcome {
    const life = this.life(instanceId);
    const { turn } = life;
    if (turn === undefined) throw new Inapplicable(`no turn of ${instanceId} is in flight`);
    life.turn = undefined;
    const { started, clock, taken } = turn;
    return this.perform(instanceId, Cause.COMPLETE_TURN, (state, environment) => {
      if (state === undefined) throw new Error("a turn in flight has its instance");
      const given = {
        chunkBytes: 0,
        customStatus: undefined,
        eventsProcessed: undefined,
        traceContext: undefined,
      };
      const turnAnswer = { ...given, ...answer, started, clock, taken: taken.length };
      return decideTurn(state, turnAnswer, environment, this.statusRules);
    });
  }

  /**
   * Delivers the outbox, or its first `count` messages; an unsettled delivery is one that the sender
   * does not know of and repeats.
   */
  deliver(
    senderId: string,
    { settle = true, count = Number.POSITIVE_INFINITY } = {},
  ): readonly Delivery[] {
    const sender = this.life(senderId);
    const mails = sender.state.outbox.slice(0, count);
    const deliveries = mails.map((mail) => ({
      mail,
      outcome: this.perform(mail.targetInstanceId, Cause.MAIL, (receiver, environment) => {
        const before = toBinary(MailSchema, mail);
        const { history } = this.find(mail.targetInstanceId) ?? { history: [] };
        const decision = decideMail(receiver, mail, sender.number, environment, history);
        same(before, toBinary(MailSchema, mail), "a decision leaves mail as it is");
        return decision;
      }),
    }));
    if (!settle || this.find(senderId) !== sender) return deliveries;
    const refused = deliveries.filter(({ outcome }) => outcome.decision.kind === "refuse");
    this.perform(senderId, Cause.MAIL_SETTLED, (_state, environment) =>
      decideMailSettled(
        sender.state,
        mails.length,
        refused.map(({ mail }) => mail),
        environment,
      ),
    );
    return deliveries;
  }

  /**
   * Goes on with the state that the log gives, as after a restart: nothing is with a worker any
   * more.
   */
  reload(instanceId: string): void {
    const life = this.life(instanceId);
    life.turn = undefined;
    const { state, history } = rebuild(life);
    life.state = state;
    life.history = history;
  }

  #environment(cause: Cause): Environment {
    const ids = { next: () => `exec-${++this.#identities}` };
    return { now: this.now, ids, cause, principal: "tester" };
  }

  /**
   * A decision is pure: the same again with the same identities, and nothing that it was given has
   * changed.
   */
  #decideTwice(state: InstanceState | undefined, cause: Cause, decide: Decide): Decision {
    if (!this.#isChecked) return decide(state, this.#environment(cause));
    const identities = this.#identities;
    const before = state && stateBytes(state);
    const first = plainDecision(decide(state, this.#environment(cause)));
    this.#identities = identities;
    const decision = decide(state, this.#environment(cause));
    same(first, plainDecision(decision), "a decision is the same when it is made again");
    same(before, state && stateBytes(state), "a decision leaves the state as it is");
    return decision;
  }

  #apply(instanceId: string, life: Life | undefined, decision: Decision): readonly StoredEvent[] {
    switch (decision.kind) {
      case "append":
        if (life === undefined) throw new Error("only an instance that exists goes on");
        return [decision.entry, ...(decision.more ?? [])].flatMap((entry) => append(life, entry));
      case "begin":
        this.#begin(instanceId, life, decision.entry);
        return [];
      case "end":
        this.#lives.delete(instanceId);
        return [];
      default:
        return [];
    }
  }

  #begin(instanceId: string, replaced: Life | undefined, entry: Entry): void {
    this.#numbers += 1n;
    const log = [toBinary(EntrySchema, entry)];
    this.#lives.delete(instanceId);
    this.#lives.set(instanceId, {
      number: this.#numbers,
      instanceId,
      log,
      state: evolve(undefined, this.#numbers, 1, entry),
      history: [],
      turn: undefined,
      clocks: replaced?.clocks ?? [],
    });
  }
}

function append(life: Life, entry: Entry): readonly StoredEvent[] {
  const appended: StoredEvent[] = [];
  life.log.push(toBinary(EntrySchema, entry));
  const keep = (event: StoredEvent) => appended.push(event);
  const { generation } = life.state;
  life.state = evolve(life.state, life.number, life.log.length, entry, keep);
  if (life.state.generation !== generation) life.history = [];
  life.history.push(...appended);
  if (entry.turn?.clock !== undefined) life.clocks.push(entry.turn.clock);
  // A turn that continues as new keeps no history; its clock is in the base.
  else if (entry.base?.turnClock !== undefined) life.clocks.push(entry.base.turnClock);
  return appended;
}

function plainDecision(decision: Decision): unknown {
  switch (decision.kind) {
    case "append": {
      const entries = [decision.entry, ...(decision.more ?? [])];
      return { kind: decision.kind, entries: entries.map((each) => toBinary(EntrySchema, each)) };
    }
    case "end":
      return { kind: decision.kind, entry: toBinary(EntrySchema, decision.entry) };
    case "begin": {
      const ended = decision.ended && create(EntrySchema, decision.ended);
      const entry = toBinary(EntrySchema, decision.entry);
      return { kind: decision.kind, entry, ended: ended && toBinary(EntrySchema, ended) };
    }
    default:
      return decision;
  }
}

function same(left: unknown, right: unknown, what: string): void {
  if (!isDeepStrictEqual(left, right)) throw new Error(`not so: ${what}`);
}
