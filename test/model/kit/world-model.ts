/**
 * What must be true of a task hub, without logs, indexes, queues or commits: lives, holds, a clock that
 * counts seconds, and what workers have.
 */
import { type Cover, ModelHold, ModelHubHold, type Pace, type Wish } from "./hold-model.ts";
import { HubHoldsModel } from "./hub-holds-model.ts";
import { Life, type ModelActivity, type Outcome, type TurnPlan } from "./life-model.ts";

export class WorldModel {
  now = 0;
  hasWorker = false;
  readonly lives = new Map<string, Life>();
  /** Those that were replaced or purged, for what they got. */
  readonly past: Life[] = [];
  readonly hubHolds = new HubHoldsModel();
  /** The process was started with every hub held. */
  isSuspended = false;
  #hubExists = false;
  #batch = 0;

  /** The hub exists from now on, and what a process that is started suspended holds is held. */
  createHub(): void {
    if (!this.#hubExists) this.#boot();
    this.#hubExists = true;
  }

  /** Everything that happens from here on comes behind what was before. */
  nextBatch(): void {
    this.#batch += 1;
  }

  start(id: string, name: string): Outcome {
    const life = new Life(id, name, undefined, 0);
    if (this.hubHolds.refusesStart(life, this.now)) return "unavailable";
    const existing = this.lives.get(id);
    if (existing?.isFinished === false) return "instance-exists";
    if (existing !== undefined) this.past.push(existing);
    this.lives.set(id, life);
    return "ok";
  }

  raise(id: string, event: string): Outcome {
    const life = this.lives.get(id);
    if (life === undefined) return "instance-not-found";
    if (life.isFinished) return "ok";
    this.#arrive(life, `eventRaised ${event}`);
    life.raised.push(`eventRaised ${event}`);
    return "ok";
  }

  place(id: string, wish: Wish, replace: boolean): Outcome {
    const refusal = this.#refusal(id);
    if (refusal !== undefined) return refusal;
    const life = this.life(id);
    const at = life.holds.findIndex(({ name }) => name === wish.name);
    if (at === -1) life.holds.push(new ModelHold(wish, this.now));
    else if (replace) life.holds[at] = new ModelHold(wish, this.now);
    return "ok";
  }

  placeTree(id: string, wish: Wish, replace: boolean): Outcome {
    const refusal = this.#refusal(id);
    if (refusal !== undefined) return refusal;
    this.hubHolds.place(new ModelHubHold(wish, this.now, { origin: this.life(id) }), replace);
    return "ok";
  }

  placeWindow(
    wish: Wish,
    target: {
      readonly cover: Cover;
      readonly startsIn: number | undefined;
      readonly refusesStarts: boolean;
    },
    replace: boolean,
  ): Outcome {
    this.hubHolds.place(new ModelHubHold<Life>(wish, this.now, target), replace);
    return "ok";
  }

  release(
    id: string,
    names: readonly string[] | "all",
    trees: boolean,
    pace: Pace | undefined,
  ): Outcome {
    const refusal = this.#refusal(id);
    if (refusal !== undefined) return refusal;
    const life = this.life(id);
    life.holds = life.holds.filter(({ name }) => names !== "all" && !names.includes(name));
    if (trees) this.hubHolds.release(({ origin }) => origin === life, pace, this.now);
    return "ok";
  }

  releaseWindow(name: string, pace: Pace | undefined): Outcome {
    const isIt = (hold: ModelHubHold<Life>) => hold.origin === undefined && hold.name === name;
    if (!this.hubHolds.all.some(isIt)) return "instance-not-found";
    this.hubHolds.release(isIt, pace, this.now);
    return "ok";
  }

  terminate(id: string, recurse: boolean): Outcome {
    const life = this.lives.get(id);
    if (life === undefined) return "instance-not-found";
    if (life.isFinished || life.pendingTerminate !== undefined) return "ok";
    life.pendingTerminate = { recurse };
    if (life.turn === undefined) this.#finishTerminate(life);
    return "ok";
  }

  purge(id: string): void {
    this.past.push(this.life(id));
    this.lives.delete(id);
  }

  completeTurn(life: Life, { actions, ends }: TurnPlan): void {
    life.consume();
    for (const action of actions) {
      if (action.kind === "task") {
        const { id } = action;
        life.activities.push({ id, detached: false, out: false, delayedUntil: 0 });
      } else if (action.kind === "timer") life.timers.set(action.id, action.seconds);
      else {
        const child = new Life(`${life.id}.${action.id}`, "Child", life, action.id);
        life.children.set(action.id, child);
        this.lives.set(child.id, child);
      }
    }
    if (ends === "continues-as-new") life.continueAsNew(this.#batch);
    if (ends === "completes") this.#finish(life, "COMPLETED");
    else if (life.pendingTerminate !== undefined) this.#finishTerminate(life);
  }

  finishActivity(life: Life, activity: ModelActivity): void {
    if (!life.activities.includes(activity)) return;
    life.activities = life.activities.filter((each) => each !== activity);
    if (activity.detached) return;
    life.answered.push(activity.id);
    this.#arrive(life, `taskCompleted ${activity.id}`);
  }

  loseWorker(): void {
    this.hasWorker = false;
    for (const life of this.lives.values()) {
      for (const activity of life.activities) if (activity.out) this.loseActivity(activity);
      if (life.turn !== undefined) this.loseTurn(life);
    }
  }

  loseActivity(activity: ModelActivity): void {
    activity.out = false;
    activity.delayedUntil = this.now + backOffMax;
  }

  loseTurn(life: Life): void {
    life.turn = undefined;
    life.turnDelayedUntil = this.now + backOffMax;
    if (life.pendingTerminate !== undefined) this.#finishTerminate(life);
  }

  crash(seconds: number, isSuspended: boolean): void {
    this.hasWorker = false;
    this.isSuspended = isSuspended;
    for (const life of this.lives.values()) {
      for (const activity of life.activities)
        Object.assign(activity, { out: false, delayedUntil: 0 });
      life.turn = undefined;
      life.turnDelayedUntil = 0;
    }
    for (let left = seconds; left > 0; left -= 1) this.#tick();
    for (const hold of this.hubHolds.all) if (hold.pace !== undefined) hold.paceAgain(this.now);
    for (const life of this.lives.values()) {
      if (life.pendingTerminate !== undefined) this.#finishTerminate(life);
    }
    if (this.#hubExists) this.#boot();
    this.#fallDue();
  }

  second(): void {
    this.#tick();
    this.#fallDue();
  }

  life(id: string): Life {
    const life = this.lives.get(id);
    if (life === undefined) throw new Error(`the model has no ${id}`);
    return life;
  }

  /** Trees and windows that are in force and cover it. */
  covering(life: Life): ModelHubHold<Life>[] {
    return this.hubHolds.covering(life, this.now);
  }

  /** Those of them that it is not through yet. */
  holding(life: Life): ModelHubHold<Life>[] {
    return this.covering(life).filter(({ through }) => !through.has(life));
  }

  /** Whether something of it would be handed out now. */
  expects(life: Life, delayedUntil: number): "must" | "may" | "not" {
    if (!this.hasWorker || life.holds.length > 0) return "not";
    const covering = this.covering(life);
    // A tree ends with its origin, before mail reaches those below it.
    const isFull = ({ pace, origin }: ModelHubHold<Life>) => pace === undefined && !origin?.isDying;
    if (covering.some(isFull)) return "not";
    const isWaiting = covering.some(({ through }) => !through.has(life));
    return isWaiting || life.isDying || delayedUntil > this.now ? "may" : "must";
  }

  isFrozen(life: Life): boolean {
    if (life.holds.some(({ policy }) => policy === "FREEZE")) return true;
    return this.hubHolds.freezes(life, this.now);
  }

  #boot(): void {
    const wish = { name: "boot", policy: "KEEP", expiresIn: undefined, expiry: "KEEP" } as const;
    if (this.isSuspended) this.hubHolds.place(new ModelHubHold<Life>(wish, this.now, {}), false);
  }

  #arrive(life: Life, label: string): void {
    life.inbox.push({ label, batch: this.#batch });
  }

  #refusal(id: string): Outcome | undefined {
    const life = this.lives.get(id);
    if (life === undefined) return "instance-not-found";
    return life.isFinished ? "failed-precondition" : undefined;
  }

  #finish(life: Life, status: "COMPLETED" | "TERMINATED"): void {
    life.finish(status);
    this.hubHolds.remove(({ origin }) => origin === life);
    const { parent, parentAction } = life;
    if (parent?.children.get(parentAction) !== life) return;
    parent.children.delete(parentAction);
    const what = status === "COMPLETED" ? "Completed" : "Failed";
    this.#arrive(parent, `subOrchestrationInstance${what} ${parentAction}`);
  }

  #finishTerminate(life: Life): void {
    const recurse = life.pendingTerminate?.recurse ?? false;
    const children = [...life.children.values()];
    this.#finish(life, "TERMINATED");
    if (recurse) for (const child of children) child.isDying = true;
  }

