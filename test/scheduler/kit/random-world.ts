/** Plays random steps on a task hub, and knows what must be true after each of them. */
import { expect } from "vitest";
import { nextDue } from "../../../sidecar/engine/due.ts";
import { isReady } from "../../../sidecar/engine/readiness.ts";
import { isHeld, isTerminal } from "../../../sidecar/engine/status.ts";
import type { OrchestratorAction } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { MINUTE, type TestHub, watch } from "../../support/scheduler-harness.ts";
import { type Item, type ScriptedWorker, shownEvent } from "../../support/worker.ts";
import * as act from "../../support/worker-actions.ts";
import { CHILDREN, type Command, INSTANCES, type RandomAction, type Step } from "./random-steps.ts";
import { dataOf, dueRows, readyIds } from "./stored-instances.ts";

const IDS = [...new Set<string>([...INSTANCES, ...CHILDREN])];
const TURN_LEASE = 5 * MINUTE;

interface HandedOut {
  readonly item: Item;
  readonly worker: number;
  readonly atMs: number;
}

export class RandomWorld {
  readonly #hub: TestHub;
  #workers: ScriptedWorker[] = [];
  /** What workers have, as far as the hub can know. */
  #out: HandedOut[] = [];
  readonly #old: HandedOut[] = [];
  /** What they got in this step. */
  #got: HandedOut[] = [];
  #connections = 0;
  #nextActionId = 1;

  constructor(hub: TestHub) {
    this.#hub = hub;
    this.#connect();
  }

  async play(step: Step): Promise<void> {
    const heldBefore = await this.#heldIds();
    this.#got = [];
    const mayWake = await this.#run(step);
    await this.#hub.settled();
    this.#collect();
    // A turn that completes the instance drops the hold: what it fired and forgot runs.
    const heldAfter = await this.#heldIds();
    for (const { item } of this.#got) {
      const { instanceId } = item;
      const wasHeld = heldBefore.has(instanceId) && heldAfter.has(instanceId);
      if (mayWake.has(instanceId)) continue;
      expect(wasHeld, `${item.kind} of ${item.instanceId} was handed out while held`).toBe(false);
    }
    await this.#check();
  }

  /** No more faults: workers finish everything. Returns the rounds that it took. */
  async finish(roundsMax: number): Promise<number> {
    for (let round = 1; round <= roundsMax; round += 1) {
      for (const id of IDS) {
        // Unknown ids refuse. The event wakes who waits for nothing.
        await this.#hub.resume(id).catch(() => {});
        await this.#hub.raise(id, "End").catch(() => {});
      }
      await this.#pass(6 * MINUTE);
      for (const { item, worker } of this.#out.splice(0)) {
        const answering = this.#workers[worker];
        if (item.kind === "turn") await answering?.complete(item, [act.completed()]);
        else await answering?.finish(item);
      }
      await this.#hub.settled();
      await this.#check();
      if (await this.#allFinished()) return round;
    }
    return Number.POSITIVE_INFINITY;
  }

  #connect(): void {
    this.#workers = [0, 1].map((at) => this.#newWorker(at));
  }

