/** What a process has used so far, read from /proc; elsewhere nothing is known. */
import { readFileSync } from "node:fs";

/** CPU time in microseconds, memory in bytes. */
export interface ProcessUsage {
  /** All threads. In steps of 10 ms: measure for seconds. */
  readonly cpuUs: number;
  /** The thread of the event loop. */
  readonly mainThreadCpuUs: number;
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
}

/** Undefined on systems without /proc. */
export function usageOf(pid: number): ProcessUsage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      cpuUs: cpuUsIn(readFileSync(`/proc/${pid}/stat`, "utf8")),
      mainThreadCpuUs: cpuUsIn(readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8")),
      rssBytes: bytesIn(status, "VmRSS"),
      rssPeakBytes: bytesIn(status, "VmHWM"),
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** What was used between two looks, in microseconds. */
export function cpuUsBetween(
  before: ProcessUsage | undefined,
  after: ProcessUsage | undefined,
): number | undefined {
  return before && after && after.cpuUs - before.cpuUs;
}

/** The kernel counts in ticks for readers, 100 a second on all common systems. */
const TICK_US = 10_000;

/** User and system time are the 14th and 15th field; the second one may contain spaces. */
function cpuUsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

function bytesIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1_024;
}
