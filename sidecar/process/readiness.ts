/** Whether the sidecar should get calls: it should, unless something speaks against it. */
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import type { Log } from "../foundation/log.ts";
import type { HealthStatuses } from "../rpc/health.ts";
import type { Flush, Reopened, StoreMonitor } from "../store/monitor.ts";
import type { LoopWatchOptions } from "./watchdog.ts";

export const NOT_READY = ["recovering", "stopping", "late", "store"] as const;

/**
 * "recovering": what was going on when the last process ended is not yet going on. "late": the event
 * loop is too late. "store": it has not come back behind a write error.
 */
export type NotReady = (typeof NOT_READY)[number];

export class Readiness {
  readonly #health: HealthStatuses;
  readonly #services: readonly string[];
  readonly #against = new Set<NotReady>(["recovering"]);

  /** @param services of the health service, which say it */
  constructor(health: HealthStatuses, services: readonly string[]) {
    this.#health = health;
    this.#services = services;
    this.#show();
  }

  get isReady(): boolean {
    return this.#against.size === 0;
  }

  /** What speaks against it now. */
  get against(): ReadonlySet<NotReady> {
    return this.#against;
  }

  set(reason: NotReady, speaksAgainst: boolean): void {
    const before = this.isReady;
    if (speaksAgainst) this.#against.add(reason);
    else this.#against.delete(reason);
    if (this.isReady !== before) this.#show();
  }

  #show(): void {
    const status = this.isReady ? "SERVING" : "NOT_SERVING";
    for (const service of this.#services) this.#health.set(service, status);
  }
}

/** A late event loop speaks against new calls. */
export function lateness(readiness: Readiness, log: Log): LoopWatchOptions {
  return {
    turned: (isLate, { p50, p99, max }) => {
      readiness.set("late", isLate);
      if (isLate) log.warn("event_loop.late", { p50, p99, max });
      else log.info("event_loop.in_time", { p50, p99, max });
    },
  };
}

/** Reopening takes a moment, which clients do not notice: only what lasts longer speaks against. */
const patienceMs = 3_000;

export interface StoreReadinessOptions {
  /** Who is told everything before. */
  readonly monitor: StoreMonitor;
  readonly readiness: Pick<Readiness, "set">;
  readonly clock: SteadyClock;
  readonly log: Log;
}

/**
 * A store that has not written anything for some seconds behind a write error speaks against new
 * calls, until it writes again: that it could be opened says little while the disk is full.
 */
export class StoreReadiness implements StoreMonitor, Disposable {
  readonly #options: StoreReadinessOptions;
  /** When the first write failed behind which none has succeeded. */
  #failedAtMs: number | undefined;
  #alarm: Alarm | undefined;
  #isDown = false;

  constructor(options: StoreReadinessOptions) {
    this.#options = options;
  }

  flushed(flush: Flush): void {
    this.#options.monitor.flushed(flush);
    if (this.#failedAtMs !== undefined) this.#back(this.#failedAtMs);
  }

  writeFailed(cause: Error): void {
    const { monitor, clock, log } = this.#options;
    monitor.writeFailed(cause);
    log.error("store.write_failed", { error: cause });
    if (this.#failedAtMs !== undefined) return;
    this.#failedAtMs = clock.nowMs();
    this.#alarm = clock.after(patienceMs, () => this.#down());
  }

  reopened(outcome: Reopened): void {
    this.#options.monitor.reopened(outcome);
    this.#options.log.warn("store.reopened", { ...outcome });
  }

  /** The store has failed for good: the process is about to end, and says why. */
  failed(): void {
    this.#alarm?.cancel();
    this.#options.readiness.set("store", true);
  }

  [Symbol.dispose](): void {
    this.#alarm?.cancel();
  }

  #down(): void {
    this.#isDown = true;
    this.#options.readiness.set("store", true);
    this.#options.log.error("store.down");
  }

  #back(failedAtMs: number): void {
    const { readiness, clock, log } = this.#options;
    this.#alarm?.cancel();
    this.#failedAtMs = undefined;
    if (!this.#isDown) return;
    this.#isDown = false;
    readiness.set("store", false);
    log.info("store.up", { durationMs: Math.round(clock.nowMs() - failedAtMs) });
  }
}
