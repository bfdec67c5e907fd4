/** Metrics of the process itself: is it ready, and how late is its event loop. */
import { type Registry, showGauge } from "./metrics.ts";
import { NOT_READY, type Readiness } from "./readiness.ts";
import type { LoopWatch } from "./watchdog.ts";

export interface ProcessState {
  readonly loop: Pick<LoopWatch, "delay">;
  readonly readiness: Pick<Readiness, "isReady" | "against">;
}

/** Registers them. */
export function registerLoopMetrics(registry: Registry, { loop, readiness }: ProcessState): void {
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
    () => [{ value: readiness.isReady ? 1 : 0 }],
  );
  showGauge(
    registry,
    {
      name: "taskhub_not_ready",
      help: "1 for each reason for which the sidecar should not get calls now.",
      labels: ["reason"],
    },
    () =>
      NOT_READY.map((reason) => ({
        labels: { reason },
        value: readiness.against.has(reason) ? 1 : 0,
      })),
  );
}
