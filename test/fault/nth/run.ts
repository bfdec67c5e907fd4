/**
 * One run of T-NTH: a client that repeats what nobody has answered, a worker that answers whatever
 * it gets, and processes that come and go over one disk.
 */
import type { SteadyClock } from "../../../sidecar/foundation/clock.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import { type Call, TestHub, watch } from "../../support/scheduler-harness.ts";
import type { Batch, Item, ScriptedWorker } from "../../support/worker.ts";
import type { NthDisk, OpenNthDisk } from "./disks.ts";
import { Durable } from "./durable.ts";
import { isInjected, type Plan } from "./faults.ts";
import { type End, loopTurn } from "./process.ts";
import { answerActivity, answerBatch, answerTurn } from "./work.ts";

/** A call of a client, which is repeated under the same id until it is answered. */
export interface Ask {
  readonly what: string;
  readonly call: (hub: TestHub) => Promise<unknown>;
  /** What an answer promises, read from the disk at the moment of the answer. */
  readonly isDurable?: (durable: Durable) => boolean;
  /** What the first call of it must answer. */
  readonly answer?: unknown;
  /** The refusal that says that an earlier call has done it. */
  readonly doneBefore?: string;
}

/** Turns of the event loop without anything going on, after which nothing will. */
const QUIET_TURNS = 5;
const PROCESSES_MAX = 4;
const DELAY_MS = 5_000;

export class NthRun implements AsyncDisposable {
  readonly disk: NthDisk;
  readonly durable: Durable;
  /** How the processes ended before the last one, and whether their stores were open by then. */
  readonly ends: { readonly end: End; readonly wasOpen: boolean }[] = [];
  acknowledged = 0;
  #hub: TestHub | undefined;
  #worker: ScriptedWorker | undefined;
  #connections = 0;
  /** Activities and turns whose answers were acknowledged. */
  readonly #answered = new Set<string>();
  readonly #onRejection = (error: unknown) => this.#unhandled(error);
  readonly #otherListeners = process.listeners("unhandledRejection");

  private constructor(disk: NthDisk, durable: Durable) {
    this.disk = disk;
    this.durable = durable;
    // What nobody handles ends the process, and only what was injected may be among it.
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", this.#onRejection);
  }

  static async begin(open: OpenNthDisk, plan: Plan): Promise<NthRun> {
    let run: NthRun | undefined;
    const clock: SteadyClock = {
      nowMs: () => run?.steadyMs ?? 0,
      after: () => {
        throw new Error("the store sets no alarms");
      },
    };
    const durable = new Durable(() => run?.highestMs ?? START_MS);
    const { landed, misused } = durable;
    run = new NthRun(await open({ plan, clock, landed, misused }), durable);
    return run;
  }

