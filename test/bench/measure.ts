/**
 * One case: a fresh sidecar, a warm-up, a measured number of orchestrations, and a look at what it
 * stored.
 */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fillDirectory } from "../support/many-instances.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import type { ClientCommand, LoadResult, WorkerCommand, WorkerCounts } from "./load-commands.ts";
import type { LoadProcess } from "./load-process.ts";
import { cpuUsBetween, type ProcessUsage, usageOf } from "./process-usage.ts";
import { type CaseCpu, type CaseResult, countsBetween, type StoredFigures } from "./results.ts";
import { readStored } from "./stored.ts";
import type { BenchCase } from "./workloads.ts";

/** The processes that make the load. They live through all cases. */
export interface Load {
  readonly client: LoadProcess<ClientCommand, LoadResult>;
  readonly worker: LoadProcess<WorkerCommand, WorkerCounts>;
}

/**
 * A result, and when it was measured by the steady clock that CPU profiles have, in microseconds.
 */
export interface Measured {
  readonly result: CaseResult;
  readonly fromUs: number;
  readonly toUs: number;
}

/** How the sidecar is started. */
export interface SidecarArgs {
  /** Flags of node. */
  readonly nodeArgs?: readonly string[];
  /** Flags of `taskhub serve`. */
  readonly serveArgs?: readonly string[];
}

/** Measures one case in an empty directory. */
export async function measureCase(
  benchCase: BenchCase,
  { client, worker }: Load,
  directory: string,
  { nodeArgs = [], serveArgs = [] }: SidecarArgs = {},
): Promise<Measured> {
  const { workload, store } = benchCase;
  if (benchCase.storedInstances > 0) {
    const scheduledStartAt = timestampFromMs(Date.now() + 365 * 24 * 3_600_000);
    await fillDirectory(directory, { count: benchCase.storedInstances, scheduledStartAt });
  }
  const onDisk = store === "level" ? { dataDirectory: directory } : {};
  await using sidecar = await startSidecar({ ...onDisk, nodeArgs, args: [...serveArgs] });
  await client.ask({ do: "connect", port: sidecar.port });
  await worker.ask({ do: "work", port: sidecar.port, workload });
  const warm = await warmUp(benchCase, client);
  const pids = { sidecar: sidecar.pid, worker: worker.pid, client: client.pid };
  const countsBefore = await worker.ask({ do: "count" });
  const before = lookAt(pids);
  const load = await client.ask({
    do: "orchestrate",
    inFlight: benchCase.inFlight,
    count: Math.max(benchCase.inFlight, Math.ceil(warm.perMs * benchCase.times.measureMs)),
    startUntilMs: benchCase.times.startUntilMs,
  });
  const after = lookAt(pids);
  const counts = await worker.ask({ do: "count" });
  const end = await sidecar.stop();
  if (end !== 0) throw new Error(`the sidecar ended with ${end}: ${await sidecar.stderr()}`);
  const steps = countsBetween(countsBefore, counts);
  const all = warm.count + load.count;
  const isOwn = store === "level" && benchCase.storedInstances === 0;
  const stored = !isOwn ? undefined : await storedFigures(directory, all, counts);
  const result = {
    name: benchCase.name,
    workload: workload.name,
    store,
    inFlight: benchCase.inFlight,
    storedInstances: benchCase.storedInstances,
    orchestrations: load.count,
    elapsedMs: load.elapsedMs,
    orchestrationsPerSecond: (load.count / load.elapsedMs) * 1_000,
    stepsPerSecond: (steps / load.elapsedMs) * 1_000,
    stepsPerOrchestration: steps / load.count,
    p50Ms: load.p50Ms,
    p99Ms: load.p99Ms,
    cpu: cpuFigures(before, after, load, steps),
    rssPeakBytes: after.sidecar?.rssPeakBytes,
    stored,
  };
  return { result, fromUs: before.atUs, toUs: after.atUs };
}

/**
 * At once during the warm-up: a crowd, but one that is through with its orchestrations in a moment.
 */
const WARM_UP_ACTIVITIES = 320;
const WARM_UP_ORCHESTRATIONS = 64;

/**
 * Has everything compiled, then finds out how fast this case is, to choose how many orchestrations
 * to measure.
 */
async function warmUp(
  { workload, inFlight, times }: BenchCase,
  client: Load["client"],
): Promise<{ count: number; perMs: number }> {
  const orchestrate = { do: "orchestrate", count: Infinity } as const;
  const enough = Math.ceil(WARM_UP_ACTIVITIES / workload.activities);
  const first = await client.ask({
    ...orchestrate,
    inFlight: Math.min(enough, WARM_UP_ORCHESTRATIONS),
    startUntilMs: times.warmUpMs,
  });
  const second = await client.ask({
    ...orchestrate,
    inFlight: Math.min(enough, inFlight),
    startUntilMs: times.warmUpMs / 3,
  });
  return { count: first.count + second.count, perMs: second.count / second.elapsedMs };
}

type Pids = Readonly<Record<"sidecar" | "worker" | "client", number>>;

interface Look {
  readonly atUs: number;
  readonly sidecar: ProcessUsage | undefined;
  readonly worker: ProcessUsage | undefined;
  readonly client: ProcessUsage | undefined;
}

function lookAt(pids: Pids): Look {
  return {
    atUs: Number(process.hrtime.bigint() / 1_000n),
    sidecar: usageOf(pids.sidecar),
    worker: usageOf(pids.worker),
    client: usageOf(pids.client),
  };
}

function cpuFigures(
  before: Look,
  after: Look,
  { count, elapsedMs }: LoadResult,
  steps: number,
): CaseCpu | undefined {
  const sidecarUs = cpuUsBetween(before.sidecar, after.sidecar);
  const workerUs = cpuUsBetween(before.worker, after.worker);
  const clientUs = cpuUsBetween(before.client, after.client);
  if (sidecarUs === undefined || workerUs === undefined || clientUs === undefined) return undefined;
  if (before.sidecar === undefined || after.sidecar === undefined) return undefined;
  const mainThreadUs = after.sidecar.mainThreadCpuUs - before.sidecar.mainThreadCpuUs;
  const elapsedUs = elapsedMs * 1_000;
  return {
    sidecarUs: sidecarUs / count,
    sidecarMainThreadUs: mainThreadUs / count,
    sidecarUsPerStep: sidecarUs / steps,
    sidecarShare: sidecarUs / elapsedUs,
    workerShare: workerUs / elapsedUs,
    clientShare: clientUs / elapsedUs,
  };
}

/** Each start, each answer of a turn and each answer of an activity is one commit. */
async function storedFigures(
  directory: string,
  orchestrations: number,
  { turns, activities }: WorkerCounts,
): Promise<StoredFigures> {
  const { groups, puts, keys, bytes } = await readStored(directory);
  return {
    commitsPerFsync: (orchestrations + turns + activities) / groups,
    putsPerOrchestration: puts / orchestrations,
    keysPerOrchestration: keys / orchestrations,
    bytesPerOrchestration: bytes / orchestrations,
  };
}
