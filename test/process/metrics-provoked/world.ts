/**
 * A sidecar without sockets, on clocks that stand still, and the page that its /metrics would show. What a
 * test has provoked is the difference to the page of a sidecar that has just started.
 */
import { type Client, createClient } from "@connectrpc/connect";
import { type AppFigures, appMetrics } from "../../../sidecar/process/app-metrics.ts";
import { READINESS } from "../../../sidecar/process/health-names.ts";
import { lateness, Readiness, StoreReadiness } from "../../../sidecar/process/readiness.ts";
import { StoreFigures } from "../../../sidecar/process/store-metrics.ts";
import { LoopWatch } from "../../../sidecar/process/watchdog.ts";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { HealthStatuses } from "../../../sidecar/rpc/health.ts";
import { type MethodFigures, observed } from "../../../sidecar/rpc/observed.ts";
import { type WireBudgets, wireBudgets } from "../../../sidecar/rpc/request-budget.ts";
import { clientService } from "../../../sidecar/rpc/v1/service.ts";
import { Figures, type HistorySize } from "../../../sidecar/scheduler/figures.ts";
import { Oversight } from "../../../sidecar/scheduler/oversight.ts";
import { StatusMetrics } from "../../../sidecar/scheduler/status-metrics.ts";
import type { TaskHubsOptions } from "../../../sidecar/scheduler/task-hubs-options.ts";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { SwitchedBytes } from "../../scheduler/kit/switched-bytes.ts";
import type { MountedDisk } from "../../scheduler/kit/test-disk.ts";
import { countedIds, FakeSteadyClock } from "../../support/fake-clock.ts";
import { FaultyStore } from "../../support/faulty-store.ts";
import { inMemoryTransport } from "../../support/in-memory-transport.ts";
import { keptLog } from "../../support/log-lines.ts";
import { MINUTE, openHub, type TestHub } from "../../support/scheduler-harness.ts";

/** Something that happens, and what the page says of it. */
export interface Provocation {
  /** A fact. */
  readonly name: string;
  readonly started?: Partial<TaskHubsOptions>;
  /** Above it a history is long. */
  readonly advised?: HistorySize;
  readonly provoke: (world: MetricsWorld) => Promise<void>;
}

export type Page = ReadonlyMap<string, number>;

