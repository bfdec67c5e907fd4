/** A quick start: what it says is written, run and typed, and the sidecar beside it. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { taskhub } from "../support/command-line.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type Block, blocksOf, expectShown, type Step } from "./doc-page.ts";

/** Where the pages say that the sidecar listens. */
export const PRINTED_PORT = "8080";

/** Ends the wait for something that will never happen. */
const PATIENCE_MS = 30_000;

export interface QuickStart {
  /** Commands of "Start the sidecar". */
  readonly serve: string;
  /** Files and the commands that get packages. */
  readonly preparation: readonly Block[];
  readonly program: Block;
  readonly run: Block;
  /** All that the program prints. */
  readonly printed: Block;
  readonly fromAnotherTerminal: readonly Step[];
  readonly itRemembers: readonly Step[];
}

/** @param language the name of the page */
export function quickStart(language: string): QuickStart {
  const blocks = blocksOf(pathOf(language));
  const inSection = (name: string) => blocks.filter(({ section }) => section === name);
  const written = inSection("Write an order");
  const [program, run, printed] = written.slice(-3);
  if (program === undefined || run === undefined || printed === undefined) {
    throw new Error(
      `${language} has no program, no command to run it, or does not say what it prints`,
    );
  }
  return {
    serve: inSection("Start the sidecar")
      .map(({ text }) => text)
      .join(""),
    preparation: written.slice(0, -3),
    program,
    run,
    printed,
    fromAnotherTerminal: pairs(inSection("From another terminal")),
    itRemembers: pairs(inSection("It remembers")),
  };
}

export function pathOf(language: string): string {
  return `docs/quick-start/${language}.md`;
}

/** Commands and what they print, in turns. */
function pairs(blocks: readonly Block[]): readonly Step[] {
  expect(blocks.map(({ fence }) => fence).join()).toMatch(/^sh,text(,sh,text)*$/);
  return blocks.flatMap((commands, index) =>
    commands.fence === "sh" ? [{ commands, shown: blocks[index + 1] }] : [],
  );
}

/**
 * Types commands of the command line, in this process: that saves seconds, and the tests of other
 * pages type theirs into a shell. Then compares what they print.
 */
export async function follow({ commands, shown }: Step, address: string): Promise<void> {
  const printed: string[] = [];
  for (const line of commands.text.trimEnd().split("\n")) {
    if (line === `export TASKHUB_ADDRESS=localhost:${PRINTED_PORT}`) continue;
    const [npx, name, ...args] = wordsOf(line);
    expect([npx, name], line).toEqual(["npx", "taskhub"]);
    const { code, out, err } = await taskhub(args, { address });
    expect({ code, err }, line).toEqual({ code: 0, err: "" });
    printed.push(...out.split("\n"));
  }
  if (shown !== undefined) expectShown(shown, printed);
}

/** As a shell splits a line without variables. */
function wordsOf(line: string): readonly string[] {
  const words = line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g);
  return Array.from(words, ([, single, double, plain]) => single ?? double ?? plain ?? "");
}

/** Asks until an instance waits for an event: that its last activity is done is told to no watch. */
export async function waitsForEvent(port: number, instanceId: string): Promise<void> {
  using transport = new GrpcTransport({ host: "127.0.0.1", port });
  const client = createClient(ClientService, transport);
  const summary = async () => (await client.explainInstance({ instanceId })).summary;
  await expect.poll(summary, { timeout: PATIENCE_MS }).toContain("event from outside");
}

/** The program of a page while it runs. Disposing kills it, and what it has started. */
export class RunningProgram implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #closed: Promise<unknown>;
  readonly #lines: string[] = [];
  readonly #firstLine: Promise<unknown>;
  #stderr = "";

  constructor(command: string, folder: string, env: Readonly<Record<string, string>>) {
    const path = [resolve("node_modules/.bin"), process.env.PATH].join(delimiter);
    this.#child = spawn("sh", ["-ec", command], {
      cwd: folder,
      detached: true,
      env: { ...process.env, PATH: path, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#closed = once(this.#child, "close");
    const lines = createInterface(this.#child.stdout);
    lines.on("line", (line) => this.#lines.push(line));
    this.#firstLine = Promise.race([once(lines, "line"), this.#closed]);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  /** Waits until it has printed something. */
  async started(): Promise<void> {
    await this.#firstLine;
    expect(this.#lines, this.#stderr).not.toEqual([]);
  }

  /** Waits for its end. @returns all that it has printed */
  async ended(): Promise<readonly string[]> {
    await this.#closed;
    expect(this.#child.exitCode, this.#stderr).toBe(0);
    return this.#lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    process.kill(-this.#child.pid, "SIGKILL");
    await this.#closed;
  }
}
