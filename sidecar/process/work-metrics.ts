/** Metrics of instances and their work: what has happened, and what there is now. */
import { AGE_BOUNDS, SECONDS_BOUNDS } from "../foundation/tally.ts";
import type { WireBudgets } from "../rpc/request-budget.ts";
import type { Figures, WorkCounts, WorkKind } from "../scheduler/figures.ts";
import type { TaskHubs } from "../scheduler/task-hubs.ts";
import { type Cause, CauseSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Described,
  type Registry,
  type Sample,
  showCounter,
  showGauge,
  showHistogram,
} from "./metrics.ts";

const KINDS = ["turn", "activity", "batch"] as const;

/** Registers the counters of everything that has happened. */
export function registerFigures(registry: Registry, figures: Figures): void {
  registerInstances(registry, figures);
  registerDeliveries(registry, figures.work);
  registerFaults(registry, figures);
}

function registerInstances(registry: Registry, figures: Figures): void {
  const counter = (name: string, help: string, value: () => number) =>
    showCounter(registry, { name, help }, () => [{ value: value() }]);
  counter("taskhub_instances_started_total", "Lives begun, children too.", () => figures.started);
  byLabel(
    registry,
    {
      name: "taskhub_instances_finished_total",
      help: "Instances that have ended, by how.",
      labels: ["status"],
    },
    () => Object.entries(figures.ended),
  );
  counter(
    "taskhub_instances_removed_total",
    "Lives that were purged, without those of deleted hubs.",
    () => figures.purged,
  );
  byLabel(
    registry,
    {
      name: "taskhub_instances_purged_total",
      help: "Lives that were purged, by who has asked: a client, retention, or a lack of space.",
      labels: ["reason"],
    },
    () => Object.entries(figures.purgedBy),
  );
  counter(
    "taskhub_instances_continued_total",
    "Generations that continue-as-new has begun.",
    () => figures.continued,
  );
  counter(
    "taskhub_instances_rewound_total",
    "Instances that were rewound, children of rewound instances among them.",
    () => figures.rewound,
  );
  counter(
    "taskhub_long_histories_total",
    "Histories that have grown beyond 51,200 events or 50 MiB, once for each generation.",
    () => figures.longHistories,
  );
  counter(
    "taskhub_events_raised_total",
    "External events taken in, also from other instances.",
    () => figures.eventsRaised,
  );
  byLabel(
    registry,
    { name: "taskhub_log_entries_total", help: "Entries of instances.", labels: ["cause"] },
    () => Array.from(figures.entries, ([cause, count]) => [causeName(cause), count]),
  );
  showHistogram(
    registry,
    { name: "taskhub_timer_lateness_seconds", help: "How late timers fired; counts them too." },
    AGE_BOUNDS,
    () => [{ tally: figures.timerLateness }],
  );
  showHistogram(
    registry,
    {
      name: "taskhub_commit_seconds",
      help: "From the decision of a commit until it was durable, the wait for others included.",
    },
    SECONDS_BOUNDS,
    () => [{ tally: figures.commitSeconds }],
  );
}

function registerDeliveries(registry: Registry, work: WorkCounts): void {
  const byKind = (name: string, help: string, counts: Readonly<Record<WorkKind, number>>) =>
    byLabel(registry, { name, help, labels: ["kind"] }, () => Object.entries(counts));
  byKind("taskhub_work_items_handed_out_total", "Work items given to workers.", work.handedOut);
  byKind("taskhub_work_items_completed_total", "Work items answered by workers.", work.completed);
  byKind(
    "taskhub_lease_takeovers_total",
    "Work items handed out again after a delivery without an answer.",
    work.takenOver,
  );
  byKind(
    "taskhub_stale_completions_total",
    "Answers without a lease: repeated, late or foreign. They change nothing.",
    work.stale,
  );
  showCounter(
    registry,
    {
      name: "taskhub_redeliveries_total",
      help: "Deliveries that ended without an answer, by reason.",
      labels: ["kind", "reason"],
    },
    () =>
      KINDS.flatMap((kind) =>
        Object.entries(work.lost[kind]).map(([reason, value]) => ({
          labels: { kind, reason: reason.replaceAll("-", "_") },
          value,
        })),
      ),
  );
}

function registerFaults(registry: Registry, figures: Figures): void {
  byLabel(
    registry,
    {
      name: "taskhub_duplicates_dropped_total",
      help: "Starts, and requests with a key, that were recognised as repeated.",
      labels: ["what"],
    },
    () => Object.entries(figures.duplicates),
  );
  byLabel(
    registry,
    {
      name: "taskhub_stranded_instances_total",
      help: "Work that nothing would ever have woken. It goes on; more than 0 is a bug.",
      labels: ["work"],
    },
    () => Object.entries(figures.stranded),
  );
  byLabel(
    registry,
    {
      name: "taskhub_invariant_violations_total",
      help: "States that cannot be. The instance is quarantined; more than 0 is a bug.",
      labels: ["name"],
    },
    () => Object.entries(figures.violations),
  );
}

/** Registers what was refused, and what memory is used for. */
export function registerBudgets(
  registry: Registry,
  hubs: Pick<TaskHubs, "admission" | "exports" | "idleHeads" | "openHistories" | "readyBudget">,
  { requests, outbound }: WireBudgets,
  pending: { readonly bytes: () => number; readonly max: number },
): void {
  byLabel(
    registry,
    {
      name: "taskhub_shed_total",
      help: "Requests for more work that were refused, by what was short.",
      labels: ["reason"],
    },
    () => [...Object.entries(hubs.admission.shed), ["requests", requests.refused]],
  );
  showGauge(
    registry,
    {
      name: "taskhub_open_snapshots",
      help: "Snapshots of the store that are open. Each keeps deleted data on the disk.",
      labels: ["what"],
    },
    () => [
      { labels: { what: "export" }, value: hubs.exports.open },
      { labels: { what: "history" }, value: hubs.openHistories },
    ],
  );
  const budgets = [
    { budget: "idle_heads", used: () => hubs.idleHeads.bytes, max: hubs.idleHeads.bytesMax },
    {
      budget: "ready_instances",
      used: () => hubs.readyBudget.bytes,
      max: hubs.readyBudget.bytesMax,
    },
    { budget: "commit_queue", used: pending.bytes, max: pending.max },
    { budget: "requests", used: () => requests.bytes, max: requests.bytesMax },
    { budget: "outbound", used: () => outbound.bytes, max: outbound.bytesMax },
  ];
  showGauge(
    registry,
    {
      name: "taskhub_memory_budget_used_bytes",
      help: "Memory of a budget that is used, roughly.",
      labels: ["budget"],
    },
    () => budgets.map(({ budget, used }) => ({ labels: { budget }, value: used() })),
  );
  showGauge(
    registry,
    {
      name: "taskhub_memory_budget_limit_bytes",
      help: "What the budget may use.",
      labels: ["budget"],
    },
    () => budgets.map(({ budget, max }) => ({ labels: { budget }, value: max })),
  );
}

function byLabel(
  registry: Registry,
  described: Described & { readonly labels: readonly [string] },
  read: () => readonly (readonly [string, number])[],
): void {
  const [label] = described.labels;
  showCounter(registry, described, () =>
    read().map(([name, value]): Sample => ({ labels: { [label]: name }, value })),
  );
}

function causeName(cause: Cause): string {
  return (CauseSchema.value[cause]?.localName ?? "unspecified").toLowerCase();
}
