/**
 * The sidecar in one process: store, task hubs and server, opened in this order and closed in the
 * other.
 */
import { AssertionFailed } from "../foundation/assert.ts";
import { type SteadyClock, systemHubClock, systemSteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { randomIds } from "../foundation/ids.ts";
import type { Log } from "../foundation/log.ts";
import { compatibleService } from "../rpc/compat/service.ts";
import { boundWaits } from "../rpc/connection-seats.ts";
import type { InternalErrorReporter } from "../rpc/error-mapping.ts";
import { type GrpcServer, startGrpcServer } from "../rpc/grpc-server.ts";
import { HealthStatuses, healthService } from "../rpc/health.ts";
import type { ListenAddress } from "../rpc/listeners.ts";
import { type MethodFigures, observed } from "../rpc/observed.ts";
import { reflectionServices } from "../rpc/reflection.ts";
import { wireBudgets } from "../rpc/request-budget.ts";
import { adminService } from "../rpc/v1/admin-service.ts";
import { clientService } from "../rpc/v1/service.ts";
import { defaultTimes } from "../scheduler/options.ts";
import { Oversight } from "../scheduler/oversight.ts";
import { StatusMetrics } from "../scheduler/status-metrics.ts";
import { TaskHubs } from "../scheduler/task-hubs.ts";
import type { StoreMonitor } from "../store/monitor.ts";
import type { Store } from "../store/store.ts";
import { TaskHubSidecarService } from "../wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../wire/gen/taskhub/v1/client_service_pb.ts";
import { type ListenTarget, showAddress, showListenTarget } from "./addresses.ts";
import { appMetrics } from "./app-metrics.ts";
import { openAppStore } from "./app-store.ts";
import type { ServeConfig } from "./config.ts";
import { listenError } from "./exit-codes.ts";
import { LIVENESS, READINESS } from "./health-names.ts";
import { memoryBudgets } from "./memory.ts";
import { lateness, Readiness } from "./readiness.ts";
import { remarksOn } from "./store-metrics.ts";
import { VERSION } from "./version.ts";
import { LoopWatch } from "./watchdog.ts";

const aliveServices = ["", LIVENESS];
const readyServices = [READINESS, TaskHubSidecarService.typeName, ClientService.typeName];

/**
 * How long `drain` waits for whom. Together below 30 s, after which orchestrators kill what they
 * asked to stop.
 */
const drainTimes = {
  /** Workers that have work. */
  workersMs: 25_000,
  /** Calls that are being answered. */
  callsMs: 1_000,
} as const;

const disposeTimes = { workersMs: 0, callsMs: 0 } as const;

/** What an app needs besides its configuration. */
export interface AppOptions {
  readonly log: Log;
  /** Default: opens the store that the configuration names. */
  readonly openStore?: (monitor: StoreMonitor) => Promise<Store>;
  /** Tells how long the store has been away. */
  readonly steadyClock?: SteadyClock;
}

/**
 * A sidecar that serves. Whoever has it closes it once, by `drain` or by disposing it; what comes
 * second waits for the first.
 */
export interface App extends AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly addresses: readonly ListenAddress[];
  /**
   * Resolves when the process must end at once, without closing anything: the store cannot be
   * trusted any more, or an assertion failed. Never rejects.
   */
  readonly failed: Promise<Error>;
  /**
   * Takes the answers of workers to the end, then ends all calls with UNAVAILABLE and closes the
   * store.
   */
  drain(): Promise<void>;
  /** As `drain`, but waits for nobody. What was acknowledged stays. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Resolves when it accepts calls. It is ready, as its health service says, once what was under way
 * when the last process ended goes on.
 *
 * @throws HubError "store-in-use", "store-refused", "store-distrusted"; ExitError when it cannot
 * listen. Nothing stays open then.
 */
export async function startApp(config: ServeConfig, options: AppOptions): Promise<App> {
  const { log } = options;
  await using opened = new AsyncDisposableStack();
  const failure = Promise.withResolvers<Error>();
  const health = new HealthStatuses();
  for (const service of aliveServices) health.set(service, "SERVING");
  const readiness = new Readiness(health, readyServices);
  const appStore = opened.use(
    await openAppStore(config.store, { ...options, readiness, failed: failure.resolve }),
  );
  const { store, storeFigures } = appStore;
  const statusMetrics = new StatusMetrics(log);
  const hubs = await TaskHubs.open({
    store,
    hubClock: systemHubClock,
    steadyClock: systemSteadyClock,
    ids: randomIds,
    times: defaultTimes,
    suspended: config.suspended,
    earlyTurns: config.earlyTurns,
    entityBatches: config.entityBatches,
    log,
    ...memoryBudgets(),
    holdAgeLimits: config.suspension,
    deliveryLimits: config.deliveries,
    bufferLimits: {
      eventsMax: config.buffered.eventsMax,
      bytesMax: config.buffered.eventBytesMax,
    },
    statusPolicy: {
      bytesMax: config.customStatus.maxBytes,
      overflow: config.customStatus.overflow,
      revisionsMax: config.customStatus.revisions,
      revisionBytesMax: config.customStatus.revisionBytes,
    },
    statusMetrics,
    retention: config.retention,
  });
  const loop = opened.use(new LoopWatch(lateness(readiness, log)));
  const clocks = { hubClock: systemHubClock, clock: systemSteadyClock };
  const oversight = new Oversight({ hubs, store, ...clocks, log });
  const calls = new Map<string, MethodFigures>();
  const budgets = wireBudgets();
  const now = { loop, readiness, budgets };
  const figures = { hubs, statusMetrics, store, storeFigures, oversight, calls, ...now };
  const services = boundWaits([
    compatibleService(hubs, randomIds),
    clientService(hubs, { version: VERSION, steadyClock: systemSteadyClock }),
    adminService(hubs),
    healthService(health),
  ]);
  const server = opened.use(
    startGrpcServer({
      services: [...services, ...reflectionServices(services)].map((service) =>
        observed(service, calls, systemSteadyClock),
      ),
      onInternalError: internalErrorReporter(log, failure.resolve),
      onConnectionClosed: (connection) => hubs.connectionClosed(connection),
      budgets,
      pages: {
        isReady: () => readiness.isReady,
        remarks: () => [...readiness.against, ...remarksOn(store.space)],
        metrics: appMetrics(figures).page,
      },
    }),
  );
  const addresses: ListenAddress[] = [];
  for (const target of config.listen) addresses.push(...(await listen(server, target, log)));
  log.info("sidecar.started", {
    version: VERSION,
    pid: process.pid,
    store: config.store,
    addresses: addresses.map(showAddress),
  });
  opened.move();
  return new RunningApp({
    addresses,
    failure,
    hubs,
    log,
    loop,
    oversight,
    readiness,
    server,
    appStore,
  });
}

/**
 * What callers see only as "internal error" is logged. A failed assertion, or stored data that
 * cannot be trusted, is a reason to end the process.
 */
export function internalErrorReporter(
  log: Log,
  fail: (error: Error) => void,
): InternalErrorReporter {
  return (error, correlationId, method) => {
    log.error("call.failed", { correlationId, method, error });
    if (error instanceof AssertionFailed) fail(error);
    if (error instanceof HubError && error.code === "store-distrusted") fail(error);
  };
}

interface AppParts {
  readonly addresses: readonly ListenAddress[];
  readonly failure: PromiseWithResolvers<Error>;
  readonly hubs: TaskHubs;
  readonly log: Log;
  readonly loop: LoopWatch;
  readonly oversight: Oversight;
  readonly readiness: Readiness;
  readonly server: GrpcServer;
  readonly appStore: AsyncDisposable;
}

class RunningApp implements App {
  readonly addresses: readonly ListenAddress[];
  readonly failed: Promise<Error>;
  readonly #parts: AppParts;
  readonly #recovery: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(parts: AppParts) {
    this.addresses = parts.addresses;
    this.failed = parts.failure.promise;
    this.#parts = parts;
    this.#recovery = this.#recover();
  }

  drain(): Promise<void> {
    this.#closed ??= this.#close(drainTimes);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close(disposeTimes);
    return this.#closed;
  }

  /** Never rejects. */
  async #recover(): Promise<void> {
    const { failure, hubs, log } = this.#parts;
    const beganAtMs = systemSteadyClock.nowMs();
    try {
      const instances = await hubs.recover();
      if (this.#closed !== undefined) return;
      this.#parts.readiness.set("recovering", false);
      this.#parts.oversight.start();
      const durationMs = Math.round(systemSteadyClock.nowMs() - beganAtMs);
      log.info("sidecar.ready", { instances, durationMs });
    } catch (error) {
      failure.resolve(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #close({ workersMs, callsMs }: { workersMs: number; callsMs: number }): Promise<void> {
    const { hubs, loop, oversight, readiness, server, appStore } = this.#parts;
    readiness.set("stopping", true);
    await oversight.close();
    await hubs.drain(workersMs === 0 ? AbortSignal.abort() : AbortSignal.timeout(workersMs));
    await this.#recovery;
    await server.stop({ graceMs: callsMs });
    await appStore[Symbol.asyncDispose]();
    loop[Symbol.dispose]();
  }
}

async function listen(
  server: GrpcServer,
  target: ListenTarget,
  log: Log,
): Promise<readonly ListenAddress[]> {
  try {
    if (target.kind === "address") return [await server.listen(target.host, target.port)];
    const { addresses, ipv6Unavailable } = await server.listenLoopback(target.port);
    if (ipv6Unavailable !== undefined) log.warn("listen.ipv4_only", { reason: ipv6Unavailable });
    return addresses;
  } catch (error) {
    throw listenError(showListenTarget(target), error);
  }
}
