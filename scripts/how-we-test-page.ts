/** The page docs/how-we-test.md: its own text, and the figures of docs/how-we-test.json. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FINDINGS, FOUND } from "./how-we-test-findings.ts";
import { RIGS, type RigRow } from "./how-we-test-rigs.ts";
import { table } from "./markdown.ts";

export const PAGE = join("docs", "how-we-test.md");
export const RESULTS = join("docs", "how-we-test.json");

const PATCHES = join("test", "simulation", "mutants");

/** What one test has reported, as `test/support/rig.ts` writes it. */
export interface Figures {
  readonly rig: string;
  /** Absent when nothing is chosen at random. */
  readonly seed?: number;
  /** Since the test began, or its file was loaded; other tests ran at the same time. */
  readonly seconds?: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** What was run, and where. */
export interface Run {
  /** The day, in UTC: `2026-11-22`. */
  readonly date: string;
  readonly commit: string;
  /** There were changes on top of the commit. */
  readonly changed: boolean;
  readonly machine: { readonly cores: number; readonly node: string };
}

/** One run of a rig, which passed. */
export interface Result extends Run {
  readonly rig: string;
  readonly form: "CI" | "long";
  /** Absent when it was a part of all tests: then its reports have seconds. */
  readonly seconds?: number;
  readonly reports: readonly Figures[];
}

/** The whole of CI once, which passed. */
export interface WholeRun extends Run {
  readonly seconds: number;
}

/** docs/how-we-test.json. */
export interface Kept {
  readonly wholeRun?: WholeRun;
  readonly results: readonly Result[];
}

export function readKept(): Kept {
  return JSON.parse(readFileSync(RESULTS, "utf8")) as Kept;
}

/** The whole page. */
export function rendered({ results, wholeRun }: Kept): string {
  const parts = [
    BEGINNING,
    ...(wholeRun === undefined ? [] : [whole(wholeRun)]),
    overview(results),
    "## The rigs",
    ...RIGS.map((row) => section(row, resultsOf(row, results))),
    PLANTED,
    planted(),
    LEVELDB,
    table(["", "what LevelDB does", "shown by", "what we do about it", "tested by"], FINDINGS),
    BUGS,
    table(["suite", "bug", "test"], FOUND),
    ENDING,
  ];
  return `${parts.join("\n\n")}\n`;
}

function resultsOf({ name }: RigRow, results: readonly Result[]): readonly Result[] {
  return results.filter(({ rig }) => rig === name);
}

function overview(results: readonly Result[]): string {
  const rows = RIGS.map((row) => {
    const last = (form: Result["form"]) => {
      const found = resultsOf(row, results).find((result) => result.form === form);
      return found === undefined ? "not run yet" : `${found.date}, ${timeOf(found)}`;
    };
    return [`[${row.name}](#${row.name.toLowerCase()})`, backing(row), last("CI"), last("long")];
  });
  return table(["rig", "stands behind", "passed in the form of CI", "in the long form"], rows);
}

function whole({ date, seconds, machine, ...run }: WholeRun): string {
  return (
    `All that CI does, rigs included, took ${duration(seconds)} on ${date}, ` +
    `of ${revisionOf(run)}, with ${machineOf(machine)}.`
  );
}

function section(row: RigRow, results: readonly Result[]): string {
  const { name, does, files } = row;
  const where = files.map((file) => `[${file}](../${file})`).join(", ");
  const rows = results.flatMap((result) => result.reports.map((report) => line(result, report)));
  const figures =
    rows.length === 0
      ? "No result yet."
      : table(["form", "date", "commit", "machine", "seed", "figures"], rows);
  return [`### ${name}`, does, `In ${where}. Stands behind: ${backing(row)}.`, figures].join(
    "\n\n",
  );
}

function backing({ backs }: RigRow): string {
  return backs.join(", ");
}

function line(result: Result, { rig, seed, figures }: Figures): readonly string[] {
  const { form, date, machine } = result;
  const what = Object.entries(figures).map(([name, figure]) => `${words(name)} ${count(figure)}`);
  return [
    form,
    date,
    revisionOf(result),
    machineOf(machine),
    seed === undefined ? "none" : String(seed),
    rig === result.rig ? what.join(", ") : `*${rig}*: ${what.join(", ")}`,
  ];
}

function revisionOf({ commit, changed }: Pick<Run, "commit" | "changed">): string {
  return changed ? `${commit} and changes` : commit;
}

function machineOf({ cores, node }: Run["machine"]): string {
  return `${cores} cores, Node ${node.replace("v", "")}`;
}

/** What the patches say of themselves. */
function planted(): string {
  const files = readdirSync(PATCHES).filter((file) => file.endsWith(".patch"));
  const rows = files.toSorted().map((file) => {
    const text = readFileSync(join(PATCHES, file), "utf8");
    const said = (name: string) => new RegExp(`^# ${name}: (.+)$`, "m").exec(text)?.[1] ?? "";
    return [said("bug"), said("breaks"), `\`${said("caught by")}\``];
  });
  return table([`planted bug (${rows.length})`, "breaks", "caught by"], rows);
}

/** `acknowledgedStarts` as `acknowledged starts`. */
function words(name: string): string {
  return name.replaceAll(/([a-z])([A-Z])/g, (_, end: string, begin: string) => {
    return `${end} ${begin.toLowerCase()}`;
  });
}

function count(figure: number): string {
  return figure.toLocaleString("en", { maximumFractionDigits: 2 });
}

function timeOf({ seconds, reports }: Result): string {
  if (seconds !== undefined) return duration(seconds);
  const longest = new Map<string, number>();
  for (const report of reports) {
    if (report.seconds === undefined) return "with all tests";
    longest.set(report.rig, Math.max(report.seconds, longest.get(report.rig) ?? 0));
  }
  return `${duration(longest.values().reduce((sum, each) => sum + each, 0))} among all tests`;
}

function duration(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

const BEGINNING = `# How we test

This page is written by \`scripts/how-we-test.ts\`, its figures by the tests themselves. Only runs that passed are shown.

What a task hub promises is in [guarantees.md](guarantees.md), with the tests that prove each promise. Most of them are small:
scenarios of the engine as readable text, one suite for all stores, the scheduler on fake clocks and a disk that can be held back,
every method over two transports, the published SDKs against the real program, and the pages of this folder typed line by line.

This page is about the others, the *rigs*: they inject faults, or play at random, and look for what nobody has thought of. Each has
two forms: a short one, which CI runs with every change, and a long one.

\`\`\`text
npm run rigs                            # all of them, as CI does
npm run rigs:long                       # the long form, for a night
npm run rigs -- --only T-KILL           # one of them
SEED=42 npm run rigs -- --only T-DST    # once more
npm run test:bugs                       # only the planted bugs
\`\`\`

Rigs that choose at random have a seed, which they print; T-ENOSPC and T-MEMORY choose nothing, and have none. A seed repeats every
decision that a rig makes. CI takes it from the content that it checks: asked again about the same, it chooses the same, and any change
is a new draw. Everywhere else it is drawn each time. Where rigs use real processes and disks, these add chances of their own. T-DST
has none of them, and checks that by running each seed twice.`;

const PLANTED = `## Planted bugs

A suite that has never failed proves nothing. Each of these bugs is a patch in [test/simulation/mutants](../test/simulation/mutants),
never in shipped code. T-MUT applies one at a time to a copy of the sources, and the test that is named must fail. G13 and G18 are
not claimed in [guarantees.md](guarantees.md), but what there is of them is tested as well; the invariants of the simulation are those
that T-DST checks as it goes.`;

const LEVELDB = `## What LevelDB does, and what we do about it

The default store is LevelDB 1.20, as the package \`classic-level\` 3.0.0 brings it. It has weak spots. These are
the facts that we measured, the good ones too, each with a test on a real directory that shows it, so that a version that behaves
otherwise is noticed, and with one of what we do about it. S3 is shown by power cuts that are simulated. S14 is shown without its
time, as no test of ours measures one. S15 is not shown at all: nothing of ours runs on macOS, and it was read in the source.`;

const BUGS = `## Bugs that random tests have found

Each became a story of its own, which fails without the repair.`;

const ENDING = `## What is not tested

- Power cuts are simulated: what was synced is kept, and anything of the rest. A disk that lies about \`fsync\` is beyond what we can
  promise, and test.
- Everything runs on Linux. Other systems have other ways to flush a file.
- A rig that passes has not found anything; it does not prove that there is nothing.`;