/** Samples of a page of ours by name and labels. */
export function samplesOf(text: string): Page {
  const samples = text.split("\n").filter((line) => line.startsWith("taskhub_"));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

function namesWithoutSample(text: string): readonly string[] {
  const blocks = text.split(/(?=^# HELP )/m).filter((block) => block.startsWith("# HELP taskhub_"));
  return blocks
    .filter((block) => !/^taskhub_/m.test(block))
    .map((block) => block.split(" ")[2] ?? "");
}

export class MetricsWorld implements AsyncDisposable {
  readonly hub: TestHub;
  readonly disk: FaultyStore;
  /** Of the store, and of who waits for it. */
  readonly storeClock: FakeSteadyClock;
  readonly readiness: Readiness;
  readonly lines: ReturnType<typeof keptLog>["lines"];
  /** Samples that have ever differed from those of the first page. */
  readonly seen = new Set<string>();
  readonly compatible: Client<typeof TaskHubSidecarService>;
  readonly v1: Client<typeof ClientService>;
  readonly budgets: WireBudgets = wireBudgets();
  oversight: Oversight;
  readonly #figures: Omit<AppFigures, "hubs" | "store" | "oversight">;
  readonly #log: ReturnType<typeof keptLog>["log"];
  readonly #loop: LoopWatch;
  #first: Page = new Map();
  /** Names without a sample on the first page. */
  #without: readonly string[] = [];

  static async open(options: Pick<Provocation, "started" | "advised"> = {}): Promise<MetricsWorld> {
    const { started, advised } = options;
    const disk = new FaultyStore();
    const storeClock = new FakeSteadyClock();
    const kept = keptLog();
    const { log } = kept;
    const statusMetrics = new StatusMetrics(log);
    const readiness = new Readiness(new HealthStatuses(), [READINESS]);
    const storeFigures = new StoreFigures();
    const watch = new StoreReadiness({ monitor: storeFigures, readiness, clock: storeClock, log });
    const hub = await openHub({
      disk: {
        mount: () => mounted(disk, watch, storeClock),
        [Symbol.asyncDispose]: async () => {},
      },
      started: { log, statusMetrics, figures: new Figures(log, advised), ...started },
    });
    const world = new MetricsWorld({
      hub,
      disk,
      storeClock,
      readiness,
      kept,
      storeFigures,
      statusMetrics,
    });
    // One that somebody has asked for is shown with all its figures.
    void hub.hub;
    await world.page();
    return world;
  }

  constructor(parts: WorldParts) {
    const { hub, readiness, statusMetrics, storeFigures } = parts;
    this.hub = hub;
    this.disk = parts.disk;
    this.storeClock = parts.storeClock;
    this.readiness = readiness;
    this.lines = parts.kept.lines;
    this.#log = parts.kept.log;
    this.#loop = new LoopWatch(lateness(readiness, this.#log));
    const calls = new Map<string, MethodFigures>();
    this.#figures = {
      statusMetrics,
      storeFigures,
      calls,
      readiness,
      loop: this.#loop,
      budgets: this.budgets,
      steadyClock: hub.steady,
    };
    this.oversight = this.#oversee();
    const mounts = [
      compatibleService(hub.hubs, countedIds("c")),
      clientService(hub.hubs, { version: "1.2.3", steadyClock: hub.steady }),
    ];
    const transport = inMemoryTransport(mounts.map((mount) => observed(mount, calls, hub.steady)));
    this.compatible = createClient(TaskHubSidecarService, transport);
    this.v1 = createClient(ClientService, transport);
  }

  /** The process is gone without a word, and another one has begun, which has recovered nothing. */
  async crash(): Promise<void> {
    await this.hub.crash({ recovers: false });
    this.oversight = this.#oversee();
  }

  /** One pass of the scanner, with the second look that it takes. */
  async scan(): Promise<void> {
    const pass = this.oversight.scanner.scan();
    await this.hub.settled();
    this.hub.steady.advance(1_000);
    await pass;
    await this.hub.settled();
  }

  /**
   * What some provocation has to move: the samples of the first page but for buckets, and the names of
   * which it has no sample.
   */
  wanted(): readonly string[] {
    const isBucket = (sample: string) => /[{,]le="/.test(sample) && !sample.includes('le="+Inf"');
    return [...this.#first.keys(), ...this.#without].filter((sample) => !isBucket(sample));
  }

  /** What /metrics shows now. */
  async page(): Promise<Page> {
    await this.hub.settled();
    const { hubs, store } = this.hub;
    const { page } = appMetrics({ ...this.#figures, hubs, store, oversight: this.oversight });
    const reading = page.text();
    if (this.disk.isAway) {
      await this.hub.settled();
      this.hub.steady.advance(1_000);
    }
    const text = await reading;
    const samples = samplesOf(text);
    if (this.#first.size === 0) {
      this.#first = samples;
      this.#without = namesWithoutSample(text);
    }
    for (const [sample, value] of samples) {
      const first = this.#first.get(sample);
      if (first === undefined ? value !== 0 : first !== value) this.seen.add(sample);
    }
    return samples;
  }

  /** Samples whose names match, without `taskhub_`, and that are not what they were at the start. */
  async changed(names: RegExp): Promise<Record<string, number>> {
    const page = await this.page();
    const changed: Record<string, number> = {};
    for (const [sample, value] of page) {
      const [, name = ""] = /^taskhub_(\w+)/.exec(sample) ?? [];
      if (!names.test(name) || value === (this.#first.get(sample) ?? 0)) continue;
      changed[sample.slice("taskhub_".length).replace('task_hub="default",', "")] = value;
    }
    return changed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disk.fate = "lands";
    this.disk.opening.resolve();
    this.#loop[Symbol.dispose]();
    const closing = this.oversight.close();
    await this.hub.settled();
    this.hub.steady.advance(MINUTE);
    await closing;
    await this.hub[Symbol.asyncDispose]();
  }

  #oversee(): Oversight {
    const { hubs, store, clock: hubClock, steady: clock } = this.hub;
    return new Oversight({ hubs, store, hubClock, clock, log: this.#log });
  }
}

interface WorldParts {
  readonly hub: TestHub;
  readonly disk: FaultyStore;
  readonly storeClock: FakeSteadyClock;
  readonly readiness: Readiness;
  readonly kept: ReturnType<typeof keptLog>;
  readonly storeFigures: StoreFigures;
  readonly statusMetrics: StatusMetrics;
}

async function mounted(
  disk: FaultyStore,
  watch: StoreReadiness,
  clock: FakeSteadyClock,
): Promise<MountedDisk> {
  let bytes: SwitchedBytes | undefined;
  const store = await disk.open(watch, clock, (inner) => {
    bytes = new SwitchedBytes(inner);
    return bytes;
  });
  const newest = () => {
    if (bytes === undefined) throw new Error("the store has no bytes");
    return bytes;
  };
  return {
    store,
    get bytes() {
      return newest();
    },
    kill: async () => newest().kill(),
  };
}
