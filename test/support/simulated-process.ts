/** The sidecar's own parts, from the scheduler down, as one process that can be killed. */
import type { Ids } from "../../sidecar/foundation/ids.ts";
import type { SchedulerTimes } from "../../sidecar/scheduler/options.ts";
import type { RetentionPolicy } from "../../sidecar/scheduler/retention-policy.ts";
import { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import { beginRun, recoverGroups } from "../../sidecar/store/ordered/group-records.ts";
import { createOrderedStore } from "../../sidecar/store/ordered/store.ts";
import type { Store } from "../../sidecar/store/store.ts";
import type { EntityBatchForm } from "../../sidecar/wire/entity-work-item.ts";
import { present } from "../../sidecar/wire/history-event.ts";
import { processClocks, type WallClock } from "./simulated-clock.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";

export interface ProcessOptions {
  readonly wall: WallClock;
  readonly disk: SimulatedDisk;
  readonly ids: Ids;
  readonly times: SchedulerTimes;
  readonly retention?: RetentionPolicy | undefined;
  readonly entityBatches: EntityBatchForm;
  /** Small ones make heads leave the memory. */
  readonly idleHeadBytesMax: number;
  readonly readyBytesMax: number;
  /** The process has ended itself: its store cannot be trusted. */
  readonly gaveUp: (process: SimulatedProcess, cause: unknown) => void;
}

/** Group records are kept over so many bytes: few, so that trimming them is part of the game. */
const TRAIL_BYTES = 4 * 1024;

export class SimulatedProcess {
  readonly #options: ProcessOptions;
  #isAlive = true;
  #hubs: TaskHubs | undefined;
  #store: Store | undefined;
  /** Resolves when the process is gone. */
  readonly died = Promise.withResolvers<void>();

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Undefined until the process serves. */
  get hubs(): TaskHubs | undefined {
    return this.#isAlive ? this.#hubs : undefined;
  }

  /** Opens the store and serves. Ends early when the process is killed meanwhile. */
  async run(): Promise<void> {
    try {
      await this.#boot();
    } catch (error) {
      if (this.#isAlive) this.#options.gaveUp(this, error);
    }
  }

  /** It is gone at once, and nothing that it has under way comes to anything. */
  kill(): void {
    this.#isAlive = false;
    this.#hubs = undefined;
    this.died.resolve();
  }

  /** Ends as a process does that was asked to. */
  async stop(): Promise<void> {
    const { steadyClock } = processClocks(this.#options.wall, () => this.#isAlive);
    const call = new AbortController();
    const alarm = steadyClock.after(25_000, () => call.abort());
    await this.#hubs?.drain(call.signal);
    alarm.cancel();
    await this.#store?.[Symbol.asyncDispose]();
  }

  async #boot(): Promise<void> {
    const { wall, disk, ids, times, retention, idleHeadBytesMax, readyBytesMax } = this.#options;
    const { entityBatches } = this.#options;
    const bytes = disk.mount();
    const { hubClock, steadyClock } = processClocks(wall, () => this.#isAlive);
    const recovered = await beginRun(bytes, await recoverGroups(bytes));
    const store = createOrderedStore(bytes, {
      recovered,
      trailBytes: TRAIL_BYTES,
      clock: steadyClock,
      schedule: (flush) => {
        steadyClock.after(0, flush);
      },
      reopening: {
        open: () => (this.#isAlive ? Promise.resolve(disk.mount()) : NEVER),
        clock: steadyClock,
      },
      space: disk.space(),
    });
    this.#store = store;
    void store.failed.then((cause) => {
      if (this.#isAlive) this.#options.gaveUp(this, cause);
    });
    const hubs = await TaskHubs.open({
      store,
      hubClock,
      steadyClock,
      ids,
      times,
      idleHeadBytesMax,
      readyBytesMax,
      entityBatches,
      ...present("retention", retention),
    });
    if (!this.#isAlive) return;
    this.#hubs = hubs;
    await hubs.recover();
  }
}

const NEVER = new Promise<never>(() => {});