  /** Mail has reached those whose parents were terminated with all they had. */
  endDying(): void {
    // Ends: each of them finishes once, or waits for its turn.
    for (;;) {
      const life = Array.from(this.lives.values()).find(({ isDying }) => isDying);
      if (life === undefined) return;
      life.isDying = false;
      this.terminate(life.id, true);
    }
  }

  #tick(): void {
    for (const life of this.lives.values()) {
      if (this.isFrozen(life)) continue;
      for (const [id, left] of life.timers) life.timers.set(id, left - 1);
    }
    this.now += 1;
  }

  #fallDue(): void {
    for (const hold of this.hubHolds.all) {
      if (!hold.isExpired(this.now) || hold.expiryDone) continue;
      if (hold.expiry === "RESUME") this.hubHolds.remove((other) => other === hold);
      else if (hold.origin !== undefined) {
        hold.expiryDone = true;
        for (const one of this.lives.values()) if (hold.covers(one)) this.terminate(one.id, true);
      }
    }
    for (const life of [...this.lives.values()]) {
      const expired = life.holds.filter((hold) => hold.isExpired(this.now));
      if (expired.some(({ expiry }) => expiry === "TERMINATE")) this.terminate(life.id, false);
      const ended = expired.filter(({ expiry }) => expiry === "RESUME");
      life.holds = life.holds.filter((hold) => !ended.includes(hold));
    }
    this.fireTimers();
  }

  /** Timers fire whose time has come, where it does not stand still. */
  fireTimers(): void {
    for (const life of this.lives.values()) {
      if (this.isFrozen(life)) continue;
      for (const [id, left] of life.timers) {
        if (left > 0) continue;
        life.timers.delete(id);
        this.#arrive(life, `timerFired ${id}`);
      }
    }
  }
}

/** The longest that work waits whose workers are lost again and again. */
const backOffMax = 60;
