/** Metrics of holds and of custom statuses, read when they are scraped. */
import { Counter, Gauge, type Registry } from "prom-client";
import { quarantineHold } from "../engine/delivery.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { LIMITS } from "../foundation/limits.ts";
import { HOLD_AGE_BUCKETS, type HoldFigures, holdFigures } from "../scheduler/hold-figures.ts";
import {
  STATUS_SIZE_BUCKETS,
  type StatusCounts,
  type StatusMetrics,
} from "../scheduler/status-metrics.ts";
import type { TaskHubs } from "../scheduler/task-hubs.ts";

/** Scrapes within so much time show the same figures: looking at all holds costs their number. */
const figuresAgeMs = 5_000;

/** So long a scrape waits for them. */
const readWaitMs = 1_000;

interface HubFigures {
  readonly taskHub: string;
  readonly byHold: ReadonlyMap<string, HoldFigures>;
}

/** Registers the metrics of holds. */
export function registerHoldMetrics(registry: Registry, hubs: TaskHubs, clock: SteadyClock): void {
  const read = cached(() => figuresOf(hubs), clock);
  const labels = ["task_hub", "hold"] as const;
  const gauge = (name: string, help: string, value: (figures: HoldFigures) => number) =>
    new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [registry],
      async collect() {
        this.reset();
        for (const { taskHub, byHold } of await read()) {
          for (const [hold, figures] of byHold)
            this.set({ task_hub: taskHub, hold }, value(figures));
        }
      },
    });
  gauge(
    "taskhub_held_instances",
    "Instances held, by name of the hold; for trees and windows those whose work is held back.",
    ({ instances }) => instances,
  );
  gauge(
    "taskhub_hold_oldest_seconds",
    "Age of the oldest hold of a name.",
    ({ oldestSeconds }) => oldestSeconds,
  );
  gauge(
    "taskhub_holds_overdue",
    "Holds whose expiry has passed and that stay.",
    ({ overdue }) => overdue,
  );
  gauge(
    "taskhub_held_buffered_events",
    "External events that wait in held instances.",
    ({ bufferedEvents }) => bufferedEvents,
  );
  new Gauge({
    name: "taskhub_quarantined_instances",
    help: "Instances that the sidecar has taken out because their work makes workers fail.",
    labelNames: ["task_hub"],
    registers: [registry],
    async collect() {
      const all = await read();
      this.reset();
      for (const { taskHub, byHold } of all) {
        this.set({ task_hub: taskHub }, byHold.get(quarantineHold)?.instances ?? 0);
      }
    },
  });
  new Gauge({
    name: "taskhub_held_instances_by_age",
    help: "Instances held for at most so many seconds, by name of the hold; cumulative.",
    labelNames: [...labels, "le"],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { taskHub, byHold } of await read()) {
        for (const [hold, { ages }] of byHold) {
          let instances = 0;
          for (const [bucket, count] of ages.entries()) {
            instances += count;
            const le = HOLD_AGE_BUCKETS[bucket] ?? "+Inf";
            this.set({ task_hub: taskHub, hold, le }, instances);
          }
        }
      }
    },
  });
}

/** Registers the metrics of custom statuses. */
export function registerStatusMetrics(registry: Registry, metrics: StatusMetrics): void {
  const labelNames = ["name"];
  const counter = (name: string, help: string, value: (counts: StatusCounts) => number) =>
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [orchestration, counts] of metrics.snapshot()) {
          this.inc({ name: orchestration }, value(counts));
        }
      },
    });
  counter("taskhub_custom_status_updates_total", "Changes.", ({ updates }) => updates);
  counter("taskhub_custom_status_bytes_total", "Bytes of all changes.", ({ bytes }) => bytes);
  counter(
    "taskhub_custom_status_overflows_total",
    "Updates that were dropped because they were too large.",
    ({ overflows }) => overflows,
  );
  counter(
    "taskhub_custom_status_violations_total",
    "Changes that do not follow their schema and were accepted.",
    ({ violations }) => violations,
  );
  counter(
    "taskhub_custom_status_rejected_total",
    "Instances that failed because their custom status does not follow its schema.",
    ({ rejected }) => rejected,
  );
  new Gauge({
    name: "taskhub_custom_status_updates_by_size",
    help: "Changes of at most so many bytes; cumulative.",
    labelNames: [...labelNames, "le"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [orchestration, { sizes }] of metrics.snapshot()) {
        let changes = 0;
        for (const [bucket, count] of sizes.entries()) {
          changes += count;
          this.set({ name: orchestration, le: STATUS_SIZE_BUCKETS[bucket] ?? "+Inf" }, changes);
        }
      }
    },
  });
  new Gauge({
    name: "taskhub_custom_status_advised_updates_per_second",
    help: "Changes of one instance that readers can follow; more are warned of in the log.",
    registers: [registry],
  }).set(LIMITS.customStatusAdvisedPerSecond);
}

async function figuresOf(hubs: TaskHubs): Promise<readonly HubFigures[]> {
  const all: HubFigures[] = [];
  for (const hub of hubs.all()) {
    const byHold = await holdFigures({
      number: hub.number,
      store: hub.indexes,
      hubHolds: hub.hubHolds,
      now: hub.now(),
      heldBack: () => hub.stillnesses.heldBack(),
    });
    all.push({ taskHub: hub.name, byHold });
  }
  return all;
}

/**
 * What was read last, unless that is too long ago. Reading waits while the store is being opened again:
 * a page that waited for it could not say so, and shows what it knew.
 */
function cached<T>(
  read: () => Promise<readonly T[]>,
  clock: SteadyClock,
): () => Promise<readonly T[]> {
  let last: readonly T[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<readonly T[]> | undefined;
  const readAgain = async () => {
    try {
      last = await read();
      readAtMs = clock.nowMs();
      return last;
    } finally {
      reading = undefined;
    }
  };
  return async () => {
    if (clock.nowMs() - readAtMs <= figuresAgeMs) return last;
    reading ??= readAgain();
    const { promise: late, resolve } = Promise.withResolvers<readonly T[]>();
    const alarm = clock.after(readWaitMs, () => resolve(last));
    try {
      return await Promise.race([reading, late]);
    } finally {
      alarm.cancel();
    }
  };
}
