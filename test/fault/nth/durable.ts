/**
 * What is on the disk, followed from write to write: the truth that acknowledgements and the next
 * process are compared with. What must hold of it is looked at after every write.
 */
import { isDeepStrictEqual } from "node:util";
import type { OrderedBytes, Write } from "../../../sidecar/store/ordered/bytes.ts";
import { checkBytes } from "../../../sidecar/store/ordered/check.ts";
import { groupSequenceOf, isGroupKey } from "../../../sidecar/store/ordered/keys.ts";
import type { HistoryEvent } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { EventKind, readEvent } from "../../../sidecar/wire/history-event.ts";
import { type Life, Shadow, stateBytes } from "../../simulation/kit/shadow.ts";
import { ShadowChecks } from "../../simulation/kit/shadow-checks.ts";
import { violated } from "../../simulation/kit/violation.ts";
import { FIRST_ACTIONS } from "./work.ts";

export class Durable {
  readonly #shadow = new Shadow();
  readonly #checks: ShadowChecks;
  /** What has come into the inbox of an instance, by instance: each thing once. */
  readonly #arrived = new Set<string>();
  #newestGroup = 0;
  /** What was wrong first. */
  failure: unknown;

  constructor(highestMs: () => number) {
    this.#checks = new ShadowChecks(this.#shadow, highestMs, () => {});
  }

  find(instanceId: string): Life | undefined {
    return this.#shadow.find("default", instanceId);
  }

  /** Names of the windows of the hub. */
  get windows(): readonly (string | undefined)[] {
    const number = this.#shadow.hubs.get("default");
    const state = number === undefined ? undefined : this.#shadow.hubStates.get(number);
    return (state?.holds ?? []).map(({ hold }) => hold?.name);
  }

  hasArrived(instanceId: string, what: string): boolean {
    return this.#arrived.has(`${instanceId} ${what}`);
  }

  readonly landed = (writes: readonly Write[]): void => {
    try {
      this.#land(writes);
    } catch (error) {
      this.failure ??= error;
    }
  };

  readonly misused = (what: string): void => {
    this.failure ??= new Error(what);
  };

  /** The disk itself says what was followed, and nothing in it contradicts anything else. */
  async compare(bytes: OrderedBytes): Promise<void> {
    const shadow = this.#shadow;
    const read = await Shadow.of(bytes);
    for (const part of ["rows", "ready", "due", "hubs"] as const) {
      if (!isDeepStrictEqual(read[part], shadow[part])) violated(`${part}: not what was written`);
    }
    for (const { number } of shadow.rows.values()) {
      const stored = read.lives.get(number)?.state;
      const followed = shadow.lives.get(number)?.state;
      if (stored === undefined || followed === undefined) violated(`log ${number} is gone`);
      if (!stateBytes(stored).equals(stateBytes(followed))) {
        violated(`log ${number} does not tell the state of ${followed.instanceId}`);
      }
    }
    await checkBytes(bytes, { onProblem: ({ what }) => violated(what) });
  }

  #land(writes: readonly Write[]): void {
    const last = writes.at(-1);
    if (last === undefined || !isGroupKey(last.key)) violated("a group without its record");
    const sequence = groupSequenceOf(last.key);
    if (sequence !== this.#newestGroup + 1) {
      violated(`group ${sequence} was written behind group ${this.#newestGroup}`);
    }
    this.#newestGroup = sequence;
    this.#shadow.apply(writes);
    for (const number of this.#shadow.touched) {
      const life = this.#shadow.lives.get(number);
      if (life !== undefined) this.#note(life);
    }
    this.#checks.look();
  }

  #note(life: Life): void {
    const { state, history, fresh } = life;
    for (const entry of fresh) {
      for (const stored of entry.inboxAdded) {
        this.#arrive(life, arrivalOf(readEvent(stored), life.state.generation));
      }
    }
    const { instanceId, generation, customStatus } = state;
    if (instanceId !== "a" || generation !== 1) return;
    // G2: of the turn that does many things at once, all are there or none.
    const effects: readonly number[] = FIRST_ACTIONS.map((kind) => EventKind[kind]);
    const done = history.filter(({ kind }) => effects.includes(kind)).length;
    const hasStatus = customStatus !== undefined;
    if (done !== 0 && done !== FIRST_ACTIONS.length)
      violated(`${done} effects of a turn are there`);
    if (hasStatus !== done > 0) violated("the custom status and the effects of a turn differ");
  }

  #arrive({ state }: Life, what: string | undefined): void {
    if (what === undefined) return;
    const key = `${state.instanceId} ${what}`;
    if (this.#arrived.has(key)) violated(`${key} has arrived twice`);
    this.#arrived.add(key);
  }
}

/** What comes to an instance from outside, by a name that it has only once. */
export function arrivalOf({ eventType }: HistoryEvent, generation: number): string | undefined {
  switch (eventType.case) {
    case "eventRaised":
      return `event ${eventType.value.name}${eventType.value.input ?? ""}`;
    case "taskCompleted":
    case "taskFailed":
      return `activity ${generation}.${eventType.value.taskScheduledId}`;
    case "timerFired":
      return `timer ${generation}.${eventType.value.timerId}`;
    case "subOrchestrationInstanceCompleted":
    case "subOrchestrationInstanceFailed":
      return `child ${generation}.${eventType.value.taskScheduledId}`;
    default:
      return undefined;
  }
}
