/**
 * A task hub in a world of its own: a disk, clocks that stand still, and workers that do what a
 * test says.
 */
import { fromBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { IdReusePolicy } from "../../sidecar/engine/id-reuse.ts";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { isTerminal, shownStatus } from "../../sidecar/engine/status.ts";
import { resumeCompatibly, suspendCompatibly } from "../../sidecar/scheduler/compatible-hold.ts";
import { defaultTimes } from "../../sidecar/scheduler/options.ts";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import type { TaskHubsOptions } from "../../sidecar/scheduler/task-hubs-options.ts";
import type { Store } from "../../sidecar/store/store.ts";
import {
  HistoryChunkSchema,
  type HistoryEvent,
  OrchestrationStatusSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { dataOf, type StoredInstance, storedInstance } from "../scheduler/kit/stored-instances.ts";
import type { SwitchedBytes } from "../scheduler/kit/switched-bytes.ts";
import { type MountedDisk, memoryDisk, type TestDisk } from "../scheduler/kit/test-disk.ts";
import { countedIds, FakeHubClock, FakeSteadyClock } from "./fake-clock.ts";
import { ScriptedWorker, type WorkerOptions } from "./worker.ts";

export const MINUTE = 60_000;

export interface HubOptions {
  readonly disk?: TestDisk;
  /** Instances that nobody uses are kept in memory up to this many bytes. */
  readonly idleHeadBytesMax?: number;
  /** Changes that a hub remembers for watches that come back. */
  readonly watchedChangesMax?: number;
  /** Anything else that the process is started with. */
  readonly started?: Partial<TaskHubsOptions>;
}

export interface BootOptions {
  readonly recovers?: boolean;
  /** What this start is given besides. */
  readonly started?: Partial<TaskHubsOptions>;
}

export interface StartOptions {
  readonly name?: string;
  readonly version?: string;
  readonly input?: string;
  readonly at?: Timestamp;
  readonly policy?: IdReusePolicy;
}

/** A task hub on a disk in memory, or on the one that is given. */
export async function openHub(options: HubOptions = {}): Promise<TestHub> {
  const { disk = memoryDisk() } = options;
  const hub = new TestHub(disk, options, await disk.mount());
  await hub.boot();
  return hub;
}

/** A call under way, and what has come of it so far. */
export interface Call<T> {
  readonly promise: Promise<T>;
  state: "pending" | "done" | "failed";
  value: T | undefined;
  error: unknown;
}

/** Watches a call, so that a test can see that there is no answer yet. */
export function watch<T>(promise: Promise<T>): Call<T> {
  const call: Call<T> = { promise, state: "pending", value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(call, { state: "done", value }),
    (error: unknown) => Object.assign(call, { state: "failed", error }),
  );
  return call;
}

export class TestHub implements AsyncDisposable {
  readonly clock = new FakeHubClock("2026-01-01T10:00:00Z");
  readonly steady = new FakeSteadyClock();
  readonly #disk: TestDisk;
  readonly #options: HubOptions;
  #mounted: MountedDisk;
  #hubs: TaskHubs | undefined;
  #boots = 0;

  constructor(disk: TestDisk, options: HubOptions, mounted: MountedDisk) {
    this.#disk = disk;
    this.#options = options;
    this.#mounted = mounted;
  }

  get hubs(): TaskHubs {
    if (this.#hubs === undefined) throw new Error("the process is down");
    return this.#hubs;
  }

  /** The one that commands without a hub of their own go to. */
  get hub(): TaskHub {
    return this.hubs.get("default");
  }

  get store(): Store {
    return this.#mounted.store;
  }

  get bytes(): SwitchedBytes {
    return this.#mounted.bytes;
  }

  /** Starts the process on the disk as it is. */
  async boot({ recovers = true, started = {} }: BootOptions = {}): Promise<void> {
    this.#boots += 1;
    const { idleHeadBytesMax, watchedChangesMax } = this.#options;
    this.#hubs = await TaskHubs.open({
      store: this.store,
      hubClock: this.clock,
      steadyClock: this.steady,
      ids: countedIds(`b${this.#boots}`),
      times: defaultTimes,
      ...(idleHeadBytesMax === undefined ? {} : { idleHeadBytesMax }),
      ...(watchedChangesMax === undefined ? {} : { watchedChangesMax }),
      ...this.#options.started,
      ...started,
    });
    if (recovers) await this.#hubs.recover();
  }

  /** Ends the process without any warning and starts a new one, `downMs` of hub time later. */
  async crash(boot: BootOptions & { readonly downMs?: number } = {}): Promise<void> {
    await this.kill();
    if (boot.downMs) this.clock.advance(boot.downMs);
    this.#mounted = await this.#disk.mount();
    await this.boot(boot);
    await this.settled();
  }

  /** Ends the process without any warning. */
  async kill(): Promise<void> {
    this.#hubs = undefined;
    this.clock.forgetAlarms();
    this.steady.forgetAlarms();
    await this.#mounted.kill();
  }

  /** Waits until nothing is going on any more that is not held back. Needs no time to pass. */
  async settled(): Promise<void> {
    const { bytes } = this;
    // Ends: whatever goes on without time passing is work of the hub's own, and that comes to an
    // end.
    for (let quiet = 0; quiet < quietTurns; ) {
      const { calls } = bytes;
      await nextTurnOfTheLoop();
      quiet = bytes.isRunning || bytes.calls !== calls ? 0 : quiet + 1;
    }
  }

  /** Lets hub time and real time pass. */
  async pass(ms: number): Promise<void> {
    this.steady.advance(ms);
    this.clock.advance(ms);
    await this.settled();
  }

  worker(options: WorkerOptions = {}, hub: TaskHub = this.hub): ScriptedWorker {
    return new ScriptedWorker({ hub, settled: () => this.settled() }, options);
  }

  start(instanceId: string, options: StartOptions = {}): Promise<string> {
    const { name = "Main", version, input, at, policy } = options;
    return this.hub.instances.start({
      instanceId,
      name,
      version,
      input,
      tags: {},
      parentTraceContext: undefined,
      scheduledStartAt: at,
      executionId: undefined,
      idReusePolicy: policy,
      fingerprint: undefined,
    });
  }

  raise(instanceId: string, name: string, input?: string): Promise<undefined> {
    return this.hub.instances.raiseEvent(
      { instanceId, name, input, ignoreFinished: true },
      noReply,
    );
  }

  suspend(instanceId: string, reason?: string): Promise<void> {
    return suspendCompatibly(this.hub.suspensions, instanceId, reason);
  }

  resume(instanceId: string, reason?: string): Promise<void> {
    return resumeCompatibly(this.hub.suspensions, instanceId, reason);
  }

  terminate(instanceId: string, output?: string, recurse = false): Promise<undefined> {
    const command = { instanceId, output, recurse, ignoreFinished: true };
    return this.hub.instances.terminate(command, noReply);
  }

  purge(instanceId: string, recursive = false): Promise<number> {
    return this.hub.instances.purge(instanceId, recursive);
  }

  /** The status that a reader is shown; undefined when the instance does not exist. */
  async status(instanceId: string): Promise<string | undefined> {
    const shown = await this.hub.read(instanceId, shownStatus);
    return shown === undefined ? undefined : OrchestrationStatusSchema.value[shown]?.localName;
  }

  /** Waits for the end of an instance. */
  waitForEnd(instanceId: string, signal = new AbortController().signal): Promise<string> {
    return this.hub.wait(instanceId, isTerminal, (state) => state.executionId, signal);
  }

  async history(instanceId: string, forWorker = false): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    for await (const chunk of this.hub.history(instanceId, undefined, forWorker)) {
      events.push(...fromBinary(HistoryChunkSchema, chunk).events);
    }
    return events;
  }

  /** The live state as plain data. */
  live(instanceId: string): Promise<unknown> {
    return this.hub.read(instanceId, dataOf);
  }

  /** The instance as its log tells it. */
  async stored(instanceId: string): Promise<StoredInstance | undefined> {
    const { number } = this.hub;
    return number === undefined ? undefined : storedInstance(this.store, number, instanceId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bytes.release();
    this.bytes.releaseReads();
    if (this.#hubs !== undefined) {
      await this.#hubs.drain(AbortSignal.abort());
      await this.settled();
      await this.store[Symbol.asyncDispose]();
    }
    await this.#disk[Symbol.asyncDispose]();
  }
}

/**
 * Turns of the event loop in which nothing happens: more than the longest pause within one piece of
 * work.
 */
const quietTurns = 4;

function nextTurnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
