/** Metrics of the store: flushes, groups, write errors, reopening, space. */
import { COUNT_BOUNDS, SECONDS_BOUNDS, Tally } from "../foundation/tally.ts";
import type { Flush, Reopened, StoreMonitor } from "../store/monitor.ts";
import type { SpaceLevel } from "../store/space.ts";
import type { Store } from "../store/store.ts";
import { type Registry, showCounter, showGauge, showHistogram } from "./metrics.ts";

/** What a store has told since it was opened. */
export class StoreFigures implements StoreMonitor {
  /** Seconds from handing a group to the disk until it was durable. */
  readonly flushSeconds = new Tally(SECONDS_BOUNDS);
  readonly groupSize = new Tally(COUNT_BOUNDS);
  readonly reopenSeconds = new Tally(SECONDS_BOUNDS);
  writes = 0;
  bytes = 0;
  writeErrors = 0;
  /** Reopened, by whether the group whose write had failed was there all the same. */
  readonly reopenings = { landed: 0, missing: 0 };
  /** A write has failed, and the store is not open again. */
  isDown = false;

  flushed({ commits, writes, bytes, durationMs }: Flush): void {
    this.flushSeconds.add(durationMs / 1_000);
    this.groupSize.add(commits);
    this.writes += writes;
    this.bytes += bytes;
  }

  writeFailed(): void {
    this.writeErrors += 1;
    this.isDown = true;
  }

  reopened({ landed, durationMs }: Reopened): void {
    this.reopenings[landed ? "landed" : "missing"] += 1;
    this.reopenSeconds.add(durationMs / 1_000);
    this.isDown = false;
  }
}

const LEVELS: readonly SpaceLevel[] = ["ample", "low", "tight", "full"];

/** What an operator has to know of the space before anything is refused, and after. */
export function remarksOn({ level }: Store["space"]): readonly string[] {
  return level === "ample" ? [] : [`disk ${level}`];
}

/** Registers the metrics of a store. */
export function registerStoreMetrics(
  registry: Registry,
  figures: StoreFigures,
  store: Pick<Store, "space">,
): void {
  showHistogram(
    registry,
    {
      name: "taskhub_store_flush_seconds",
      help: "From handing a group of commits to the disk until it was durable: write and fsync.",
    },
    SECONDS_BOUNDS,
    () => [{ tally: figures.flushSeconds }],
  );
  showHistogram(
    registry,
    { name: "taskhub_store_commits_per_flush", help: "Commits that shared one fsync." },
    COUNT_BOUNDS,
    () => [{ tally: figures.groupSize }],
  );
  const counter = (name: string, help: string, value: () => number) =>
    showCounter(registry, { name, help }, () => [{ value: value() }]);
  counter("taskhub_store_writes_total", "Puts and deletions of all groups.", () => figures.writes);
  counter("taskhub_store_written_bytes_total", "Bytes of all groups.", () => figures.bytes);
  counter("taskhub_store_write_errors_total", "Writes that failed.", () => figures.writeErrors);
  showCounter(
    registry,
    {
      name: "taskhub_store_reopens_total",
      help: "Times that the store was reopened behind a write error, and whether the write was there.",
      labels: ["write"],
    },
    () =>
      (["landed", "missing"] as const).map((write) => ({
        labels: { write },
        value: figures.reopenings[write],
      })),
  );
  showHistogram(
    registry,
    {
      name: "taskhub_store_reopen_seconds",
      help: "From a write error until the store was open and checked again.",
    },
    SECONDS_BOUNDS,
    () => [{ tally: figures.reopenSeconds }],
  );
  registerSpace(registry, figures, store);
}

function registerSpace(
  registry: Registry,
  figures: StoreFigures,
  store: Pick<Store, "space">,
): void {
  showGauge(
    registry,
    { name: "taskhub_store_up", help: "0 while the store is being reopened behind a write error." },
    () => [{ value: figures.isDown ? 0 : 1 }],
  );
  showGauge(
    registry,
    {
      name: "taskhub_disk_free_bytes",
      help: "Bytes that the store may still write, without the reserve; absent if nobody knows.",
    },
    () => {
      const { freeBytes } = store.space;
      return freeBytes === undefined ? [] : [{ value: freeBytes }];
    },
  );
  showGauge(
    registry,
    {
      name: "taskhub_disk_level",
      help: "1 for the level that holds now: low warns, tight refuses new instances and events, full almost all.",
      labels: ["level"],
    },
    () =>
      LEVELS.map((level) => ({ labels: { level }, value: level === store.space.level ? 1 : 0 })),
  );
}
