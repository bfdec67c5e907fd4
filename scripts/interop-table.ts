/**
 * Runs the published SDKs against the real program, and prints a table of scenarios and languages.
 *
 *     node scripts/interop-table.ts [--update] [ARGUMENTS OF VITEST]...
 *
 * `--update` keeps the results in docs/interop.json, if nothing has failed, and each scenario has
 * passed in each language or says why it cannot be tried. Ends as vitest has ended.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import {
  countsOf,
  type InteropResults,
  listedScenarios,
  type Outcome,
  RESULTS,
  type ReportedFile,
  resultsOf,
  TESTS,
  testedSdks,
} from "./interop-results.ts";

const VITEST = join("node_modules", "vitest", "vitest.mjs");
const NAME_COLUMNS = 92;

const given = process.argv.slice(2);
const vitestArgs = given.filter((arg) => arg !== "--update");
const { code, files } = await runTests(vitestArgs);
const results = resultsOf(testedSdks(), listedScenarios(), files);
print(results);
if (given.includes("--update")) keep(results);
process.exitCode ||= code;

async function runTests(args: readonly string[]): Promise<{
  code: number;
  files: readonly ReportedFile[];
}> {
  const directory = mkdtempSync(join(tmpdir(), "taskhub-interop-"));
  const report = join(directory, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const command = [VITEST, "run", TESTS, ...reporters, ...args];
  try {
    const child = spawn(process.execPath, command, { stdio: "inherit" });
    const [code] = (await once(child, "close")) as [number | null];
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    return { code: code ?? 1, files: testResults };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function print({ sdks, scenarios }: InteropResults): void {
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
  for (const { language, package: name, version } of sdks) {
    const { pass, cannot, fail, none } = countsOf(results, language);
    const rest = none === 0 ? "" : `, ${none} not run`;
    console.log(
      `${language} (${name} ${version}): ${pass} pass, ${cannot} cannot, ${fail} fail${rest}`,
    );
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

function keep(kept: InteropResults): void {
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
}
