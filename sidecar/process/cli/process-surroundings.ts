import { createInterface } from "node:readline/promises";
import type { Environment } from "../config.ts";
import { EXIT } from "../exit-codes.ts";
import type { ProgramSurroundings } from "./surroundings.ts";

/** The world of a real process. */
export function processSurroundings(environment: Environment): ProgramSurroundings {
  const { stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on("error", endWithoutReader);
  return {
    environment,
    workingDirectory: process.cwd(),
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    terminal: {
      isOutput: stdout.isTTY === true,
      isErrors: stderr.isTTY === true,
      columns: () => (stdout.isTTY ? stdout.columns : stderr.columns) || 80,
      ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
    },
    interrupts: () => {
      const interruption = new AbortController();
      // Once: a second signal ends the process as it always does.
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.once(signal, () => interruption.abort());
      }
      return interruption.signal;
    },
  };
}

/** Resolves when what was written has left the process. */
export function outputWritten(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write("", () => resolve());
  });
}

/** `taskhub list | head` has seen enough: that is no failure. */
function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  using lines = createInterface({ input: process.stdin, output: process.stderr });
  // Readline takes Ctrl-C for itself while it reads.
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return await lines.question(question, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    // The end of what can be typed, by Ctrl-D, is no yes.
    process.stderr.write("\n");
    return "";
  }
}
