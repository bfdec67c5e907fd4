import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricsPage } from "../rpc/http-pages.ts";
import { VERSION } from "./version.ts";

/** The metrics of one process. */
export interface Metrics {
  /** Where others register theirs. */
  readonly registry: Registry;
  readonly page: MetricsPage;
}

/** Memory, CPU, event loop and garbage collection of the process, and which version it is. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const buildInfo = new Gauge({
    name: "taskhub_build_info",
    help: "1, with the version of the sidecar as a label.",
    labelNames: ["version"],
    registers: [registry],
  });
  buildInfo.set({ version: VERSION }, 1);
  return {
    registry,
    page: { contentType: registry.contentType, text: () => registry.metrics() },
  };
}
