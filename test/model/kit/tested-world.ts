/** A real task hub beside its model: both do the same, and are compared. */
import { expect } from "vitest";
import type { HoldWish } from "../../../sidecar/engine/holds.ts";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import { shownStatus } from "../../../sidecar/engine/status.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import { OrchestrationStatusSchema } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  ExpiryAction,
  type HubHold,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import { type Item, newEvents, type ScriptedWorker } from "../../support/worker.ts";
import type { Wish } from "./hold-model.ts";
import type { Life, Outcome } from "./life-model.ts";
import { WorldModel } from "./world-model.ts";

/** What a worker has, and whose it is. */
export interface Out {
  readonly item: Item;
  readonly life: Life;
}

export class TestedWorld {
  readonly hub: TestHub;
  readonly model = new WorldModel();
  worker: ScriptedWorker | undefined;
  /** In the order in which workers got them. */
  out: Out[] = [];
  /** Counts events, actions and connections. */
  count = 0;

  constructor(hub: TestHub, isSuspended: boolean) {
    this.hub = hub;
    this.model.isSuspended = isSuspended;
  }

  next(): number {
    this.count += 1;
    return this.count;
  }

  connect(): void {
    this.worker = this.hub.worker({ connection: `c${this.next()}` });
    this.model.hasWorker = true;
  }

  async lose(): Promise<void> {
    const { worker } = this;
    if (worker === undefined) return;
    this.hub.hubs.connectionClosed(worker.connection);
    await worker.close();
    this.forgetWorker();
    this.model.loseWorker();
  }

