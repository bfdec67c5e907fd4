/** Two runs, case by case: this one in relation to an earlier one. */
import { readFile } from "node:fs/promises";
import { ratio } from "./report.ts";
import type { BenchRun, CaseResult } from "./results.ts";
import { type Column, shown, table } from "./table.ts";

interface Pair {
  readonly now: CaseResult;
  readonly before: CaseResult;
}

/**
 * Ratios of this run to the one in `file`; 1 means unchanged. CPU is also compared in units of each
 * run's own unary call, which takes out that machines differ.
 */
export async function comparison(run: BenchRun, file: string): Promise<string> {
  const earlier: BenchRun = JSON.parse(await readFile(file, "utf8"));
  const pairs: Pair[] = [];
  for (const now of run.cases) {
    const before = earlier.cases.find(({ name }) => name === now.name);
    if (before !== undefined) pairs.push({ now, before });
  }
  const units = ratio(run.calibration.bareCall.cpuUs, earlier.calibration.bareCall.cpuUs);
  const columns: readonly Column<Pair>[] = [
    { title: "ratio to the other run", text: ({ now }) => now.name },
    column("orchestrations/s", (result) => result.orchestrationsPerSecond),
    column("p50", (result) => result.p50Ms),
    column("p99", (result) => result.p99Ms),
    column("sidecar CPU each", (result) => result.cpu?.sidecarUs),
    {
      title: "the same in calls",
      text: ({ now, before }) =>
        shown(ratio(ratio(now.cpu?.sidecarUs, before.cpu?.sidecarUs), units)),
    },
    column("peak RSS", (result) => result.rssPeakBytes),
    column("commits per fsync", (result) => result.stored?.commitsPerFsync),
    column("keys written each", (result) => result.stored?.putsPerOrchestration),
    column("bytes each", (result) => result.stored?.bytesPerOrchestration),
  ];
  const names = `${run.label ?? "this run"} / ${earlier.label ?? earlier.machine.date}`;
  return `${names}; a bare call: ${shown(units)}\n\n${table(columns, pairs)}`;
}

function column(title: string, value: (result: CaseResult) => number | undefined): Column<Pair> {
  return { title, text: ({ now, before }) => shown(ratio(value(now), value(before))) };
}
