/**
 * Runs the published SDKs against the real program, and prints a table of scenarios and languages.
 *
 *     node scripts/interop-table.ts [--update | --render] [ARGUMENTS OF VITEST]...
 *
 * `--update` keeps the results in docs/interop.json, if nothing has failed, and each scenario has
 * passed in each language or says why it cannot be tried; it writes docs/interop.md from them.
 * `--render` runs nothing: it writes the page anew. Ends as vitest has ended.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import { PAGE, rendered } from "./interop-page.ts";
import {
  countsOf,
  type InteropResults,
  type KeptResults,
  listedScenarios,
  type Outcome,
  RESULTS,
  type ReportedFile,
  readResults,
  resultsOf,
  TESTS,
  testedSdks,
} from "./interop-results.ts";

const VITEST = join("node_modules", "vitest", "vitest.mjs");
const NAME_COLUMNS = 92;

const given = process.argv.slice(2);
const vitestArgs = given.filter((arg) => arg !== "--update");
if (given.includes("--render")) writeFileSync(PAGE, rendered(readResults()));
else await runAll();

async function runAll(): Promise<void> {
  const at = revision();
  const { code, files } = await runTests(vitestArgs);
  const results = resultsOf(testedSdks(), listedScenarios(), files);
  print(results);
  if (given.includes("--update")) keep(code, { ...at, ...results });
  process.exitCode ||= code;
}

async function runTests(args: readonly string[]): Promise<{
  code: number;
  files: readonly ReportedFile[];
}> {
  const directory = mkdtempSync(join(tmpdir(), "taskhub-interop-"));
  const report = join(directory, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  // Vitest runs what fits one of the paths that it is given.
  const paths = args.some((arg) => arg.startsWith(TESTS)) ? [] : [TESTS];
  const command = [VITEST, "run", ...paths, ...reporters, ...args];
  try {
    const child = spawn(process.execPath, command, { stdio: "inherit" });
    const [code] = (await once(child, "close")) as [number | null];
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    return { code: code ?? 1, files: testResults };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function print(results: InteropResults): void {
  const { sdks, scenarios } = results;
  const languages = sdks.map(({ language }) => language);
  let area = "";
  for (const scenario of scenarios) {
    if (scenario.area !== area) {
      area = scenario.area;
      console.log(styleText("bold", `\n${row(area, languages)}`));
    }
    const cells = languages.map((language) => cellOf(scenario.outcomes[language] ?? "none"));
    console.log(row(scenario.name, cells));
  }
  console.log();
  for (const { language, packages } of sdks) {
    const { pass, cannot, fail, none } = countsOf(results, language);
    const versions = packages.map(({ name, version }) => `${name} ${version}`).join(", ");
    const rest = none === 0 ? "" : styleText("red", `, ${none} NOT RUN`);
    console.log(`${language} (${versions}): ${pass} pass, ${cannot} cannot, ${fail} fail${rest}`);
  }
}

function row(name: string, cells: readonly string[]): string {
  const short = name.length <= NAME_COLUMNS ? name : `${name.slice(0, NAME_COLUMNS - 1)}…`;
  return [short.padEnd(NAME_COLUMNS), ...cells.map((cell) => cell.padEnd(10))].join(" ").trimEnd();
}

function cellOf(outcome: Outcome): string {
  if (typeof outcome === "object") return "cannot";
  return { pass: "pass", fail: "FAIL", none: "not run" }[outcome];
}

function keep(code: number, kept: KeptResults): void {
  const open = kept.sdks.filter(({ language }) => {
    const { fail, none } = countsOf(kept, language);
    return fail + none > 0;
  });
  if (code !== 0 || open.length > 0) {
    const why = open.map(({ language }) => language).join(", ") || "a file has failed";
    console.error(`${RESULTS} stays as it is: ${why}`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(RESULTS, `${JSON.stringify(kept, null, 2)}\n`);
  writeFileSync(PAGE, rendered(kept));
}

/** When, where and what is tested: a commit, and whether there are changes on top of it. */
function revision(): Omit<KeptResults, keyof InteropResults> {
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
