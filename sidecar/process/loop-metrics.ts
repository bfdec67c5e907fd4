/** Metrics of the process itself: is it ready, and how late is its event loop. */
import { type Registry, showGauge } from "./metrics.ts";
import type { LoopWatch } from "./watchdog.ts";

export interface ProcessState {
  readonly loop: Pick<LoopWatch, "delay">;
  readonly isReady: () => boolean;
}

/** Registers them. */
export function registerLoopMetrics(registry: Registry, { loop, isReady }: ProcessState): void {
  showGauge(
    registry,
    {
      name: "taskhub_event_loop_delay_seconds",
      help: "How late the event loop was in the last 5 seconds; quantile 1 is the latest.",
      labels: ["quantile"],
    },
    () => {
      const { p50, p99, max } = loop.delay;
      return [
        { labels: { quantile: "0.5" }, value: p50 },
        { labels: { quantile: "0.99" }, value: p99 },
        { labels: { quantile: "1" }, value: max },
      ];
    },
  );
  showGauge(
    registry,
    { name: "taskhub_ready", help: "1 while the sidecar should get calls." },
    () => [{ value: isReady() ? 1 : 0 }],
  );
}
