/**
 * A disk that fails on demand: `faults.c`, which the sidecar is started with. It is compiled when a
 * test asks for it.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tellMissing } from "../../support/required.ts";
import { run, type SidecarOptions, startSidecar } from "../../support/sidecar-process.ts";
import type { SourcePatch } from "./patches.ts";

const source = fileURLToPath(new URL("faults.c", import.meta.url));
const patcher = fileURLToPath(new URL("patched-sources-child.ts", import.meta.url));

/** A sidecar that hangs ends a rig by this, and nothing else does. */
export const RIG_PATIENCE_MS = process.env.RIG_LONG === undefined ? 600_000 : 14_400_000;

/** What happens at the `first` to `last` call of a kind on files that match. */
export interface FaultRule {
  readonly action: "kill" | "eio";
  readonly call: "sync" | "rename" | "unlink" | "open" | "create";
  readonly when: "before" | "after";
  readonly first: number;
  /** As `first` if not given. */
  readonly last?: number;
  /** Of paths in the directory; `*` matches slashes too. A directory ends with a slash. */
  readonly pattern: string;
}

/**
 * The path of the compiled shim, or undefined where there is no compiler.
 *
 * @throws where there is none in CI, or when it cannot compile the shim
 */
export async function compiledShim(directory: string): Promise<string | undefined> {
  const compiler = process.env.CC ?? "cc";
  const path = join(directory, "faults.so");
  const args = ["-shared", "-fPIC", "-O2", "-Wall", "-o", path, source, "-ldl", "-pthread"];
  const { end, stderr } = await run([compiler, ...args]).catch((error: unknown) => ({
    end: "missing",
    stderr: String(error),
  }));
  if (end === 0) return path;
  const reason = `${compiler} cannot compile ${source}, which makes disks fail: ${stderr.trim()}`;
  if (end !== "missing") throw new Error(reason);
  tellMissing(reason);
  return undefined;
}

export interface BenchOptions {
  readonly patches?: readonly SourcePatch[];
  /** Whether calls of the disk are to be watched and to fail. */
  readonly withShim?: boolean;
  /** Whether it pays to start a sidecar once more, so that all starts are quick. */
  readonly startsOften?: boolean;
}

/** Everything that a rig keeps beside the data directory of its sidecar. */
export class FaultBench {
  readonly #directory: string;
  readonly #shim: string | undefined;
  readonly #patches: readonly SourcePatch[];

  private constructor(
    directory: string,
    shim: string | undefined,
    patches: readonly SourcePatch[],
  ) {
    this.#directory = directory;
    this.#shim = shim;
    this.#patches = patches;
  }

  /** Compiles the shim in the directory. */
  static async create(
    directory: string,
    { patches = [], withShim = true, startsOften = true }: BenchOptions = {},
  ): Promise<FaultBench> {
    await mkdir(join(directory, "trash"));
    const bench = new FaultBench(
      directory,
      withShim ? await compiledShim(directory) : undefined,
      patches,
    );
    if (!startsOften) return bench;
    // The cache is written by a process that ends in order, as those that are killed do not.
    const { dataDirectory: _none, ...inMemory } = bench.sidecarOn(directory);
    await (await startSidecar(inMemory)).stop();
    await bench.emptyTrace();
    return bench;
  }

  /** Without it there are no faults, and no trace. */
  get hasShim(): boolean {
    return this.#shim !== undefined;
  }

  /** Where the second names of deleted files are. */
  get trash(): string {
    return join(this.#directory, "trash");
  }

  /** How a sidecar is started so that its disk follows the rules. */
  sidecarOn(dataDirectory: string): SidecarOptions {
    const env: Record<string, string> = {
      FAULTS_PATCHES: JSON.stringify(this.#patches),
      // Most of a start is the compiling of the sources, which need not be repeated.
      NODE_COMPILE_CACHE: join(this.#directory, "compiled"),
    };
    if (this.#shim !== undefined) {
      env.LD_PRELOAD = this.#shim;
      env.FAULTS_ROOT = dataDirectory;
      env.FAULTS_TRACE = this.#trace;
      env.FAULTS_TRASH = this.trash;
      env.FAULTS_RULES = this.#rules;
    }
    return { dataDirectory, env, nodeArgs: ["--import", patcher] };
  }

  /** In force from the next call on, in a process that runs too; counting begins anew. */
  async setRules(rules: readonly FaultRule[]): Promise<void> {
    const lines = rules.map(({ action, call, when, first, last = first, pattern }) =>
      [action, call, when, first, last, pattern].join(" "),
    );
    this.#settings += 1;
    const unfinished = `${this.#rules}.unfinished`;
    // The number makes it another text, so that the same rules count anew.
    await writeFile(unfinished, [...lines, `# ${this.#settings}`].join("\n"));
    await rename(unfinished, this.#rules);
  }

  #settings = 0;

  /** All that has happened since the bench was made, or the trace was emptied. */
  async trace(): Promise<string> {
    return await readFile(this.#trace, "utf8").catch(() => "");
  }

  async emptyTrace(): Promise<void> {
    await writeFile(this.#trace, "");
  }

  get #trace(): string {
    return join(this.#directory, "trace");
  }

  get #rules(): string {
    return join(this.#directory, "rules");
  }
}
