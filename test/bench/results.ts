/** What a run says, as written to bench-results. Absent figures could not be measured. */
import type { WorkerCounts } from "./load-commands.ts";
import type { StoreKind } from "./options.ts";

/** The JSON of a run. */
export interface BenchRun {
  readonly label: string | undefined;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly calibration: Calibration;
  readonly cases: readonly CaseResult[];
  /** Absent in runs of earlier versions. */
  readonly pages?: readonly PageResult[];
}

/** Instances on one page of QueryInstances. */
export const pageInstances = 100;

/** Pages of QueryInstances, one call at a time. */
export interface PageResult {
  readonly name: string;
  readonly storedInstances: number;
  /** Each page continues behind the one before; otherwise it is always the first one. */
  readonly walks: boolean;
  readonly pages: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU for one page. */
  readonly sidecarUs: number | undefined;
}

/** Where and when. */
export interface Machine {
  readonly date: string;
  /** With "+" when files were changed since. */
  readonly commit: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Processes that wanted to run just before the benchmark, on average over a minute. */
  readonly loadAverage: number;
}

/** What single things cost on this machine in this run. */
export interface Calibration {
  readonly bareCall: CallCost;
  readonly sidecarCall: CallCost;
  readonly streamedMessageCpuUs: number | undefined;
  readonly fdatasyncUs: number;
}

export interface CallCost {
  /** CPU of the serving process for one call, at 64 in flight. */
  readonly cpuUs: number | undefined;
  /** The same with one in flight. Absent in runs of earlier versions. */
  readonly cpuUsAlone?: number | undefined;
  readonly callsPerSecond: number;
  /** With one call in flight. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** One measured case. */
export interface CaseResult {
  readonly name: string;
  readonly workload: string;
  readonly store: StoreKind;
  readonly inFlight: number;
  /** In the directory beforehand. Absent in runs of earlier versions. */
  readonly storedInstances?: number;
  readonly orchestrations: number;
  readonly elapsedMs: number;
  readonly orchestrationsPerSecond: number;
  /** Steps are work items answered: turns and activities. */
  readonly stepsPerSecond: number;
  readonly stepsPerOrchestration: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpu: CaseCpu | undefined;
  readonly rssPeakBytes: number | undefined;
  readonly stored: StoredFigures | undefined;
}

/** CPU of the measured time, in microseconds per orchestration; shares are of one core. */
export interface CaseCpu {
  readonly sidecarUs: number;
  readonly sidecarMainThreadUs: number;
  readonly sidecarUsPerStep: number;
  readonly sidecarShare: number;
  readonly workerShare: number;
  readonly clientShare: number;
}

/** Found in the directory after the sidecar ended, warm-up included. */
export interface StoredFigures {
  /**
   * Starts, answers of turns and answers of activities for each group of commits: one group is one
   * fsync.
   */
  readonly commitsPerFsync: number;
  readonly putsPerOrchestration: number;
  readonly keysPerOrchestration: number;
  readonly bytesPerOrchestration: number;
}

/** How much was done between two looks. */
export function countsBetween(before: WorkerCounts, after: WorkerCounts): number {
  return after.turns + after.activities - before.turns - before.activities;
}
