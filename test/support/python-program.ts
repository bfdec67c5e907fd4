/** Python programs with the pinned packages: in their own environment, asked line by line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { run } from "./sidecar-process.ts";

const folder = fileURLToPath(new URL("../interop/python/", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/taskhub/", import.meta.url));
const stderrCharsMax = 20_000;

/** The interpreter of a virtual environment with the packages of requirements.txt. */
export type Python = string & { readonly kind: "python" };

/**
 * The environment that an earlier run made, or a new one. Without Python, or without an index of
 * packages for a new one, it is undefined after one loud line.
 *
 * @throws where CI is set: there everything has to run
 */
export async function findPython(): Promise<Python | undefined> {
  const command = ["python3", `${folder}environment.py`, cache, `${folder}requirements.txt`];
  const { end, stdout, stderr } = await run(["sh", "-c", 'exec "$@"', "sh", ...command]);
  if (end === 0) return stdout.trim() as Python;
  const missing = `Python with the packages of requirements.txt cannot be had: ${stderr.trim()}`;
  if (process.env.CI !== undefined) throw new Error(`${missing}, and CI needs it`);
  console.warn(`SKIPPED: ${missing}`);
  return undefined;
}

/** A running `main.py`. Disposing lets its worker finish. */
export class PythonProgram implements AsyncDisposable {
  readonly #child;
  readonly #closed: Promise<unknown>;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #stderr = "";

  /** @param args an area, the address of the sidecar, and a task hub if not the default one */
  constructor(python: Python, ...args: readonly [string, string, string?]) {
    const present = args.filter((arg) => arg !== undefined);
    this.#child = spawn(python, ["-B", `${folder}main.py`, ...present]);
    this.#closed = once(this.#child, "close");
    // What it is asked when it has ended is answered by its end.
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharsMax);
    });
    createInterface(this.#child.stdout).on("line", (line) => this.#answer(line));
    this.#child.on("close", () => {
      for (const { reject } of this.#asked.values()) reject(this.#ended());
      this.#asked.clear();
    });
  }

  /**
   * Runs a scenario or a command of the area. Several may run at once.
   *
   * @throws what it has raised, as text; and when the program has ended
   */
  ask(name: string, ...given: readonly unknown[]): Promise<unknown> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#ended();
    this.#count += 1;
    const asked = Promise.withResolvers<unknown>();
    this.#asked.set(this.#count, asked);
    this.#child.stdin.write(`${JSON.stringify([this.#count, name, ...given])}\n`);
    return asked.promise;
  }

  /** SIGKILL: what it was doing is not finished. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }

  #answer(line: string): void {
    const { number, result, error } = JSON.parse(line);
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(`${error}\n${this.#stderr}`));
  }

  #ended(): Error {
    return new Error(`the Python program has ended: ${this.#stderr}`);
  }
}
