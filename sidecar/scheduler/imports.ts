/**
 * Imports under way. A hub that is being imported is not served: what is attached to it is ended,
 * and calls are refused until the import has succeeded or was given up.
 */
import type { HubState } from "../engine/hub/hub-state.ts";
import type { Alarm } from "../foundation/clock.ts";
import { HubError, shuttingDown } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { isShortOfSpace } from "../store/space.ts";
import type { StorageNumber } from "../store/store.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { HubImport } from "./hub-import.ts";
import { importHold, importHoldName } from "./import-hold.ts";
import { madeLive } from "./import-rows.ts";
import type { SchedulerOptions } from "./options.ts";

/** The place where hubs are served. */
export interface Served {
  /** The hub of this name as decided; undefined while it does not exist. */
  find(name: string): HubState | undefined;
  /**
   * Ends what is attached to a hub. Calls that were under way may still change it: `state` tells it
   * as it is then.
   */
  takeOut(name: string, reason: Error): Promise<{ readonly state: HubState | undefined }>;
  /** Serves the hub from now on. */
  putIn(name: string, state: HubState): void;
  /** Looks again at everything that is due. */
  rescanDue(): void;
}

export interface ImportsOptions
  extends Pick<
    SchedulerOptions,
    "store" | "hubClock" | "steadyClock" | "ids" | "log" | "holdsAtCreation"
  > {
  readonly served: Served;
}

/** What has become of a file. */
export interface Imported {
  readonly instances: number;
  readonly entries: number;
  readonly incarnation: string;
  /** Name of the window that holds the hub. */
  readonly hold: string;
}

interface Running {
  readonly import: HubImport;
  readonly replaced: { readonly state: HubState | undefined };
  /** What was asked for comes one after the other. */
  last: Promise<unknown>;
  /** Once its end was asked for. */
  finished: Promise<Imported> | undefined;
  alarm: Alarm | undefined;
  isOver: boolean;
}

export class Imports {
  readonly #options: ImportsOptions;
  /** By name of the hub. "beginning": its streams are being ended. */
  readonly #running = new Map<string, Running | "beginning">();
  /** The last import of each hub that has succeeded, for whoever did not hear of it. */
  readonly #done = new Map<string, { readonly id: string; readonly imported: Imported }>();

  #isClosed = false;

  constructor(options: ImportsOptions) {
    this.#options = options;
  }

