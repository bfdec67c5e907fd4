/**
 * The real program as a child process: for tests that need a port, a data directory, signals or
 * exit codes.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { steadyPort } from "./steady-port.ts";

const mainPath = fileURLToPath(new URL("../../sidecar/main.ts", import.meta.url));

/** A program file and its arguments. */
export type Command = readonly [string, ...string[]];

/** How a process is started. */
export interface SpawnOptions {
  /** Added to the environment of the tests, from which all TASKHUB_* variables are taken away. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

/** How our program is started. */
export interface RunOptions extends SpawnOptions {
  /** Flags of node itself, for example `--import`. */
  readonly nodeArgs?: readonly string[];
  /** Runs the rest of its arguments: `["/bin/sh", "-c", 'ulimit -f 64; exec "$@"', "sh"]`. */
  readonly wrapper?: Command;
}

/** How to start a sidecar. */
export interface SidecarOptions extends RunOptions {
  /** Without it the sidecar runs on the memory store. */
  readonly dataDirectory?: string;
  /**
   * Where it listens; a steady port of 127.0.0.1 if not given. The first is `SidecarProcess.address`.
   */
  readonly listen?: readonly [string, ...string[]];
  /** More arguments of `serve`. */
  readonly args?: readonly string[];
}

/** Exit code, or the signal that ended the process. */
export type ProcessEnd = number | NodeJS.Signals;

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Everything that a process said until its end. */
export interface Finished {
  readonly end: ProcessEnd;
  readonly stdout: string;
  readonly stderr: string;
}

/** It ended before something that it should have logged. */
export class SidecarEnded extends Error {
  readonly end: ProcessEnd;
  readonly stderr: string;

  constructor(event: string, end: ProcessEnd, stderr: string) {
    super(`the sidecar ended (${end}) without ${event}: ${stderr}`);
    this.end = end;
    this.stderr = stderr;
  }
}

/** Runs the program with these arguments to its end. */
export function runProgramToEnd(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return run(programCommand(args, options), options);
}

/** Runs any command to its end. */
export async function run(command: Command, options: SpawnOptions = {}): Promise<Finished> {
  const child = spawnCommand(command, options);
  const [end, stdout, stderr] = await Promise.all([
    endOf(child),
    textOf(child.stdout),
    textOf(child.stderr),
  ]);
  return { end, stdout, stderr };
}

/**
 * Starts `taskhub serve` and waits until it accepts calls; it may still be recovering: see
 * `SidecarProcess.logged`. `await using sidecar = await startSidecar({ dataDirectory:
 * directory.path });`
 *
 * @throws SidecarEnded when it ends instead
 */
export async function startSidecar(options: SidecarOptions = {}): Promise<SidecarProcess> {
  const { dataDirectory, args = [] } = options;
  const listen = options.listen ?? [`127.0.0.1:${await steadyPort()}`];
  const store = dataDirectory === undefined ? ["--store", "memory"] : ["--data", dataDirectory];
  const listenArgs = listen.flatMap((address) => ["--listen", address]);
  const sidecar = new SidecarProcess(
    spawnCommand(programCommand(["serve", ...listenArgs, ...store, ...args], options), options),
  );
  await sidecar.logged("sidecar.started");
  return sidecar;
}

/** A running sidecar. Disposing kills it. */
export class SidecarProcess implements AsyncDisposable {
  readonly pid: number;
  /** How it ended. Never rejects. */
  readonly exited: Promise<ProcessEnd>;
  readonly #child: Program;
  readonly #lines: LogLine[] = [];
  readonly #waiting = new Set<(line: LogLine) => void>();
  readonly #stderr: Promise<string>;

  /** @see startSidecar */
  constructor(child: Program) {
    if (child.pid === undefined) throw new Error("the process could not be started");
    this.#child = child;
    this.pid = child.pid;
    this.#stderr = textOf(child.stderr);
    this.exited = endOf(child);
    createInterface(child.stdout).on("line", (text) => {
      const line: LogLine = JSON.parse(text);
      this.#lines.push(line);
      for (const notice of this.#waiting) notice(line);
    });
  }

  /** `host:port` of the first address that it listens on. */
  get address(): string {
    const [address] = this.addresses;
    if (address === undefined) throw new Error("the sidecar has not started");
    return address;
  }

  /** The port of `address`. */
  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(":") + 1));
  }

  /** All addresses that it listens on. */
  get addresses(): readonly string[] {
    const started = this.#lines.find(({ event }) => event === "sidecar.started");
    return (started?.addresses ?? []) as readonly string[];
  }

  /** What it has logged so far. */
  logs(): readonly LogLine[] {
    return this.#lines;
  }

  /** What it has logged that is not routine. A late event loop tells of the machine, not of it. */
  complaints(): readonly LogLine[] {
    return this.#lines.filter(
      ({ level, event }) => level !== "info" && level !== "debug" && event !== "event_loop.late",
    );
  }

  /** All that it has said on stderr, once it has ended. */
  stderr(): Promise<string> {
    return this.#stderr;
  }

  /**
   * The first line of this event, past or future: `await sidecar.logged("sidecar.ready")`.
   *
   * @throws SidecarEnded when the process ends without it
   */
  async logged(event: string): Promise<LogLine> {
    const isIt = (line: LogLine) => line.event === event;
    const past = this.#lines.find(isIt);
    if (past !== undefined) return past;
    const { promise, resolve } = Promise.withResolvers<LogLine | undefined>();
    const notice = (line: LogLine) => isIt(line) && resolve(line);
    this.#waiting.add(notice);
    void this.exited.then(() => resolve(undefined));
    const line = await promise;
    this.#waiting.delete(notice);
    if (line !== undefined) return line;
    throw new SidecarEnded(event, await this.exited, await this.#stderr);
  }

  /** Sends a signal, and resolves with how the process ends. */
  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<ProcessEnd> {
    this.#child.kill(signal);
    return this.exited;
  }

  /** Asks it to stop, and resolves with how it ends: 0 when all went well. */
  stop(): Promise<ProcessEnd> {
    return this.kill("SIGTERM");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

type Program = ChildProcessByStdio<null, Readable, Readable>;

function programCommand(args: readonly string[], { wrapper, nodeArgs = [] }: RunOptions): Command {
  const command: Command = [process.execPath, ...nodeArgs, mainPath, ...args];
  return wrapper === undefined ? command : [...wrapper, ...command];
}

function spawnCommand([command, ...args]: Command, options: SpawnOptions): Program {
  const { env = {}, workingDirectory } = options;
  return spawn(command, args, {
    env: { ...environmentOfTests(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(workingDirectory === undefined ? {} : { cwd: workingDirectory }),
  });
}

function environmentOfTests(): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith("TASKHUB_"));
  // Dozens of processes would each write 64 MiB at their start.
  return { ...Object.fromEntries(entries), TASKHUB_DISK_RESERVE: "0" };
}

/** Resolves when the process is gone and all that it wrote was read. */
async function endOf(child: Program): Promise<ProcessEnd> {
  const [code, signal]: (number | NodeJS.Signals | null)[] = await once(child, "close");
  return code ?? signal ?? "SIGKILL";
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stream.setEncoding("utf8")) chunks.push(chunk);
  return chunks.join("");
}
