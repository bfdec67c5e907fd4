/**
 * Planted bugs: each is a patch of the sources, with the test that has to fail because of it. A patch is
 * applied to a copy, never here.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, symlink } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const repository = join(import.meta.dirname, "../../..");

/** What a patch says of itself in its first lines. */
export interface Mutant {
  /** The name of its file, without the ending. */
  readonly name: string;
  readonly patch: string;
  readonly bug: string;
  /** Guarantees (G1 to G20) and invariants that it breaks. */
  readonly breaks: string;
  readonly testFile: string;
  /** A part of the full name of the test. */
  readonly testName: string;
}

/** What came of the tests of that name. */
export interface Verdict {
  /** At least one has failed. */
  readonly isCaught: boolean;
  readonly seconds: number;
  /** The full name of the first test that failed. */
  readonly failedTest: string;
  /** The first line of its failure. */
  readonly failure: string;
}

/** All planted bugs, by name. @throws Error when a patch does not say what it must */
export async function readMutants(): Promise<readonly Mutant[]> {
  const files = (await readdir(import.meta.dirname)).filter((file) => file.endsWith(".patch"));
  return Promise.all(files.toSorted().map((file) => readMutant(join(import.meta.dirname, file))));
}

async function readMutant(patch: string): Promise<Mutant> {
  const text = await readFile(patch, "utf8");
  const field = (name: string) => {
    const found = new RegExp(`^# ${name}: (.+)$`, "m").exec(text)?.[1];
    if (found === undefined) throw new Error(`${patch} has no line "# ${name}: …"`);
    return found;
  };
  return {
    name: basename(patch, ".patch"),
    patch,
    bug: field("bug"),
    breaks: field("breaks"),
    testFile: field("caught by"),
    testName: field("named"),
  };
}

/**
 * Runs the named tests in a copy with the bug.
 *
 * @throws Error when the patch does not apply, when no test of that name ran, or when it failed because
 * the patch is no working code, or because its time was up: all of them say nothing about the tests
 */
export async function judge(mutant: Mutant): Promise<Verdict> {
  const beganAt = performance.now();
  await using directory = await temporaryDirectory();
  await copyOfTree(directory.path);
  await applyPatch(directory.path, mutant.patch);
  const { ran, failures } = await runTests(directory.path, mutant);
  if (ran === 0) throw new Error(`${mutant.name}: no test "${mutant.testName}" ran`);
  const { name: failedTest = "", message = "" } = failures[0] ?? {};
  const [failure = ""] = message.split("\n", 1);
  if (/^(Reference|Syntax)Error/.test(failure)) {
    throw new Error(`${mutant.name} is no working code: ${failure}`);
  }
  if (failure.includes("timed out")) {
    throw new Error(`${mutant.name} lets "${failedTest}" wait, which does not say what is wrong`);
  }
  const seconds = (performance.now() - beganAt) / 1_000;
  return { isCaught: failures.length > 0, seconds, failedTest, failure };
}

/** Whether the patch applies to the sources as they are. */
export async function canBePlanted({ patch }: Mutant): Promise<boolean> {
  const { code } = await run("git", ["apply", "--check", patch], process.cwd(), process.env);
  return code === 0;
}

/** How many are judged at the same time. */
export const lanes = Math.min(2, availableParallelism());

/** What may be changed is copied, because programs find their files behind links; the rest is linked. */
async function copyOfTree(to: string): Promise<void> {
  const copied = ["sidecar", "test"];
  const linked = (await readdir(repository)).filter(
    (entry) => entry !== ".git" && !copied.includes(entry),
  );
  await Promise.all([
    ...copied.map((entry) => cp(join(repository, entry), join(to, entry), { recursive: true })),
    ...linked.map((entry) => symlink(join(repository, entry), join(to, entry))),
  ]);
}

async function applyPatch(directory: string, patch: string): Promise<void> {
  // Within another repository git would look for the files there.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(directory) };
  const { code, output } = await run("git", ["apply", patch], directory, env);
  if (code === 0) return;
  const advice = "plant the bug by hand, keep `git diff -U1` behind the same first lines";
  throw new Error(`${patch} does not apply to the sources as they are (${advice}): ${output}`);
}

interface JsonReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

async function runTests(directory: string, { testFile, testName }: Mutant) {
  const report = join(directory, "report.json");
  const vitest = join(directory, "node_modules/vitest/vitest.mjs");
  const name = testName.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const reporting = ["--reporter=json", `--outputFile=${report}`];
  const bounded = ["--testTimeout=30000", "--hookTimeout=30000"];
  const { output } = await run(
    process.execPath,
    [vitest, "run", testFile, "-t", name, ...bounded, ...reporting],
    directory,
    environment(),
  );
  const text = await readFile(report, "utf8").catch(() => {
    throw new Error(`${testFile} could not be run: ${output}`);
  });
  const { testResults } = JSON.parse(text) as JsonReport;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.filter(({ status }) => status === "failed");
  return {
    ran: failed.length + results.filter(({ status }) => status === "passed").length,
    failures: failed.map(({ fullName, failureMessages }) => ({
      name: fullName,
      message: failureMessages?.[0] ?? "failed",
    })),
  };
}

/** Without what tells a test runner that it is run by another one, and without what rigs are told. */
function environment(): NodeJS.ProcessEnv {
  const foreign = /^(VITEST|VITE_|RIG_|SEED$|NODE_OPTIONS$|NODE_ENV$|TEST$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

const longestMs = 120_000;

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; output: string }> {
  const stdio = ["ignore", "pipe", "pipe"] as const;
  // No test can end by itself while the process does nothing but turn in a circle.
  const child = spawn(command, args, { cwd, env, stdio: [...stdio], timeout: longestMs });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4_000);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}