  /** @throws HubError "unavailable" while the hub is being imported */
  checkServed(name: string): void {
    if (this.#running.has(name)) throw beingImported(name);
  }

  /** Rows of this hub are being written, and are not to be minded yet. */
  isImporting(hub: StorageNumber): boolean {
    for (const running of this.#running.values()) {
      if (running !== "beginning" && running.import.number === hub) return true;
    }
    return false;
  }

  /**
   * Takes an empty hub, or one that does not exist, out of service. Resolves with what names the
   * import.
   *
   * @throws HubError "failed-precondition"
   */
  async begin(name: string): Promise<string> {
    const { store, ids, served } = this.#options;
    if (this.#running.has(name)) {
      throw new HubError("failed-precondition", beingImported(name).message);
    }
    if (isShortOfSpace(store.space.level)) throw new HubError("limit-exceeded", "the disk is full");
    await this.#checkEmpty(name, served.find(name));
    // Another one may have been quicker while that was read.
    if (this.#running.has(name)) {
      throw new HubError("failed-precondition", beingImported(name).message);
    }
    this.#running.set(name, "beginning");
    let replaced: Running["replaced"] = { state: undefined };
    try {
      replaced = await served.takeOut(name, beingImported(name));
      await this.#checkStillEmpty(name, replaced.state);
      const names = { name, incarnation: ids.next() };
      const begun = new HubImport(ids.next(), store, names);
      const running: Running = {
        import: begun,
        replaced,
        last: Promise.resolve(),
        finished: undefined,
        alarm: undefined,
        isOver: false,
      };
      this.#running.set(name, running);
      this.#await(running);
      return begun.id;
    } catch (error) {
      this.#running.delete(name);
      if (replaced.state !== undefined) served.putIn(name, replaced.state);
      throw error;
    }
  }

  /** @see HubImport.add. Damage ends the import. @throws HubError "instance-not-found" */
  add(name: string, id: string, partNumber: bigint, data: Uint8Array): Promise<void> {
    const running = this.#find(name, id);
    return this.#after(running, async () => {
      try {
        await running.import.add(partNumber, data);
      } catch (error) {
        const isMissing = error instanceof HubError && error.code === "failed-precondition";
        if (!isMissing) this.#giveUp(running);
        throw error;
      }
    });
  }

  /** Makes the hub live and serves it; durable when it resolves. May be repeated. */
  finish(name: string, id: string): Promise<Imported> {
    const done = this.#done.get(name);
    if (done?.id === id) return Promise.resolve(done.imported);
    const running = this.#find(name, id);
    running.finished ??= this.#after(running, async () => {
      try {
        return await this.#makeLive(running);
      } catch (error) {
        this.#giveUp(running);
        throw error;
      }
    });
    return running.finished;
  }

  /** Gives an import up; one that is not there is over already. */
  async abort(name: string, id: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined || running === "beginning" || running.import.id !== id) return;
    await this.#after(running, async () => this.#giveUp(running));
  }

  /** Nothing goes on by itself any more. What was not finished is garbage at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const running of this.#running.values()) {
      if (running === "beginning") continue;
      running.isOver = true;
      running.alarm?.cancel();
      await running.last.catch(() => {});
    }
  }

  async #makeLive(running: Running): Promise<Imported> {
    const { store, hubClock, holdsAtCreation, served } = this.#options;
    const { names } = running.import;
    const { hub, entries, instances } = await running.import.end();
    await this.#checkStillEmpty(names.name, running.replaced.state);
    const now = hubClock.now();
    const holds: HubHold[] = [...holdsAtCreation(now), importHold(now)];
    const { commit, state } = madeLive(hub, running.replaced.state, holds, now);
    await store.whenDurable(store.append(commit));
    this.#end(running);
    served.putIn(names.name, state);
    const { incarnation } = names;
    const imported = { instances, entries, incarnation, hold: importHoldName };
    this.#done.set(names.name, { id: running.import.id, imported });
    this.#options.log.info("taskhub.imported", { taskHub: names.name, instances, entries });
    return imported;
  }

  #giveUp(running: Running): void {
    if (running.isOver) return;
    const { served } = this.#options;
    running.import.abandon();
    this.#end(running);
    const { state } = running.replaced;
    const { name } = running.import.names;
    if (state !== undefined) served.putIn(name, state);
    // What falls due in what is garbage now has to be seen to go.
    served.rescanDue();
  }

  #end(running: Running): void {
    running.isOver = true;
    running.alarm?.cancel();
    this.#running.delete(running.import.names.name);
  }

  /**
   * Whoever had the hub before it was taken out may have used it once more: that is on the disk once
   * all is that was appended until now.
   */
  async #checkStillEmpty(name: string, state: HubState | undefined): Promise<void> {
    const { store } = this.#options;
    await store.whenDurable(store.append({ appends: [], index: [] }));
    await this.#checkEmpty(name, state);
  }

  async #checkEmpty(name: string, state: HubState | undefined): Promise<void> {
    if (state === undefined || !(await this.#options.store.hasInstances(state.number))) return;
    const hub = `task hub ${JSON.stringify(name)}`;
    throw new HubError("failed-precondition", `${hub} is not empty: purge or delete it first`);
  }

  #find(name: string, id: string): Running {
    if (this.#isClosed) throw shuttingDown();
    const running = this.#running.get(name);
    if (running !== undefined && running !== "beginning" && running.import.id === id) {
      return running;
    }
    throw noImport(name);
  }

  /** Does it when all that was asked for before is done. */
  #after<T>(running: Running, work: () => Promise<T>): Promise<T> {
    const result = running.last.then(async () => {
      if (running.isOver) throw noImport(running.import.names.name);
      running.alarm?.cancel();
      try {
        return await work();
      } finally {
        if (!running.isOver) this.#await(running);
      }
    });
    running.last = result.catch(() => {});
    return result;
  }

  /** Whoever imports may be gone, and the hub must not be out of service for ever. */
  #await(running: Running): void {
    running.alarm = this.#options.steadyClock.after(LIMITS.importIdleMs, () => {
      this.#options.log.warn("taskhub.import_given_up", { taskHub: running.import.names.name });
      void this.#after(running, async () => this.#giveUp(running)).catch(() => {});
    });
  }
}

function beingImported(name: string): HubError {
  return new HubError("unavailable", `task hub ${JSON.stringify(name)} is being imported`);
}

function noImport(name: string): HubError {
  const why = "it was given up, or the sidecar was started again";
  return new HubError(
    "instance-not-found",
    `there is no such import of task hub ${JSON.stringify(name)}: ${why}`,
  );
}
