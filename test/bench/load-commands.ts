/** What the benchmark and its load processes say to each other. */
import type { Workload } from "./workloads.ts";

/** To the client. Each is answered with one `LoadResult`. */
export type ClientCommand =
  | { readonly do: "connect"; readonly port: number }
  | {
      readonly do: "orchestrate";
      readonly inFlight: number;
      /** How many to start, unless the time is over before. */
      readonly count: number;
      readonly startUntilMs: number;
    }
  | { readonly do: "hello"; readonly inFlight: number; readonly durationMs: number }
  | {
      /** One page of QueryInstances after the other; `walks`: each continues behind the last one. */
      readonly do: "pages";
      readonly walks: boolean;
      readonly durationMs: number;
    }
  | { readonly do: "receive" };

/** What the client did, and how long it took: calls, orchestrations or received messages. */
export interface LoadResult {
  readonly count: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** To the worker. Each is answered with `WorkerCounts`. */
export type WorkerCommand =
  | { readonly do: "work"; readonly port: number; readonly workload: Workload }
  | { readonly do: "count" };

/** Work items answered since the last "work" command. */
export interface WorkerCounts {
  readonly turns: number;
  readonly activities: number;
}