  get hub(): TestHub {
    if (this.#hub === undefined) throw new Error("no process has started yet");
    return this.#hub;
  }

  get steadyMs(): number {
    return this.#hub?.steady.nowMs() ?? 0;
  }

  get highestMs(): number {
    const now = this.#hub?.clock.now();
    return now === undefined ? START_MS : Number(now.seconds) * 1_000 + now.nanos / 1_000_000;
  }

  /** Starts processes until one stays up. */
  async up(): Promise<void> {
    // Ends: there is one fault in a run, and a process that comes up behind it stays.
    for (;;) {
      const booting = watch(this.#boot());
      // By then the new process is there, and the end of the old one is of no interest.
      await loopTurn();
      const call = await this.#outcome(booting, isInjected);
      if (call.state === "done" && this.disk.process.end === undefined) break;
      this.#processEnded(call.error ?? this.disk.process.end);
    }
    this.#connections += 1;
    this.#worker = this.hub.worker({ connection: `worker ${this.#connections}` });
    await this.settle();
  }

  /** Asks for all of it at once, and again for what was not answered. */
  async ask(asks: readonly Ask[]): Promise<void> {
    const open = new Set(asks);
    for (let attempt = 1; open.size > 0; attempt += 1) {
      const calls: Call<unknown>[] = [];
      for (const each of asks) {
        if (!open.has(each)) continue;
        calls.push(watch(this.#askOnce(each, attempt).then(() => open.delete(each))));
        // Not all in one group: some come while the disk is busy.
        await loopTurn();
        await loopTurn();
      }
      for (const call of calls) await this.#outcome(call);
      await this.#again(calls);
    }
  }

  /** The worker answers what it gets, until there is nothing more. */
  async work(isWanted: (item: Item) => boolean = () => true): Promise<void> {
    for (;;) {
      await this.settle();
      const { items = [], batches = [] } = this.#worker ?? {};
      const wanted = items.filter(isWanted);
      if (wanted.length + batches.length === 0) return;
      for (const item of wanted) items.splice(items.indexOf(item), 1);
      const calls = [...wanted, ...batches.splice(0)].map((item) => watch(this.#answer(item)));
      for (const call of calls) await this.#outcome(call);
      await this.#again(calls);
    }
  }

  async pass(ms: number): Promise<void> {
    this.hub.steady.advance(ms);
    this.hub.clock.advance(ms);
    await this.settle();
  }

  /** Stops as a process does that is asked to, and starts anew. */
  async restart(): Promise<void> {
    const { process } = this.disk;
    const { hubs, store } = this.hub;
    const stopping = process.busy(async () => {
      await hubs.drain(AbortSignal.abort());
      await store[Symbol.asyncDispose]();
    });
    const call = await this.#outcome(watch(stopping), isInjected);
    const end = process.end ?? call.error;
    if (end !== undefined) this.#processEnded(end);
    await this.up();
  }

  /** Waits until nothing goes on. Late calls get their time; a process that has ended, a new one. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      const { process } = this.disk;
      const { steps } = process;
      await loopTurn();
      if (process.isHeld) this.#letTimePass();
      quiet = process.isRunning || process.steps !== steps ? 0 : quiet + 1;
      if (process.end === undefined) continue;
      await this.#replace();
      quiet = 0;
    }
    if (this.durable.failure !== undefined) throw this.durable.failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hub?.kill();
    await this.disk[Symbol.asyncDispose]();
    await loopTurn();
    process.off("unhandledRejection", this.#onRejection);
    for (const listener of this.#otherListeners) process.on("unhandledRejection", listener);
  }

  async #boot(): Promise<void> {
    if (this.#hub !== undefined) return this.#hub.crash();
    const mounted = await this.disk.mount();
    const hub = new TestHub(this.disk, { idleHeadBytesMax: 0 }, mounted);
    this.#hub = hub;
    await hub.boot();
  }

  async #askOnce({ what, call, isDurable, answer, doneBefore }: Ask, attempt: number) {
    const { process } = this.disk;
    let given: unknown;
    try {
      given = await call(this.hub);
    } catch (error) {
      const isRefusal = error instanceof HubError && error.code === doneBefore;
      if (!isRefusal || attempt === 1) throw error;
    }
    if (process.end === "crash") return NEVER;
    if (attempt === 1 && answer !== undefined && given !== answer) {
      throw new Error(`${what}: answered ${JSON.stringify(given)}`);
    }
    if (isDurable?.(this.durable) === false) throw new Error(`G1: ${what} is not on the disk`);
    this.acknowledged += 1;
  }

  /** G1, G3 and G4: what was acknowledged is on the disk, and is not handed out again. */
  async #answer(item: Item | Batch): Promise<void> {
    const { process } = this.disk;
    const worker = this.#worker;
    const { instanceId } = item;
    const before = this.durable.find(instanceId)?.state;
    if (before === undefined) throw new Error(`${instanceId} goes out, and is not on the disk`);
    const { generation, sequence } = before;
    if (item.kind === "turn") {
      const { actions, customStatus } = answerTurn(item);
      await worker?.complete(item, actions, customStatus === undefined ? {} : { customStatus });
    } else if (item.kind === "batch") {
      await worker?.answer(item, answerBatch(item));
    } else {
      const key = `activity ${generation}.${item.request.taskId}`;
      if (this.#answered.has(`${instanceId} ${key}`)) throw new Error(`${key} goes out again`);
      await worker?.finish(item, ...answerActivity(item, generation));
      if (process.end === "crash") return NEVER;
      if (!this.durable.hasArrived(instanceId, key)) throw new Error(`G1: ${key} was lost`);
      this.#answered.add(`${instanceId} ${key}`);
    }
    if (process.end === "crash") return NEVER;
    const after = this.durable.find(instanceId)?.state.sequence ?? 0;
    if (after <= sequence) throw new Error(`G1: an answer of ${instanceId} is not on the disk`);
    this.acknowledged += 1;
  }

  /** Waits for a call to end, or the process. @throws Error when neither will */
  async #outcome<T>(call: Call<T>, mayFailWith = isDistrust): Promise<Call<T>> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      if (call.state === "failed" && !mayFailWith(call.error)) throw call.error;
      if (call.state !== "pending" || this.disk.process.end !== undefined) return call;
      const { process } = this.disk;
      const { steps } = process;
      await loopTurn();
      if (process.isHeld) this.#letTimePass();
      quiet = process.isRunning || process.steps !== steps ? 0 : quiet + 1;
    }
    if (call.state !== "pending") return this.#outcome(call, mayFailWith);
    throw new Error("a call hangs, and nothing goes on");
  }

  /** A call that an I/O error has failed ends the process, as does everything else that does. */
  async #again(calls: readonly Call<unknown>[]): Promise<void> {
    const failed = calls.find(({ state }) => state === "failed");
    if (failed?.error instanceof Error) this.disk.process.endWith(failed.error);
    await this.settle();
  }

  async #replace(): Promise<void> {
    const { process } = this.disk;
    if (process.end === undefined) return;
    if (process.end !== "crash") await this.#checkSilence();
    this.#processEnded(process.end);
    await this.up();
    await this.durable.compare(this.disk.process.open);
  }

  /** G16: a process whose store has failed acknowledges nothing until it is gone. */
  async #checkSilence(): Promise<void> {
    const { store } = this.hub;
    const hasFailed = await Promise.race([store.failed, Promise.resolve(undefined)]);
    if (hasFailed === undefined) return;
    const calls = [watch(this.hub.start("late")), watch(this.hub.raise("a", "Late"))];
    for (let turn = 0; turn < 8; turn += 1) await loopTurn();
    for (const { state } of calls) {
      if (state === "done") throw new Error("G16: a store that has failed acknowledges");
    }
  }

  #processEnded(end: unknown): void {
    if (end !== "crash" && !isInjected(end)) throw end;
    const { wasOpen } = this.disk.process;
    this.ends.push({ end: end instanceof Error ? end : "crash", wasOpen });
    if (this.ends.length > PROCESSES_MAX) throw new Error("processes end again and again");
  }

  #letTimePass(): void {
    this.#hub?.steady.advance(DELAY_MS);
    this.disk.process.letGo();
  }

  #unhandled(error: unknown): void {
    if (isInjected(error)) this.disk.process.endWith(error as Error);
    else this.durable.failure ??= error;
  }
}

/** What ends the process wherever it comes up; a write error is nobody's answer. */
function isDistrust(error: unknown): boolean {
  if (!isInjected(error)) return false;
  return error instanceof HubError ? error.code === "store-distrusted" : false;
}

const START_MS = Date.parse("2026-01-01T10:00:00Z");

const NEVER = new Promise<never>(() => {});
