/** Whether the sidecar should get calls: it should, unless something speaks against it. */
import type { Log } from "../foundation/log.ts";
import type { HealthStatuses } from "../rpc/health.ts";
import type { LoopWatchOptions } from "./watchdog.ts";

export type NotReady =
  /** What was going on when the last process ended is not yet going on. */
  | "recovering"
  | "stopping"
  /** The event loop is too late. */
  | "late";

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
