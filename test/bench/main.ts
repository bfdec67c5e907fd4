/** `npm run bench`: see docs/performance.md, and `--help`. */
import { mkdir, mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { calibrate } from "./calibrate.ts";
import { comparison } from "./compare.ts";
import { profileReport, summarise } from "./cpu-profile.ts";
import { writeDocsBlocks } from "./docs-blocks.ts";
import type { ClientCommand, LoadResult, WorkerCommand, WorkerCounts } from "./load-commands.ts";
import { LoadProcess } from "./load-process.ts";
import { machineFacts } from "./machine.ts";
import { type Load, measureCase } from "./measure.ts";
import { type BenchOptions, readOptions, USAGE } from "./options.ts";
import { measurePages, pageCases } from "./pages.ts";
import { machineSentence, runReport } from "./report.ts";
import type { BenchRun, CaseResult, PageResult } from "./results.ts";
import { shown } from "./table.ts";
import { benchCases, profileCase } from "./workloads.ts";

const options = readOptions(process.argv.slice(2));
if (options === "help") console.log(USAGE);
else await bench(options);

async function bench(asked: BenchOptions): Promise<void> {
  await using directory = await mkdtempDisposable(join(tmpdir(), "taskhub-bench-"));
  await using client = new LoadProcess<ClientCommand, LoadResult>(
    new URL("./client.ts", import.meta.url),
  );
  await using worker = new LoadProcess<WorkerCommand, WorkerCounts>(
    new URL("./worker.ts", import.meta.url),
  );
  const load: Load = { client, worker };
  if (asked.profileOnly) {
    print(await profiled(load, directory.path, asked.only), asked);
    return;
  }
  const run = await measureAll(asked, load, directory.path);
  const report = runReport(run);
  print(report, asked);
  if (asked.compare !== undefined) print(await comparison(run, asked.compare), asked);
  console.error(await writeResults(run));
  if (!asked.updateDocs) return;
  const blocks = { results: report, profile: await profiled(load, directory.path) };
  console.error(await writeDocsBlocks(blocks));
}

async function measureAll(asked: BenchOptions, load: Load, directory: string): Promise<BenchRun> {
  const machine = machineFacts();
  progress("calibration");
  const calibration = await calibrate(load.client, directory, asked.quick ? 400 : 1_500);
  const cases: CaseResult[] = [];
  for (const [at, benchCase] of benchCases(asked).entries()) {
    progress(benchCase.name);
    const { result } = await measureCase(benchCase, load, join(directory, `case-${at}`), {
      serveArgs: asked.serveArgs,
    });
    cases.push(result);
  }
  const pages: PageResult[] = [];
  for (const [at, pageCase] of pageCases(asked).entries()) {
    progress(pageCase.name);
    const place = join(directory, `pages-${at}`);
    pages.push(...(await measurePages(pageCase, load.client, place, asked.serveArgs)));
  }
  return { label: asked.label, quick: asked.quick, machine, calibration, cases, pages };
}

/** One case with node's own profiler in the sidecar, which slows it down somewhat. */
async function profiled(load: Load, directory: string, only?: string): Promise<string> {
  const machine = machineFacts();
  const benchCase = profileCase(only);
  progress(`CPU profile: ${benchCase.name}`);
  const profiles = join(directory, "profiles");
  const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  const measured = await measureCase(benchCase, load, join(directory, "profiled"), { nodeArgs });
  const [file] = await readdir(profiles);
  if (file === undefined) throw new Error("node wrote no profile");
  const summary = await summarise(join(profiles, file), measured);
  const cpuUsEach = measured.result.cpu?.sidecarMainThreadUs ?? Number.NaN;
  return [
    machineSentence(machine, false),
    `${benchCase.name}: ${shown(cpuUsEach)} µs of the event loop's CPU per orchestration while being profiled.`,
    profileReport(summary, cpuUsEach),
  ].join("\n\n");
}

async function writeResults(run: BenchRun): Promise<string> {
  const results = fileURLToPath(new URL("../../bench-results/", import.meta.url));
  await mkdir(results, { recursive: true });
  const file = join(results, `${run.machine.date.replaceAll(":", "-")}.json`);
  await writeFile(file, `${JSON.stringify(run, undefined, 2)}\n`);
  return file;
}

/** Markdown as it is, or without the marks that only Markdown needs. */
function print(markdown: string, { markdown: asMarkdown }: BenchOptions): void {
  console.log(asMarkdown ? markdown : markdown.replaceAll(/\*\*|`/g, ""));
}

function progress(what: string): void {
  console.error(`… ${what}`);
}
