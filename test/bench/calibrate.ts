/** What single calls, messages and fdatasyncs cost here and now: the units of everything else. */
import { fdatasyncSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { startSidecar } from "../support/sidecar-process.ts";
import type { ClientCommand, LoadResult } from "./load-commands.ts";
import { LoadProcess } from "./load-process.ts";
import { percentile } from "./percentile.ts";
import { cpuUsBetween, usageOf } from "./process-usage.ts";
import type { Calibration, CallCost } from "./results.ts";

/** Calls at once while the CPU of one is measured. */
const CALLS_IN_FLIGHT = 64;

type Client = LoadProcess<ClientCommand, LoadResult>;

/** Measures in an empty directory; `durationMs` for each of the six parts. */
export async function calibrate(
  client: Client,
  directory: string,
  durationMs: number,
): Promise<Calibration> {
  const fdatasyncUs = await measureFdatasync(directory, durationMs);
  await using bare = new LoadProcess<object, number>(new URL("./bare-server.ts", import.meta.url));
  await client.ask({ do: "connect", port: await bare.ask({}) });
  const bareCall = await measureCalls(client, bare.pid, durationMs);
  const streamedMessageCpuUs = await measureStream(client, bare.pid);
  await using sidecar = await startSidecar({ dataDirectory: join(directory, "calibration") });
  await client.ask({ do: "connect", port: sidecar.port });
  const sidecarCall = await measureCalls(client, sidecar.pid, durationMs);
  await sidecar.stop();
  return { bareCall, sidecarCall, streamedMessageCpuUs, fdatasyncUs };
}

async function measureCalls(client: Client, pid: number, durationMs: number): Promise<CallCost> {
  const many = { do: "hello", inFlight: CALLS_IN_FLIGHT, durationMs } as const;
  await client.ask(many);
  const before = usageOf(pid);
  const { count, elapsedMs } = await client.ask(many);
  const between = usageOf(pid);
  const alone = await client.ask({ do: "hello", inFlight: 1, durationMs });
  const cpuUs = cpuUsBetween(before, between);
  const cpuUsAlone = cpuUsBetween(between, usageOf(pid));
  return {
    cpuUs: cpuUs && cpuUs / count,
    cpuUsAlone: cpuUsAlone && cpuUsAlone / alone.count,
    callsPerSecond: (count / elapsedMs) * 1_000,
    p50Us: alone.p50Ms * 1_000,
    p99Us: alone.p99Ms * 1_000,
  };
}

async function measureStream(client: Client, pid: number): Promise<number | undefined> {
  await client.ask({ do: "receive" });
  const before = usageOf(pid);
  const { count } = await client.ask({ do: "receive" });
  const cpuUs = cpuUsBetween(before, usageOf(pid));
  return cpuUs && cpuUs / count;
}

/** The median of appending 4 KiB and making it durable, in microseconds. */
async function measureFdatasync(directory: string, durationMs: number): Promise<number> {
  await using file = await open(join(directory, "fdatasync"), "w");
  const block = Buffer.alloc(4_096, "x");
  const latencies: number[] = [];
  const until = performance.now() + durationMs;
  while (performance.now() < until) {
    const from = performance.now();
    writeSync(file.fd, block);
    fdatasyncSync(file.fd);
    latencies.push((performance.now() - from) * 1_000);
  }
  latencies.sort((left, right) => left - right);
  return percentile(latencies, 0.5);
}
