/** A Python program with packages of its own, which takes commands line by line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { run } from "./sidecar-process.ts";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";

/** A virtual environment in a folder of its own. */
export interface PythonEnvironment extends AsyncDisposable {
  readonly python: string;
}

/** @param requirements a file for `pip install -r` */
export async function pythonEnvironment(requirements: string): Promise<PythonEnvironment> {
  await using created = new AsyncDisposableStack();
  const directory: TemporaryDirectory = created.use(await temporaryDirectory());
  const python = join(directory.path, "bin", "python");
  await succeed("python3", "-m", "venv", directory.path);
  await succeed(python, "-m", "pip", "install", "--quiet", "-r", requirements);
  created.move();
  return { python, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

/** A running program. Disposing ends it. */
export class PythonProgram implements AsyncDisposable {
  readonly #child;
  readonly #answers: AsyncIterator<string>;
  readonly #errors: string[] = [];

  constructor({ python }: PythonEnvironment, args: readonly string[]) {
    this.#child = spawn(python, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors.push(text));
    this.#answers = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** Sends a command and reads the one line that answers it. @throws when the program has ended */
  async ask(...command: readonly unknown[]): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`${command[0]}: it has ended: ${this.#errors.join("")}`);
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    // It ends with its input, and lets its worker finish.
    this.#child.stdin.end();
    await closed;
  }
}

async function succeed(...command: [string, ...string[]]): Promise<void> {
  const { end, stdout, stderr } = await run(command);
  if (end !== 0) throw new Error(`${command.join(" ")} ended with ${end}\n${stdout}${stderr}`);
}
