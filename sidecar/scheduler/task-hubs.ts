/** All task hubs of one store: opening, recovery, timers, and the drain at the end. */
import { evolveHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { type BufferLimits, defaultBufferLimits } from "../engine/raise-event.ts";
import { noReply } from "../engine/repeat.ts";
import { type CustomStatusPolicy, defaultStatusPolicy } from "../engine/turn/custom-status.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type Log, silentLog } from "../foundation/log.ts";
import type { DueRow, StorageNumber } from "../store/store.ts";
import { Background } from "./background.ts";
import { bootHold, bootWish, wholeHub } from "./boot-hold.ts";
import { IdleHeads } from "./heads.ts";
import { type HoldAgeLimits, noHoldAgeLimits } from "./hold-ages.ts";
import type { SchedulerOptions } from "./options.ts";
import { StatusMetrics } from "./status-metrics.ts";
import { TaskHub } from "./task-hub.ts";
import { TimerQueue } from "./timer-queue.ts";

const recoveryPage = 512;

export interface TaskHubsOptions
  extends Omit<
    SchedulerOptions,
    | "idleHeads"
    | "log"
    | "holdAgeLimits"
    | "bufferLimits"
    | "statusPolicy"
    | "statusMetrics"
    | "holdsAtCreation"
    | "watchedChangesMax"
  > {
  /** Instances that nobody uses are kept in memory up to this many bytes. */
  readonly idleHeadBytesMax?: number;
  readonly log?: Log;
  readonly holdAgeLimits?: HoldAgeLimits;
  readonly bufferLimits?: BufferLimits;
  readonly statusPolicy?: CustomStatusPolicy;
  readonly statusMetrics?: StatusMetrics;
  /** Changes of a hub that are kept for watches that come back. */
  readonly watchedChangesMax?: number;
  /** Every hub is held by the window "boot" from now on, also one that is created later. */
  readonly suspended?: boolean;
}

export class TaskHubs {
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
  }

  /** Reads which hubs there are. Nothing is handed out before `recover`. */
  static async open({
    idleHeadBytesMax = LIMITS.idleHeadBytesMax,
    log = silentLog,
    holdAgeLimits = noHoldAgeLimits,
    bufferLimits = defaultBufferLimits,
    statusPolicy = defaultStatusPolicy,
    statusMetrics = new StatusMetrics(log),
    watchedChangesMax = LIMITS.watchedChangesMax,
    suspended = false,
    ...options
  }: TaskHubsOptions): Promise<TaskHubs> {
    const hubs = new TaskHubs({
      ...options,
      log,
      holdAgeLimits,
      bufferLimits,
      statusPolicy,
      statusMetrics,
      watchedChangesMax,
      idleHeads: new IdleHeads(idleHeadBytesMax),
      holdsAtCreation: (now) => (suspended ? [bootHold(now)] : []),
    });
    for (const { name, number } of await options.store.listHubs()) {
      let state: HubState | undefined;
      for (const { sequence, entry } of await options.store.readHubLog(number)) {
        state = evolveHub(state, number, sequence, entry);
      }
      const hub = hubs.#add(name, state);
      if (suspended) await hub.suspensions.placeWindow(bootWish, wholeHub, false, noReply);
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
      await Promise.all(
        rows.map(({ address }) => this.#byNumber(address.hub)?.recover(address.instanceId)),
      );
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
   * @throws HubError "limit-exceeded" when there are too many, "unavailable" when draining
   */
  get(name: string): TaskHub {
    if (this.#closing !== undefined) throw this.#closing;
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

  connectionClosed(connection: string): void {
    for (const hub of this.#hubs.values()) hub.connectionClosed(connection);
  }

  /**
   * Hands nothing out any more and waits, at most until `signal` is aborted, for what workers have.
   * Then ends all streams and waits. Answers of workers are still taken.
   */
  async drain(signal: AbortSignal): Promise<void> {
    const closing = new HubError("unavailable", "the task hub is shutting down");
    this.#closing = closing;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    const idle = Promise.all(Array.from(this.#hubs.values(), (hub) => hub.stopHandingOut(closing)));
    if (!signal.aborted) await Promise.race([idle, promise]);
    await this.#timers.close();
    await this.#background.settled();
    await Promise.all(Array.from(this.#hubs.values(), (hub) => hub.close(closing)));
  }

  #add(name: string, state: HubState | undefined): TaskHub {
    const scheduleDue = (row: DueRow) => this.#timers.schedule(row);
    const rescanDue = () => this.#timers.rescan();
    const hub = new TaskHub({ ...this.#options, name, scheduleDue, rescanDue }, state);
    // Of one that is added later nothing was ready before.
    if (state === undefined) hub.recovered();
    this.#hubs.set(name, hub);
    return hub;
  }

  #forgetUnused(): void {
    for (const [name, hub] of this.#hubs) if (!hub.inUse) this.#hubs.delete(name);
  }

  #byNumber(number: StorageNumber): TaskHub | undefined {
    for (const hub of this.#hubs.values()) if (hub.number === number) return hub;
    return undefined;
  }

  async #due(row: DueRow): Promise<void> {
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
