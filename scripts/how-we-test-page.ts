/** The page docs/how-we-test.md: its own text, and the figures of docs/how-we-test.json. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FINDINGS, FOUND } from "./how-we-test-findings.ts";
import { RIGS, type RigRow } from "./how-we-test-rigs.ts";

export const PAGE = join("docs", "how-we-test.md");
export const RESULTS = join("docs", "how-we-test.json");

const PATCHES = join("test", "simulation", "mutants");

/** What one test has reported, as `test/support/rig.ts` writes it. */
export interface Figures {
  readonly rig: string;
  readonly seed: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** One run of a rig, which passed. */
export interface Result {
  readonly rig: string;
  readonly form: "CI" | "long";
  /** The day, in UTC: `2026-11-22`. */
  readonly date: string;
  readonly commit: string;
  /** There were changes on top of the commit. */
  readonly changed: boolean;
  /** Absent when it was a part of all tests. */
  readonly seconds?: number;
  readonly machine: { readonly cores: number; readonly node: string };
  readonly reports: readonly Figures[];
}

export function readResults(): readonly Result[] {
  return (JSON.parse(readFileSync(RESULTS, "utf8")) as { results: Result[] }).results;
}

/** The whole page. */
export function rendered(results: readonly Result[]): string {
  const parts = [
    BEGINNING,
    overview(results),
    "## The rigs",
    ...RIGS.map((row) => section(row, resultsOf(row, results))),
    PLANTED,
    planted(),
    LEVELDB,
    table(["", "what LevelDB does", "what we do about it", "test"], FINDINGS),
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
      return found === undefined ? "not run yet" : `${found.date}, ${duration(found.seconds)}`;
    };
    return [`[${row.name}](#${row.name.toLowerCase()})`, backing(row), last("CI"), last("long")];
  });
  return table(["rig", "stands behind", "passed in the form of CI", "in the long form"], rows);
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
  const { form, date, commit, changed, machine } = result;
  const what = Object.entries(figures).map(([name, figure]) => `${words(name)} ${count(figure)}`);
  return [
    form,
    date,
    changed ? `${commit} and changes` : commit,
    `${machine.cores} cores, Node ${machine.node.replace("v", "")}`,
    String(seed),
    rig === result.rig ? what.join(", ") : `*${rig}*: ${what.join(", ")}`,
  ];
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

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  return [cells(head), cells(head.map(() => "---")), ...rows.map(cells)].join("\n");
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

function duration(seconds: number | undefined): string {
  if (seconds === undefined) return "with all tests";
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

const BEGINNING = `# How we test

This page is written by \`scripts/how-we-test.ts\`, its figures by the tests themselves. Only runs that passed are shown.

What a task hub promises is in [guarantees.md](guarantees.md), with the tests that prove each promise. Most of them are small:
scenarios of the engine as readable text, one suite for all stores, the scheduler on fake clocks and a disk that can be held back,
every method over two transports, the published SDKs against the real program, and the pages of this folder typed line by line.

This page is about the others, the *rigs*: they inject faults, or play at random, and look for what nobody has thought of. Each has
a seed, which it prints, and two forms: a short one, which CI runs with every change, and a long one.

\`\`\`text
npm run rigs                            # all of them, as CI does
npm run rigs:long                       # the long form, for a night
npm run rigs -- --only T-KILL           # one of them
SEED=42 npm run rigs -- --only T-DST    # once more
npm run test:bugs                       # only the planted bugs
\`\`\`

A seed repeats every decision that a rig makes. Where rigs use real processes and disks, these add chances of their own. T-DST has
none of them, and checks that by running each seed twice.`;

const PLANTED = `## Planted bugs

A suite that has never failed proves nothing. Each of these bugs is a patch in [test/simulation/mutants](../test/simulation/mutants),
never in shipped code. T-MUT applies one at a time to a copy of the sources, and the test that is named must fail. G13 and G18 are
not claimed in [guarantees.md](guarantees.md), but what there is of them is tested as well; the invariants of the simulation are those
that T-DST checks after each step.`;

const LEVELDB = `## What LevelDB does, and what we do about it

The default store is LevelDB 1.20, as the package \`classic-level\` 3.0.0 brings it. It has weak spots. These are
the facts that we measured, the good ones too. Each has a test on a real directory, so that a version that behaves otherwise is noticed.`;

const BUGS = `## Bugs that random tests have found

Each became a story of its own, which fails without the repair.`;

const ENDING = `## What is not tested

- Power cuts are simulated: what was synced is kept, and anything of the rest. A disk that lies about \`fsync\` is beyond what we can
  promise, and test.
- Everything runs on Linux. Other systems have other ways to flush a file.
- A rig that passes has not found anything; it does not prove that there is nothing.`;
