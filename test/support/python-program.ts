/** Python programs with the pinned packages: in their own environment, asked line by line. */
import { fileURLToPath } from "node:url";
import { AskedProgram } from "./asked-program.ts";
import { tellMissing } from "./required.ts";
import { run } from "./sidecar-process.ts";

const folder = fileURLToPath(new URL("../interop/python/", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/taskhub/", import.meta.url));

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
  tellMissing(`Python with the packages of requirements.txt cannot be had: ${stderr.trim()}`);
  return undefined;
}

/** A running `main.py`. */
export class PythonProgram extends AskedProgram {
  /** @param args an area, the address of the sidecar, and a task hub if not the default one */
  constructor(python: Python, ...args: readonly [string, string, string?]) {
    super(python, ["-B", `${folder}main.py`, ...args]);
  }

  /** A command may be named as in the other languages: `openGate` is `open_gate` there. */
  override ask(name: string, ...given: readonly unknown[]): Promise<unknown> {
    return super.ask(/^[a-zA-Z]+$/.test(name) ? snakeCase(name) : name, ...given);
  }
}

/** `entity-locks` and `openGate` as Python has them. */
export function snakeCase(name: string): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return words.replaceAll("-", "_");
}