  forgetWorker(): void {
    this.worker = undefined;
    this.out = [];
  }

  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 1) {
      this.model.nextBatch();
      // Work that was lost comes back by real time, before hub time makes something begin.
      this.hub.steady.advance(1_000);
      await this.collect();
      this.hub.clock.advance(1_000);
      this.model.second();
      await this.collect();
    }
  }

  /** Workers have what they must have, and nothing that they must not. */
  async collect(): Promise<void> {
    const { model } = this;
    await this.hub.settled();
    if (this.hub.hub.number !== undefined) model.createHub();
    this.#adoptEndedReleases();
    model.fireTimers();
    for (const item of this.worker?.items.splice(0) ?? []) this.#adopt(item);
    model.endDying();
    for (const life of model.lives.values()) {
      if (life.hasTurn && model.expects(life, life.turnDelayedUntil) === "must") {
        expect.fail(`a turn of ${life.id} was not handed out`);
      }
      for (const { id, out, delayedUntil } of life.activities) {
        if (!out && model.expects(life, delayedUntil) === "must") {
          expect.fail(`activity ${id} of ${life.id} was not handed out`);
        }
      }
    }
  }

  /** Everything that can be read is what the model says. */
  async compare(): Promise<void> {
    const { model, hub } = this;
    // A paced release looks at one after the other, a millisecond apart: whoever is looked at here
    // may be let through by it, and gets work.
    for (const life of model.lives.values()) await this.#shown(life.id);
    await this.collect();
    const shown: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    for (const life of model.lives.values()) {
      const seen = await this.#shown(life.id);
      this.#adoptThrough(life, seen?.covering ?? []);
      expected[life.id] = this.#expected(life);
      shown[life.id] = seen;
    }
    expect(shown).toEqual(expected);
    const hubHolds = hub.hub.hubHolds.map(keyOf);
    expect(hubHolds.toSorted()).toEqual(model.hubHolds.all.map(({ key }) => key).toSorted());
    for (const hold of hub.hub.hubHolds) {
      const letThrough = hub.hub.releaseProgress(hold)?.letThrough ?? 0;
      const most = this.#modelOf(hold)?.mostThrough(model.now) ?? 0;
      expect(letThrough, `through ${keyOf(hold)}`).toBeLessThanOrEqual(most);
    }
  }

  #expected(life: Life) {
    const covering = life.isFinished ? [] : this.model.holding(life);
    const isStopped = life.holds.length > 0 || covering.length > 0;
    const heldBack = life.activities.filter(({ out }) => !out).length;
    return {
      status: life.shown,
      holds: life.holds.map(({ name }) => name).toSorted(),
      covering: covering.map(({ key }) => key).toSorted(),
      bufferedEvents: life.bufferedEvents,
      timers: [...life.timers.keys()].toSorted(byNumber),
      leases: life.leases,
      activitiesHeldBack: isStopped ? heldBack : 0,
      isQuiescent: isStopped && !life.isFinished && life.leases === 0,
    };
  }

  #shown(id: string) {
    return this.hub.hub.stillnesses.ofInstance(id, (seen) => ({
      status: OrchestrationStatusSchema.value[shownStatus(seen.state)]?.localName,
      holds: seen.state.holds.map(({ name }) => name).toSorted(),
      covering: seen.covering.map(keyOf).toSorted(),
      bufferedEvents: seen.state.bufferedEvents,
      timers: Array.from(seen.state.timers.values(), ({ timerId }) => timerId).toSorted(byNumber),
      leases: seen.leases.length,
      activitiesHeldBack: seen.activitiesHeldBack,
      isQuiescent: seen.isQuiescent,
    }));
  }

  #adopt(item: Item): void {
    const { model } = this;
    const life = model.life(item.instanceId);
    const what = `${item.kind} of ${life.id}`;
    if (item.kind === "turn") {
      if (!life.hasTurn) expect.fail(`${what} was handed out though there is none`);
      this.#mayHaveIt(what, life, life.turnDelayedUntil);
      const wrong = life.take(newEvents(item).slice(1));
      if (wrong !== undefined) expect.fail(`${what} has the events ${wrong}`);
    } else {
      const { taskId } = item.request;
      const activity = life.activities.find(({ id, out }) => id === taskId && !out);
      if (activity === undefined) return expect.fail(`${what} ${taskId} is not queued`);
      this.#mayHaveIt(what, life, activity.delayedUntil);
      activity.out = true;
    }
    this.out.push({ item, life });
  }

  #mayHaveIt(what: string, life: Life, delayedUntil: number): void {
    const { model } = this;
    if (model.expects(life, delayedUntil) === "not") {
      const by = [...life.holds.map(({ name }) => name), ...model.covering(life).map((h) => h.key)];
      expect.fail(`${what} was handed out while held by [${by}]`);
    }
    for (const hold of model.covering(life)) if (hold.pace !== undefined) hold.through.add(life);
  }

  /** Whom a paced release lets through, and when, is its own affair, within its bounds. */
  #adoptThrough(life: Life, shown: readonly string[]): void {
    if (life.isFinished) return;
    for (const hold of this.model.holding(life)) {
      if (hold.pace !== undefined && !shown.includes(hold.key)) hold.through.add(life);
    }
  }

  /** A paced release without canaries ends by itself, when nobody waits for it. */
  #adoptEndedReleases(): void {
    const left = new Set(this.hub.hub.hubHolds.map(keyOfOrigin));
    this.model.hubHolds.all = this.model.hubHolds.all.filter((hold) => {
      const isThere = left.has(`${hold.origin?.id ?? ""} ${hold.name}`);
      return isThere || hold.pace === undefined || hold.pace.canaries > 0;
    });
  }

  #modelOf(hold: HubHold) {
    return this.model.hubHolds.all.find(
      ({ origin, name }) => `${origin?.id ?? ""} ${name}` === keyOfOrigin(hold),
    );
  }
}

function keyOf({ origin, hold }: HubHold): string {
  return `${origin === undefined ? "window" : "tree"} ${hold?.name}`;
}

function keyOfOrigin({ origin, hold }: HubHold): string {
  return `${origin?.instanceId ?? ""} ${hold?.name}`;
}

function byNumber(left: number, right: number): number {
  return left - right;
}

/** "ok", or the code of the refusal. */
export async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    await call;
    return "ok";
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
}

export function place(hub: TestHub, id: string, wish: Wish, replace: boolean): Promise<undefined> {
  const options = { replace, ignoreFinished: false };
  return hub.hub.suspensions.place(id, wishOf(hub, wish), options, noReply);
}

export function wishOf(hub: TestHub, { name, policy, expiresIn, expiry }: Wish): HoldWish {
  return {
    name,
    reason: undefined,
    requestedBy: "model",
    resumeCondition: undefined,
    expiresAt: expiresIn === undefined ? undefined : hub.clock.in(expiresIn * 1_000),
    expiryAction: ExpiryAction[expiry],
    timerPolicy: TimerPolicy[policy],
  };
}
