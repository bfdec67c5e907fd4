/** Metrics of what there is now in each task hub: leases, queues, streams, and who waits. */
import type { SteadyClock } from "../foundation/clock.ts";
import type { Oversight } from "../scheduler/oversight.ts";
import type { Scanner } from "../scheduler/scanner.ts";
import type { TaskHub } from "../scheduler/task-hub.ts";
import type { TaskHubs } from "../scheduler/task-hubs.ts";
import { type Described, type Registry, type Sample, showCounter, showGauge } from "./metrics.ts";

const KINDS = ["turn", "activity", "batch"] as const;

/** Registers what the hubs have now. There are at most 256 of them. */
export function registerHubMetrics(
  registry: Registry,
  hubs: Pick<TaskHubs, "all">,
  clock: Pick<SteadyClock, "nowMs">,
): void {
  const perHub = (described: Described, read: (hub: TaskHub) => readonly Sample[]) =>
    showGauge(registry, { ...described, labels: ["task_hub", ...(described.labels ?? [])] }, () =>
      hubs.all().flatMap((hub) =>
        read(hub).map(({ labels, value }) => ({
          labels: { task_hub: hub.name, ...labels },
          value,
        })),
      ),
    );
  perHub(
    { name: "taskhub_leases", help: "Work items that workers have.", labels: ["kind"] },
    (hub) => {
      const counts = { turn: 0, activity: 0, batch: 0 };
      for (const { kind } of hub.scanned.leases()) counts[kind] += 1;
      return KINDS.map((kind) => ({ labels: { kind }, value: counts[kind] }));
    },
  );
  perHub(
    {
      name: "taskhub_lease_oldest_seconds",
      help: "How long a worker has had the work item that was handed out first.",
      labels: ["kind"],
    },
    (hub) =>
      KINDS.map((kind) => {
        // They stand in the order in which they were granted.
        const oldest = [...hub.scanned.leases()].find((lease) => lease.kind === kind);
        const ageMs = oldest === undefined ? 0 : clock.nowMs() - oldest.grantedAtMs;
        return { labels: { kind }, value: ageMs / 1_000 };
      }),
  );
  perHub(
    {
      name: "taskhub_ready_work_items",
      help: "Work items that wait for a worker.",
      labels: ["kind"],
    },
    (hub) => {
      const counts = { turn: 0, activity: 0, batch: 0 };
      for (const { kind, count } of hub.scanned.readyNames()) counts[kind] += count;
      return KINDS.map((kind) => ({ labels: { kind }, value: counts[kind] }));
    },
  );
  const gauge = (name: string, help: string, value: (hub: TaskHub) => number) =>
    perHub({ name, help }, (hub) => [{ value: value(hub) }]);
  gauge(
    "taskhub_worker_streams",
    "Worker streams that are open.",
    (hub) => hub.scanned.streams().length,
  );
  gauge(
    "taskhub_postponed_instances",
    "Ready instances that wait outside memory until workers have room.",
    (hub) => hub.scanned.postponed,
  );
  gauge("taskhub_waiters", "Calls that wait for an instance.", (hub) => hub.scanned.waiters);
  gauge(
    "taskhub_retention_overdue_seconds",
    "How long ago the oldest instance was due that retention has not purged yet.",
    (hub) => hub.retention.overdueSeconds,
  );
  gauge("taskhub_watches", "Watches that are open.", (hub) => hub.watches.count);
}

/** Registers what those who watch over the hubs have seen. */
export function registerOversightMetrics(
  registry: Registry,
  { scanner, unaccepted }: Oversight,
): void {
  const labels = ["task_hub", "kind", "name"] as const;
  const waiting = (name: string, help: string, value: "items" | "seconds") =>
    showGauge(registry, { name, help, labels }, () =>
      unaccepted.figures().map((found) => ({
        labels: { task_hub: found.taskHub, kind: found.kind, name: found.name },
        value: found[value],
      })),
    );
  waiting(
    "taskhub_unaccepted_work_items",
    "Work items that wait and that no connected worker accepts.",
    "items",
  );
  waiting(
    "taskhub_unaccepted_oldest_seconds",
    "How long work of this name has waited without a worker that accepts it.",
    "seconds",
  );
  registerScans(registry, scanner);
}

function registerScans(registry: Registry, scanner: Scanner): void {
  showCounter(
    registry,
    {
      name: "taskhub_scans_total",
      help: "Passes of the scanner that looks for stranded instances.",
    },
    () => [{ value: scanner.passes }],
  );
  const progress = () => [...scanner.progress];
  showGauge(
    registry,
    {
      name: "taskhub_no_progress_instances",
      help: "Instances whose work connected workers accept, and that have not moved for 5 minutes.",
      labels: ["task_hub"],
    },
    () =>
      progress().map(([hub, { notProgressing }]) => ({
        labels: { task_hub: hub },
        value: notProgressing,
      })),
  );
  showGauge(
    registry,
    {
      name: "taskhub_no_progress_oldest_seconds",
      help: "How long the one of these has not moved that has waited longest.",
      labels: ["task_hub"],
    },
    () =>
      progress().map(([hub, { notProgressingOldestSeconds }]) => ({
        labels: { task_hub: hub },
        value: notProgressingOldestSeconds,
      })),
  );
  showGauge(
    registry,
    {
      name: "taskhub_waiting_for_events_instances",
      help: "Instances in memory that have waited only for external events for at most so many seconds; cumulative.",
      labels: ["task_hub", "le"],
    },
    () => progress().flatMap(([hub, { waitingForEvents }]) => cumulative(hub, waitingForEvents)),
  );
}

function cumulative(
  taskHub: string,
  tally: { readonly bounds: readonly number[]; readonly counts: readonly number[] },
): readonly Sample[] {
  let value = 0;
  return tally.counts.map((count, bucket) => {
    value += count;
    const le = String(tally.bounds[bucket] ?? "+Inf");
    return { labels: { task_hub: taskHub, le }, value };
  });
}
