/** The store of an app, and those who watch over it. */
import { type SteadyClock, systemSteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { Log } from "../foundation/log.ts";
import { openLevelStore } from "../store/level/store.ts";
import { createMemoryStore } from "../store/memory/store.ts";
import type { StoreMonitor } from "../store/monitor.ts";
import type { Store } from "../store/store.ts";
import type { StoreConfig } from "./config.ts";
import { type Readiness, StoreReadiness } from "./readiness.ts";
import { StoreFigures } from "./store-metrics.ts";
import { PROGRAM } from "./version.ts";

export interface AppStoreOptions {
  readonly readiness: Readiness;
  readonly log: Log;
  /** Default: opens the store that the configuration names. */
  readonly openStore?: ((monitor: StoreMonitor) => Promise<Store>) | undefined;
  /** Tells how long the store has been away. */
  readonly steadyClock?: SteadyClock | undefined;
  /** The store has failed, and cannot be trusted any more. */
  readonly failed: (error: HubError) => void;
}

/** Whoever has it disposes it. */
export interface AppStore extends AsyncDisposable {
  readonly store: Store;
  readonly storeFigures: StoreFigures;
}

/** @throws HubError "store-in-use", "store-refused", "store-distrusted" */
export async function openAppStore(
  config: StoreConfig,
  options: AppStoreOptions,
): Promise<AppStore> {
  const { readiness, log, steadyClock: clock = systemSteadyClock } = options;
  const { openStore = (monitor) => openConfigured(config, log, monitor) } = options;
  const storeFigures = new StoreFigures();
  const watch = new StoreReadiness({ monitor: storeFigures, readiness, clock, log });
  const store = await openStore(watch);
  void store.failed.then((cause) => {
    watch.failed();
    const message = `the store has failed and cannot be trusted any more: ${cause.message}`;
    options.failed(new HubError("store-distrusted", message, { cause }));
  });
  return {
    store,
    storeFigures,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      watch[Symbol.dispose]();
    },
  };
}

async function openConfigured(
  config: StoreConfig,
  log: Log,
  monitor: StoreMonitor,
): Promise<Store> {
  switch (config.kind) {
    case "level": {
      const { kind: _, ...where } = config;
      return await openLevelStore({ ...where, createdBy: PROGRAM, log, monitor });
    }
    case "memory":
      return createMemoryStore({ monitor });
  }
}
