/** What a page of QueryInstances costs, out of few and out of many stored instances. */
import { setTimeout } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fillDirectory } from "../support/many-instances.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import type { ClientCommand, LoadResult } from "./load-commands.ts";
import type { LoadProcess } from "./load-process.ts";
import { cpuUsBetween, usageOf } from "./process-usage.ts";
import { type PageResult, pageInstances } from "./results.ts";
import { type Column, shown } from "./table.ts";

/** Pages of one directory. */
export interface PageCase {
  readonly name: string;
  readonly storedInstances: number;
  readonly measureMs: number;
}

/** All cases of a run: the same page out of few, and out of many. */
export function pageCases(options: {
  readonly quick: boolean;
  readonly only?: string | undefined;
}): PageCase[] {
  const { quick, only } = options;
  const stored = quick ? [1_000, 10_000] : [1_000, 1_000_000];
  const measureMs = quick ? 600 : 4_500;
  return stored
    .map((storedInstances) => ({
      name: `pages of ${pageInstances} out of ${storedInstances} stored`,
      storedInstances,
      measureMs,
    }))
    .filter(({ name }) => only === undefined || name.includes(only));
}

/**
 * Measures one directory, one call at a time: the first page again and again, which is the same
 * work however many instances there are, and page behind page, of instances not seen before.
 */
export async function measurePages(
  { name, storedInstances, measureMs }: PageCase,
  client: LoadProcess<ClientCommand, LoadResult>,
  directory: string,
  serveArgs: readonly string[],
): Promise<PageResult[]> {
  const scheduledStartAt = timestampFromMs(Date.now() + 365 * 24 * 3_600_000);
  await fillDirectory(directory, { count: storedInstances, scheduledStartAt });
  await using sidecar = await startSidecar({ dataDirectory: directory, args: [...serveArgs] });
  await sidecar.logged("sidecar.ready");
  await atRest(sidecar.pid);
  await client.ask({ do: "connect", port: sidecar.port });
  const results: PageResult[] = [];
  for (const walks of [false, true]) {
    const ask = (durationMs: number) => client.ask({ do: "pages", walks, durationMs });
    // Has the code compiled, and the instances of the first page in memory.
    await ask(measureMs / 3);
    const before = usageOf(sidecar.pid);
    const { count, p50Ms, p99Ms } = await ask(measureMs);
    const cpuUs = cpuUsBetween(before, usageOf(sidecar.pid));
    const sidecarUs = cpuUs === undefined ? undefined : cpuUs / count;
    results.push({ name, storedInstances, walks, pages: count, p50Ms, p99Ms, sidecarUs });
  }
  const end = await sidecar.stop();
  if (end !== 0) throw new Error(`the sidecar ended with ${end}: ${await sidecar.stderr()}`);
  return results;
}

const LOOK_EVERY_MS = 1_000;
const REST_SHARE = 0.05;

/** LevelDB goes on for seconds with what it found when it opened a large directory. */
async function atRest(pid: number): Promise<void> {
  for (let looks = 0; looks < 60; looks += 1) {
    const before = usageOf(pid);
    await setTimeout(LOOK_EVERY_MS);
    const usedUs = cpuUsBetween(before, usageOf(pid));
    if (usedUs === undefined || usedUs < REST_SHARE * LOOK_EVERY_MS * 1_000) return;
  }
}

export const pageColumns: readonly Column<PageResult>[] = [
  {
    title: `page of ${pageInstances} instances`,
    text: ({ storedInstances, walks }) =>
      `${walks ? "page behind page" : "the first page"}, out of ${shown(storedInstances)} stored`,
  },
  { title: "pages", text: ({ pages }) => shown(pages) },
  { title: "p50 ms", text: ({ p50Ms }) => shown(p50Ms) },
  { title: "p99 ms", text: ({ p99Ms }) => shown(p99Ms) },
  { title: "sidecar CPU µs each", text: ({ sidecarUs }) => shown(sidecarUs) },
];
