/** A program in another language, asked line by line: see test/interop/python/main.py. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const stderrCharsMax = 20_000;

/** A running program. Disposing lets its worker finish. */
export class AskedProgram implements AsyncDisposable {
  readonly #child;
  readonly #closed: Promise<unknown>;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #stderr = "";

  /** @param args arguments that are undefined are left out */
  constructor(command: string, args: readonly (string | undefined)[]) {
    const present = args.filter((arg) => arg !== undefined);
    this.#child = spawn(command, present);
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
    return new Error(`${this.#child.spawnfile} has ended: ${this.#stderr}`);
  }
}
