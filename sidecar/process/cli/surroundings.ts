import type { Environment } from "../config.ts";

/** What the program sees of the world around it. */
export interface ProgramSurroundings {
  readonly environment: Environment;
  readonly workingDirectory: string;
  /** For answers: help, version, status, tables, JSON. */
  readonly out: (text: string) => void;
  /** One line that says why the exit code is not 0, and what people see meanwhile. */
  readonly err: (text: string) => void;
  readonly terminal: Terminal;
  /**
   * A signal that aborts when the user interrupts the program. From the call on the program itself
   * has to end then.
   */
  readonly interrupts: () => AbortSignal;
}

/** Who reads and writes: people at a terminal, or programs. */
export interface Terminal {
  /** What is written to `out` is read by people, at once. */
  readonly isOutput: boolean;
  /** So is what is written to `err`. */
  readonly isErrors: boolean;
  /** How many columns it has now. */
  readonly columns: () => number;
  /** Asks and gives the line that was typed; undefined when nobody is there to answer. */
  readonly ask: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
}

/** Nobody looks and nobody answers: files, pipes, tests. */
export const noTerminal: Terminal = {
  isOutput: false,
  isErrors: false,
  columns: () => 80,
  ask: undefined,
};
