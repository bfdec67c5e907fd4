/** The command line in this process: arguments in; exit code and what was written out. */
import { runProgram } from "../../sidecar/process/cli/program.ts";
import { noTerminal, type Terminal } from "../../sidecar/process/cli/surroundings.ts";
import type { Environment } from "../../sidecar/process/config.ts";

export interface CommandLineOptions {
  /** `host:port` of the sidecar; given by its variable, so that arguments are those of a user. */
  readonly address?: string;
  readonly environment?: Environment;
  readonly terminal?: Partial<Terminal>;
  readonly workingDirectory?: string;
  /** What Ctrl-C aborts. */
  readonly interrupt?: AbortSignal;
  /** Told what was written to standard output, as it is written. */
  readonly onOut?: (text: string) => void;
}

/** How a command ended and what it wrote. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function taskhub(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<Ran> {
  const { address, terminal = {}, interrupt = new AbortController().signal } = options;
  let out = "";
  let err = "";
  const code = await runProgram(args, {
    environment: {
      ...(address === undefined ? {} : { TASKHUB_ADDRESS: address }),
      ...options.environment,
    },
    workingDirectory: options.workingDirectory ?? "/",
    out: (text) => {
      out += text;
      options.onOut?.(text);
    },
    err: (text) => {
      err += text;
    },
    terminal: { ...noTerminal, ...terminal },
    interrupts: () => interrupt,
  });
  return { code, out, err };
}

/** A terminal, 100 columns wide, where all questions are answered so. */
export function terminalAnswering(answer: string): { terminal: Terminal; questions: string[] } {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return answer;
  };
  return { terminal: { isOutput: true, isErrors: true, columns: () => 100, ask }, questions };
}