  #newWorker(at: number): ScriptedWorker {
    this.#connections += 1;
    return this.#hub.worker({ turns: at + 1, connection: `${at}.${this.#connections}` });
  }

  /** Plays a step. Returns the ids that may get work though they were held before. */
  async #run(step: Step): Promise<Set<string>> {
    const mayWake = new Set<string>();
    switch (step.kind) {
      case "turn":
      case "activity":
      case "abandon":
      case "late":
        await this.#answer(step);
        return mayWake;
      case "drop":
        await this.#drop(step.worker, step.connection);
        return mayWake;
      case "pass":
        await this.#pass(step.seconds * 1_000);
        return mayWake;
      case "crash":
        await this.#crash(step);
        return new Set(IDS);
      case "together":
        await Promise.allSettled(step.commands.map((command) => this.#command(command)));
        for (const { id } of step.commands) mayWake.add(id);
        return mayWake;
      default:
        await this.#command(step).catch(() => {});
        if (step.kind !== "raise" && step.kind !== "suspend") mayWake.add(step.id);
        return mayWake;
    }
  }

  #command(command: Command): Promise<unknown> {
    const { id } = command;
    switch (command.kind) {
      case "start":
        return this.#hub.start(id);
      case "startLater":
        return this.#hub.start(id, { at: this.#hub.clock.in(command.seconds * 1_000) });
      case "raise":
        return this.#hub.raise(id, "E");
      case "suspend":
        return this.#hub.suspend(id);
      case "resume":
        return this.#hub.resume(id);
      case "terminate":
        return this.#hub.terminate(id, "output", command.recurse);
      case "purge":
        return this.#hub.purge(id, true);
      case "rewind":
        return this.#hub.hub.reruns.rewind({ instanceId: id, reason: "again" });
      case "restart":
        return this.#hub.hub.reruns.restart(id);
      case "purgeMany":
        return this.#purgeMany(command.how);
    }
  }

  #purgeMany(how: "filter" | "batch" | "trees"): Promise<unknown> {
    const { purging } = this.#hub.hub;
    if (how === "batch") return purging.byId([...IDS, ...IDS], { recursive: false });
    const endings = ["completed", "failed", "terminated"] as const;
    const wish = { recursive: how === "trees", timeoutMs: undefined };
    return purging.byFilter({ created: {}, endings }, wish);
  }

  async #answer(step: Extract<Step, { readonly kind: "turn" | "activity" | "abandon" | "late" }>) {
    if (step.kind === "late") return this.#answerLate(step.pick);
    const wanted = this.#out.filter(
      ({ item }) => step.kind === "abandon" || item.kind === step.kind,
    );
    const chosen = wanted[step.pick % wanted.length];
    if (chosen === undefined) return;
    this.#out = this.#out.filter((each) => each !== chosen);
    this.#old.push(chosen);
    const { item } = chosen;
    const worker = this.#workers[chosen.worker];
    if (step.kind === "abandon") worker?.abandon(item);
    else if (item.kind === "turn" && step.kind === "turn") {
      await worker?.complete(
        item,
        step.actions.map((each) => this.#action(each)),
      );
    } else if (item.kind === "activity" && step.kind === "activity") {
      const failureDetails = { errorType: "Error", errorMessage: "failed" };
      await worker?.finish(item, "result", step.fails ? { failureDetails } : {});
    }
  }

  /** An answer to what is over changes nothing. */
  async #answerLate(pick: number): Promise<void> {
    const chosen = this.#old[pick % this.#old.length];
    const worker = this.#workers[0];
    if (chosen === undefined || worker === undefined) return;
    const before = await this.#hub.live(chosen.item.instanceId);
    if (chosen.item.kind === "turn") await worker.complete(chosen.item, [act.completed("late")]);
    else await worker.finish(chosen.item, "late");
    expect(await this.#hub.live(chosen.item.instanceId)).toEqual(before);
  }

  #action({ kind, at }: RandomAction): OrchestratorAction {
    const id = this.#nextActionId;
    this.#nextActionId += 1;
    switch (kind) {
      case "task":
        return act.scheduleTask(id);
      case "timer":
        return act.createTimer(id, this.#hub.clock.in(at * 20_000));
      case "child":
        return act.startChild(id, CHILDREN[at % CHILDREN.length] ?? "d");
      case "event":
        return act.sendEvent(id, IDS[at % IDS.length] ?? "a", "Sent");
      case "complete":
        return act.completed("result");
      case "fail":
        return act.failed("failed");
      case "terminated":
        return act.terminateOther(id, IDS[at % IDS.length] ?? "a", "reason");
      case "continueAsNew":
        return act.continueAsNew("next", at > 5 ? ["Carried"] : []);
    }
  }

  async #drop(at: number, connection: boolean): Promise<void> {
    const worker = this.#workers[at];
    if (worker === undefined) return;
    if (connection) this.#hub.hubs.connectionClosed(worker.connection);
    await worker.close();
    if (!connection) await this.#pass(10_000);
    this.#collect();
    this.#lose((out) => out.worker === at);
    this.#workers[at] = this.#newWorker(at);
  }

  async #crash({ commits, commands }: Extract<Step, { readonly kind: "crash" }>): Promise<void> {
    this.#hub.bytes.hold(commits);
    const calls = commands.map((command) => ({ command, call: watch(this.#command(command)) }));
    await this.#hub.settled();
    this.#collect();
    await this.#hub.crash();
    this.#lose(() => true);
    const isStart = ({ kind }: Command) => kind === "start" || kind === "startLater";
    for (const { command, call } of calls) {
      const isAlone = commands.filter(({ id }) => id === command.id).length === 1;
      if (!isAlone || !isStart(command) || call.state !== "done") continue;
      expect(await this.#hub.status(command.id), "an acknowledged start was lost").toBeDefined();
    }
    this.#connect();
  }

  /** From alarm to alarm, so that it is known when each item was handed out. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; ) {
      const slice = Math.min(left, Math.max(1, this.#hub.steady.untilNextMs));
      await this.#hub.pass(slice);
      this.#collect();
      left -= slice;
    }
  }

  /** Takes note of what workers got. */
  #collect(): void {
    const atMs = this.#hub.steady.nowMs();
    this.#lose(({ item, atMs: since }) => item.kind === "turn" && atMs - since >= TURN_LEASE);
    const got = this.#workers.flatMap(({ items }, worker) =>
      items.splice(0).map((item) => ({ item, worker, atMs })),
    );
    this.#out.push(...got);
    this.#got.push(...got);
  }

  #lose(isLost: (out: HandedOut) => boolean): void {
    this.#old.push(...this.#out.filter(isLost));
    this.#out = this.#out.filter((out) => !isLost(out));
  }

  async #heldIds(): Promise<Set<string>> {
    const held = await Promise.all(IDS.map((id) => this.#hub.hub.read(id, isHeld)));
    return new Set(IDS.filter((_, at) => held[at] === true));
  }

  async #check(): Promise<void> {
    const ready: string[] = [];
    const due: (readonly [string, number])[] = [];
    for (const id of IDS) {
      const stored = await this.#hub.stored(id);
      const live = await this.#hub.live(id);
      expect(stored && dataOf(stored.state), `the log of ${id} tells its state`).toEqual(live);
      if (stored === undefined) continue;
      if (isReady(stored.state)) ready.push(id);
      const at = nextDue(stored.state);
      if (at !== undefined) due.push([id, Number(at.seconds) * 1_000 + at.nanos / 1_000_000]);
      await this.#checkHistory(id);
      const { executionId } = stored.state;
      this.#lose(({ item }) => item.instanceId === id && isOver(item, executionId));
      const turns = this.#out.filter(({ item }) => item.kind === "turn" && item.instanceId === id);
      expect(turns.length, `turns of ${id} that are out`).toBeLessThanOrEqual(1);
    }
    const wrong = this.#hub.hub.scanned.violations();
    expect(wrong, "no invariant is violated").toEqual(new Map());
    expect(await readyIds(this.#hub.store)).toEqual(ready.toSorted());
    expect((await dueRows(this.#hub.store)).toSorted(byId)).toEqual(due.toSorted(byId));
  }

  async #checkHistory(id: string): Promise<void> {
    const counts = new Map<string, number>();
    for (const event of await this.#hub.history(id)) {
      const shown = shownEvent(event);
      if (!/^(task|timerFired|subOrch|execution(Started|Completed))/.test(shown)) continue;
      // Completed or failed: one answer in all.
      const key = shown.replace(/Completed |Failed /, "Answered ");
      if (/\d|execution/.test(key)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [event, count] of counts) expect(count, `${event} in the history of ${id}`).toBe(1);
  }

  async #allFinished(): Promise<boolean> {
    const states = await Promise.all(IDS.map((id) => this.#hub.hub.read(id, isTerminal)));
    return states.every((isFinished) => isFinished !== false);
  }
}

/** Of an earlier generation or life. Activities of one outlive it, so nothing is known of them. */
function isOver(item: Item, executionId: string): boolean {
  return item.kind === "turn" && item.request.executionId !== executionId;
}

function byId([left]: readonly [string, number], [right]: readonly [string, number]): number {
  return left < right ? -1 : 1;
}
