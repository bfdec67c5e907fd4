/**
 * The registry of one process, and the one way to show figures: whoever counts keeps plain numbers,
 * and they are read when somebody scrapes.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Tally } from "../foundation/tally.ts";
import type { MetricsPage } from "../rpc/http-pages.ts";
import { VERSION } from "./version.ts";

export type { Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

export interface TallySample {
  readonly labels?: Labels;
  readonly tally: Tally;
}

/** What is read at a scrape. Of labels there must be few different ones. */
export type Read<S> = () => Iterable<S> | Promise<Iterable<S>>;

/** The metrics of one process. */
export interface Metrics {
  /** Where others register theirs. */
  readonly registry: Registry;
  readonly page: MetricsPage;
}

/** Name, help and names of labels. */
export interface Described {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Memory, CPU, event loop and garbage collection of the process, and which version it is. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const version = { version: VERSION, node: process.versions.node };
  showGauge(
    registry,
    {
      name: "taskhub_build_info",
      help: "1, with the versions of the sidecar and of Node as labels.",
      labels: ["version", "node"],
    },
    () => [{ labels: version, value: 1 }],
  );
  return {
    registry,
    page: { contentType: registry.contentType, text: () => registry.metrics() },
  };
}

/** Something that only grows while the process lives. */
export function showCounter(registry: Registry, described: Described, read: Read<Sample>): void {
  new Counter({
    ...configuration(described),
    registers: [registry],
    async collect() {
      const samples = await read();
      this.reset();
      for (const { labels = {}, value } of samples) this.inc(labels, value);
    },
  });
}

/** Something as it is now. */
export function showGauge(registry: Registry, described: Described, read: Read<Sample>): void {
  new Gauge({
    ...configuration(described),
    registers: [registry],
    async collect() {
      const samples = await read();
      this.reset();
      for (const { labels = {}, value } of samples) this.set(labels, value);
    },
  });
}

/** Values by size since the process started. */
export function showHistogram(
  registry: Registry,
  described: Described,
  bounds: readonly number[],
  read: Read<TallySample>,
): void {
  registry.registerMetric(new CountedHistogram(described, bounds, read));
}

/** Buckets that somebody else has counted: prom-client's own cost a microsecond for each value. */
class CountedHistogram extends Histogram {
  readonly #described: Described;
  readonly #read: Read<TallySample>;

  constructor(described: Described, bounds: readonly number[], read: Read<TallySample>) {
    super({ ...configuration(described), buckets: [...bounds], registers: [] });
    this.#described = described;
    this.#read = read;
  }

  /** What the registry asks of a histogram; the types of the library do not say so. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#described;
    const values: object[] = [];
    for (const { labels: sharedLabels = {}, tally } of await this.#read()) {
      let value = 0;
      for (const [bucket, count] of tally.counts.entries()) {
        value += count;
        const labels = { le: tally.bounds[bucket] ?? "+Inf" };
        values.push({ metricName: `${name}_bucket`, labels, sharedLabels, value });
      }
      const whole = { labels: {}, sharedLabels };
      values.push({ metricName: `${name}_sum`, ...whole, value: tally.sum });
      values.push({ metricName: `${name}_count`, ...whole, value });
    }
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }
}

function configuration({ name, help, labels = [] }: Described) {
  return { name, help, labelNames: [...labels] };
}
