/** A run as text. */
import { goalColumns, goalsOf } from "./goals.ts";
import { pageColumns } from "./pages.ts";
import type { BenchRun, Calibration, CaseResult, Machine } from "./results.ts";
import { type Column, percent, shown, table } from "./table.ts";

/** The whole run in Markdown: where, calibration, speed, cost, storage. */
export function runReport(run: BenchRun): string {
  const { machine, calibration, cases, pages = [] } = run;
  return [
    machineSentence(machine, run.quick),
    table(calibrationColumns, calibrationRows(calibration)),
    "**Speed**",
    table(speedColumns(calibration), cases),
    "**Cost**",
    table(costColumns(calibration), cases),
    "**Goals**",
    table(goalColumns, goalsOf(run)),
    "**Pages**",
    table(pageColumns, pages),
    "**Storage**",
    table(
      storageColumns,
      cases.filter(({ stored }) => stored !== undefined),
    ),
  ].join("\n\n");
}

/** What was measured on, in words. */
export function machineSentence(machine: Machine, isQuick: boolean): string {
  const { date, commit, node, platform, cpu, cores, memoryBytes, loadAverage } = machine;
  const memory = Math.round(memoryBytes / 2 ** 30);
  const quick = isQuick ? " **Quick run: not for publication.**" : "";
  return (
    `Measured on ${date.slice(0, 10)} at commit ${commit}, with Node ${node} on ${platform}: ${cores} cores ` +
    `(${cpu}), ${memory} GiB of memory, load average ${loadAverage.toFixed(1)} before the run.${quick}`
  );
}

interface CalibrationRow {
  readonly what: string;
  readonly cpuUs: number | undefined;
  readonly cpuUsAlone?: number | undefined;
  readonly latencyUs: number | undefined;
  readonly perSecond: number | undefined;
}

function calibrationRows(calibration: Calibration): CalibrationRow[] {
  const { bareCall, sidecarCall, streamedMessageCpuUs, fdatasyncUs } = calibration;
  return [
    call("unary call, grpc-js with nothing behind it", bareCall),
    call("unary call, `Hello` of the sidecar", sidecarCall),
    {
      what: "streamed message of 200 B, grpc-js with nothing behind it",
      cpuUs: streamedMessageCpuUs,
      latencyUs: undefined,
      perSecond: undefined,
    },
    {
      what: "append of 4 KiB and fdatasync",
      cpuUs: undefined,
      latencyUs: fdatasyncUs,
      perSecond: 1_000_000 / fdatasyncUs,
    },
  ];
}

function call(what: string, cost: Calibration["bareCall"]): CalibrationRow {
  const { cpuUs, cpuUsAlone, p50Us, callsPerSecond } = cost;
  return { what, cpuUs, cpuUsAlone, latencyUs: p50Us, perSecond: callsPerSecond };
}

function microseconds(us: number | undefined): string {
  return shown(us, us === undefined ? "" : " µs");
}

const calibrationColumns: readonly Column<CalibrationRow>[] = [
  { title: "unit", text: ({ what }) => what },
  { title: "server CPU", text: ({ cpuUs }) => microseconds(cpuUs) },
  { title: "server CPU, one at a time", text: ({ cpuUsAlone }) => microseconds(cpuUsAlone) },
  {
    title: "median time, one at a time",
    text: ({ latencyUs }) => microseconds(latencyUs),
  },
  { title: "per second", text: ({ perSecond }) => shown(perSecond) },
];

const caseColumns: readonly Column<CaseResult>[] = [
  {
    title: "orchestration",
    text: ({ workload, store, storedInstances = 0 }) => {
      if (store === "memory") return `${workload}, memory store`;
      return storedInstances === 0
        ? workload
        : `${workload}, beside ${shown(storedInstances)} stored`;
    },
  },
  { title: "in flight", text: ({ inFlight }) => shown(inFlight) },
];

function speedColumns({ sidecarCall }: Calibration): readonly Column<CaseResult>[] {
  return [
    ...caseColumns,
    { title: "orchestrations", text: ({ orchestrations }) => shown(orchestrations) },
    { title: "orchestrations/s", text: (row) => shown(row.orchestrationsPerSecond) },
    { title: "steps/s", text: ({ stepsPerSecond }) => shown(stepsPerSecond) },
    { title: "p50 ms", text: ({ p50Ms }) => shown(p50Ms) },
    { title: "p99 ms", text: ({ p99Ms }) => shown(p99Ms) },
    { title: "p50 in calls", text: ({ p50Ms }) => shown((p50Ms * 1_000) / sidecarCall.p50Us) },
    { title: "sidecar busy", text: ({ cpu }) => percent(cpu?.sidecarShare) },
    { title: "worker busy", text: ({ cpu }) => percent(cpu?.workerShare) },
    { title: "client busy", text: ({ cpu }) => percent(cpu?.clientShare) },
  ];
}

function costColumns({ bareCall }: Calibration): readonly Column<CaseResult>[] {
  return [
    ...caseColumns,
    { title: "steps each", text: (row) => shown(row.stepsPerOrchestration) },
    { title: "sidecar CPU µs each", text: ({ cpu }) => shown(cpu?.sidecarUs) },
    { title: "of it event loop", text: ({ cpu }) => shown(cpu?.sidecarMainThreadUs) },
    { title: "CPU µs per step", text: ({ cpu }) => shown(cpu?.sidecarUsPerStep) },
    {
      title: "step in bare calls",
      text: ({ cpu }) => shown(ratio(cpu?.sidecarUsPerStep, bareCall.cpuUs)),
    },
    {
      title: "peak RSS MiB",
      text: ({ rssPeakBytes }) => shown(rssPeakBytes && rssPeakBytes / 2 ** 20),
    },
  ];
}

const storageColumns: readonly Column<CaseResult>[] = [
  ...caseColumns,
  { title: "commits per fsync", text: ({ stored }) => shown(stored?.commitsPerFsync) },
  { title: "keys written each", text: ({ stored }) => shown(stored?.putsPerOrchestration) },
  { title: "keys left each", text: ({ stored }) => shown(stored?.keysPerOrchestration) },
  { title: "bytes on disk each", text: ({ stored }) => shown(stored?.bytesPerOrchestration) },
];

/** Undefined if either is. */
export function ratio(value: number | undefined, unit: number | undefined): number | undefined {
  return value === undefined || unit === undefined ? undefined : value / unit;
}
