/** All task hubs of one store: opening, recovery, timers, and the drain at the end. */
import { evolveHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { noReply } from "../engine/repeat.ts";
import { HubError, shuttingDown } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { DueRow, StorageNumber } from "../store/store.ts";
import type { Admission } from "./admission.ts";
import { Background } from "./background.ts";
import { Exports } from "./backup-export.ts";
import { bootWish, wholeHub } from "./boot-hold.ts";
import type { Figures } from "./figures.ts";
import type { IdleHeads } from "./heads.ts";
import { clearImports } from "./import-rows.ts";
import { Imports } from "./imports.ts";
import type { SchedulerOptions } from "./options.ts";
import { TaskHub } from "./task-hub.ts";
import { schedulerOptions, type TaskHubsOptions } from "./task-hubs-options.ts";
import { TimerQueue } from "./timer-queue.ts";

const recoveryPage = 512;

export class TaskHubs {
  readonly exports: Exports;
  readonly imports: Imports;
  readonly #options: SchedulerOptions;
  readonly #hubs = new Map<string, TaskHub>();
  readonly #timers: TimerQueue;
  readonly #background = new Background();
  #closing: HubError | undefined;

  private constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#timers = new TimerQueue(options.store, options.hubClock, (row) =>
      this.#background.run(this.#due(row)),
    );
    this.exports = new Exports(options);
    this.imports = new Imports({
      ...options,
      served: {
        find: (name) => this.get(name).state,
        takeOut: (name, reason) => this.#takeOut(name, reason),
        putIn: (name, state) => this.#putIn(name, state),
        rescanDue: () => this.#timers.rescan(),
      },
    });
  }

  /** Reads which hubs there are. Nothing is handed out before `recover`. */
  static async open({ suspended = false, ...options }: TaskHubsOptions): Promise<TaskHubs> {
    const hubs = new TaskHubs(schedulerOptions({ ...options, suspended }));
    await clearImports(options.store);
    for (const { name, number } of await options.store.listHubs()) {
      let state: HubState | undefined;
      for (const { sequence, entry } of await options.store.readHubLog(number)) {
        state = evolveHub(state, number, sequence, entry);
      }
      const hub = hubs.#add(name, state);
      if (!suspended) continue;
      await hub.suspensions.placeWindow(bootWish, wholeHub, false, noReply, { isOwn: true });
    }
    return hubs;
  }

  /** Lets everything that was ready when the process ended go on, in pages, while serving. */
  async recover(): Promise<number> {
    await this.#timers.start();
    let recovered = 0;
    let after: StorageNumber | undefined;
    // Ends with the last row: each page continues behind the one before.
    for (;;) {
      const rows = await this.#options.store.readReady(after, recoveryPage);
      await Promise.all(rows.map((row) => this.#byNumber(row.address.hub)?.recover(row)));
      recovered += rows.length;
      after = rows.at(-1)?.number;
      if (rows.length < recoveryPage || this.#closing !== undefined) break;
    }
    for (const hub of this.#hubs.values()) hub.recovered();
    return recovered;
  }

  /**
   * The hub of this name, whether it exists or not: streams and waits may attach before the first
   * write creates it.
   *
   * @throws HubError "limit-exceeded" when there are too many, "unavailable" when draining and while
   * the hub is being imported
   */
  get(name: string): TaskHub {
    if (this.#closing !== undefined) throw this.#closing;
    this.imports.checkServed(name);
    const hub = this.#hubs.get(name);
    if (hub !== undefined) return hub;
    if (this.#hubs.size >= LIMITS.taskHubsMax) this.#forgetUnused();
    if (this.#hubs.size >= LIMITS.taskHubsMax) {
      throw new HubError("limit-exceeded", `there are ${LIMITS.taskHubsMax} task hubs already`);
    }
    return this.#add(name, undefined);
  }

  /** The hub for answers of workers, which are taken to the end. */
  getForCompletion(name: string): TaskHub | undefined {
    return this.#hubs.get(name);
  }

  /** All hubs that are in memory: those that exist, and those that somebody waits for. */
  all(): readonly TaskHub[] {
    return [...this.#hubs.values()];
  }

  /** What is refused while the store cannot take it. */
  get admission(): Admission {
    return this.#options.admission;
  }

  get idleHeads(): IdleHeads {
    return this.#options.idleHeads;
  }

  get readyBudget(): SchedulerOptions["readyBudget"] {
    return this.#options.readyBudget;
  }

  /** Snapshots that are open for long histories on their way to readers and workers. */
  get openHistories(): number {
    return this.#options.historySlots.taken;
  }

  get figures(): Figures {
    return this.#options.figures;
  }

  /** The wall clock was set back. */
  clockSetBack(): void {
    this.#timers.setBack();
    for (const hub of this.#hubs.values()) hub.clockSetBack();
  }

  /** Timers are being fired right now. */
  get isFiring(): boolean {
    return !this.#background.isIdle;
  }

  /** Lets an instance go on that nothing would wake. */
  async revive(hub: StorageNumber, instanceId: string): Promise<void> {
    await this.#byNumber(hub)?.load(instanceId);
  }

  /** Fires what is due in one instance. */
  fireDue(row: DueRow): Promise<void> {
    return this.#due(row);
  }

  connectionClosed(connection: string): void {
    for (const hub of this.#hubs.values()) hub.connectionClosed(connection);
  }

  /**
   * Hands nothing out any more and waits, at most until `signal` is aborted, for what workers have.
   * Then ends all streams and waits. Answers of workers are still taken.
   */
  async drain(signal: AbortSignal): Promise<void> {
    const closing = shuttingDown();
    this.#closing = closing;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    const idle = Promise.all(Array.from(this.#hubs.values(), (hub) => hub.stopHandingOut(closing)));
    if (!signal.aborted) await Promise.race([idle, promise]);
    await this.imports.close();
    await this.#timers.close();
    await this.#background.settled();
    await Promise.all(Array.from(this.#hubs.values(), (hub) => hub.close(closing)));
  }

  #add(name: string, state: HubState | undefined): TaskHub {
    const scheduleDue = (row: DueRow) => this.#timers.schedule(row);
    const hub = new TaskHub({ ...this.#options, name, scheduleDue }, state);
    // Of one that is added later nothing was ready before.
    if (state === undefined) hub.recovered();
    this.#hubs.set(name, hub);
    return hub;
  }

  /** The hub is no longer served; what is attached to it is ended. */
  async #takeOut(name: string, reason: Error): Promise<Pick<TaskHub, "state">> {
    const hub = this.#hubs.get(name);
    if (hub === undefined) return { state: undefined };
    this.#hubs.delete(name);
    // Nobody has anything of an empty hub: there is nothing to wait for.
    void hub.stopHandingOut(reason);
    await hub.close(reason);
    return hub;
  }

  /** As at the start of the process: whatever the store has of the hub goes on. */
  #putIn(name: string, state: HubState): void {
    const hub = this.#add(name, state);
    this.#timers.rescan();
    this.#background.run(this.#recoverOf(hub, state.number));
  }

  async #recoverOf(hub: TaskHub, number: StorageNumber): Promise<void> {
    let after: StorageNumber | undefined;
    // Ends with the last row: each page continues behind the one before.
    for (;;) {
      const rows = await this.#options.store.readReady(after, recoveryPage);
      const own = rows.filter(({ address }) => address.hub === number);
      await Promise.all(own.map((row) => hub.recover(row)));
      after = rows.at(-1)?.number;
      if (rows.length < recoveryPage || this.#closing !== undefined) break;
    }
    hub.recovered();
  }

  #forgetUnused(): void {
    for (const [name, hub] of this.#hubs) if (!hub.inUse) this.#hubs.delete(name);
  }

  #byNumber(number: StorageNumber): TaskHub | undefined {
    for (const hub of this.#hubs.values()) if (hub.number === number) return hub;
    return undefined;
  }

  async #due(row: DueRow): Promise<void> {
    // It is found again when the hub goes live.
    if (this.imports.isImporting(row.address.hub)) return;
    const hub = this.#byNumber(row.address.hub);
    if (hub !== undefined) await hub.due(row);
    // The hub was deleted; its rows go as they surface.
    else this.#dropRow(row);
  }

  #dropRow({ due, number }: DueRow): void {
    this.#options.store.append({
      appends: [],
      index: [{ index: "due", due, number, row: undefined }],
    });
  }
}
