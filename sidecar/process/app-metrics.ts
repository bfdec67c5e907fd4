/** Everything that a running sidecar shows on /metrics. */
import { type SteadyClock, systemSteadyClock } from "../foundation/clock.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CallFigures } from "../rpc/observed.ts";
import type { WireBudgets } from "../rpc/request-budget.ts";
import type { Oversight } from "../scheduler/oversight.ts";
import type { StatusMetrics } from "../scheduler/status-metrics.ts";
import type { TaskHubs } from "../scheduler/task-hubs.ts";
import type { Store } from "../store/store.ts";
import { registerHoldMetrics, registerStatusMetrics } from "./hub-metrics.ts";
import { type ProcessState, registerLoopMetrics } from "./loop-metrics.ts";
import { createMetrics, type Metrics, type Registry } from "./metrics.ts";
import { registerHubMetrics, registerOversightMetrics } from "./now-metrics.ts";
import { registerRpcMetrics } from "./rpc-metrics.ts";
import { registerStoreMetrics, type StoreFigures } from "./store-metrics.ts";
import { registerBudgets, registerFigures } from "./work-metrics.ts";

export interface AppFigures extends ProcessState {
  readonly hubs: TaskHubs;
  readonly statusMetrics: StatusMetrics;
  readonly store: Store;
  readonly storeFigures: StoreFigures;
  readonly oversight: Oversight;
  readonly calls: CallFigures;
  readonly budgets: WireBudgets;
  /** The one that leases are measured by. */
  readonly steadyClock?: SteadyClock;
}

/** The metrics of one process, with all that there is to show. */
export function appMetrics(figures: AppFigures): Metrics {
  const { hubs, store, steadyClock = systemSteadyClock } = figures;
  const metrics = createMetrics();
  const register: Registry = metrics.registry;
  registerHoldMetrics(register, hubs, steadyClock);
  registerStatusMetrics(register, figures.statusMetrics);
  registerFigures(register, hubs.figures);
  registerBudgets(register, hubs, figures.budgets, {
    bytes: () => store.pendingBytes,
    max: LIMITS.pendingBytesMax,
  });
  registerHubMetrics(register, hubs, steadyClock);
  registerOversightMetrics(register, figures.oversight);
  registerStoreMetrics(register, figures.storeFigures, store);
  registerRpcMetrics(register, figures.calls);
  registerLoopMetrics(register, figures);
  return metrics;
}
