/**
 * Runs the rigs, keeps what they report in docs/how-we-test.json, and writes docs/how-we-test.md from it.
 *
 *     node scripts/how-we-test.ts [--long] [--only T-KILL]... [--render] [--passed FILE [--took SECONDS]]
 *
 * Without `--long` each runs as in CI. What has failed, or was skipped, leaves no result, and the last one
 * stays. `SEED` repeats a run. `--render` runs nothing: it writes the page anew. `--passed` takes what a
 * run of all tests has reported, each rig once it had passed: `RIG_RESULTS=FILE .ci/run`; `--took` says
 * how long that was.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import {
  type Figures,
  type Kept,
  PAGE,
  RESULTS,
  type Result,
  type Run,
  readKept,
  rendered,
} from "./how-we-test-page.ts";
import { RIGS, type RigRow } from "./how-we-test-rigs.ts";

const VITEST = join("node_modules", "vitest", "vitest.mjs");
const LONG_MS = 6 * 60 * 60 * 1_000;

const { values: options } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    render: { type: "boolean", default: false },
    passed: { type: "string" },
    took: { type: "string" },
  },
});

if (options.passed !== undefined) takeOver(options.passed, options.took);
else if (!options.render) {
  for (const row of chosen(options.only)) await keep(row, options.long ? "long" : "CI");
}
writeFileSync(PAGE, rendered(readKept()));

function chosen(only: readonly string[] | undefined): readonly RigRow[] {
  for (const name of only ?? []) {
    if (!RIGS.some((row) => row.name === name)) throw new Error(`there is no rig ${name}`);
  }
  return only === undefined ? RIGS : RIGS.filter(({ name }) => only.includes(name));
}

/** Runs one rig, and keeps its result at once: the next one may be interrupted. */
async function keep(row: RigRow, form: Result["form"]): Promise<void> {
  const beganAt = performance.now();
  const at = thisRun();
  const ran = await run(row, form);
  const missing = row.reports.filter((name) => !ran.reports.some((report) => report.rig === name));
  if (!ran.passed || missing.length > 0) {
    console.error(
      ran.passed ? `${missing.join(" and ")} reported nothing` : `${row.name} did not pass`,
    );
    process.exitCode = 1;
    return;
  }
  const seconds = Math.round((performance.now() - beganAt) / 100) / 10;
  store({ rig: row.name, form, ...at, seconds, reports: ran.reports });
}

/** Keeps what all rigs have reported in one run of all tests. */
function takeOver(file: string, took: string | undefined): void {
  const reports = linesOf(file);
  const at = thisRun();
  if (took !== undefined) {
    if (!(Number(took) > 0)) throw new Error(`--took ${took} is no number of seconds`);
    write({ ...readKept(), wholeRun: { ...at, seconds: Number(took) } });
  }
  for (const row of RIGS) {
    const own = reports.filter(({ rig }) => row.reports.includes(rig));
    if (row.reports.every((name) => own.some(({ rig }) => rig === name))) {
      store({ rig: row.name, form: "CI", ...at, reports: own });
    } else console.error(`${row.name} reported nothing`);
  }
}

function store(result: Result): void {
  const { rig, form } = result;
  const kept = readKept();
  const others = kept.results.filter((each) => each.rig !== rig || each.form !== form);
  const results = [...others, result].toSorted((a, b) => rank(a) - rank(b));
  write({ ...kept, results });
}

function write(kept: Kept): void {
  writeFileSync(RESULTS, `${JSON.stringify(kept, undefined, 2)}\n`);
}

function linesOf(file: string): readonly Figures[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Figures);
}

/** The order of the table, and of each rig the short form first. */
function rank({ rig, form }: Result): number {
  return 2 * RIGS.findIndex(({ name }) => name === rig) + (form === "long" ? 1 : 0);
}

async function run({ name, files }: RigRow, form: Result["form"]) {
  console.log(`\n# ${name} (${form})`);
  const directory = mkdtempSync(join(tmpdir(), "rigs-"));
  try {
    const told = join(directory, "results.jsonl");
    writeFileSync(told, "");
    const { RIG_LONG: _, ...inherited } = process.env;
    // The long form of a test that has no patience of its own may take as long as any.
    const patience = form === "long" ? [`--testTimeout=${LONG_MS}`] : [];
    const child = spawn(process.execPath, [VITEST, "run", ...patience, ...files], {
      stdio: "inherit",
      env: {
        ...inherited,
        RIG_RESULTS: told,
        PATH: [join(process.cwd(), "node_modules", ".bin"), process.env.PATH].join(delimiter),
        ...(form === "long" ? { RIG_LONG: "1" } : {}),
      },
    });
    const [code] = await once(child, "exit");
    return { passed: code === 0, reports: linesOf(told) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What is tested, today: a commit, and whether there are changes on top, other than of results. */
function thisRun(): Run {
  const git = (...args: readonly string[]) =>
    execFileSync("git", args, { encoding: "utf8" }).trim();
  const changes = git("status", "--porcelain", "--", ".", `:!${RESULTS}`, `:!${PAGE}`);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--short", "HEAD"),
    changed: changes !== "",
    machine: { cores: availableParallelism(), node: process.version },
  };
}
