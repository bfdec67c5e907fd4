/** Services that are started for one check only: what a check has spoiled is nobody else's. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";

const HOST = "127.0.0.1";
const START_MS = 60_000;
const HELLO_MS = 1_000;
/** What it has said last is enough to see why it does not start. */
const SAID_MAX = 2_000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Process groups that run: they are not left behind when this program is interrupted. */
const running = new Set<number>();
process.once("exit", () => {
  for (const pid of running) killGroup(pid);
});

/** A command that ended, or never answered. */
export class ServiceDidNotStart extends Error {}

/** A running service at `host:port`. Disposing kills it and all that it has started. */
export class ServiceProcess implements AsyncDisposable {
  readonly host = HOST;
  readonly port: number;
  readonly #child: Child;
  readonly #directory: string;

  private constructor(child: Child, port: number, directory: string) {
    this.#child = child;
    this.port = port;
    this.#directory = directory;
  }

  /**
   * Runs the command in a shell, and waits until somebody answers at its port. `{port}` in it is a
   * free port, and `{directory}` a new, empty folder that is removed at the end.
   *
   * @throws ServiceDidNotStart
   */
  static async start(command: string): Promise<ServiceProcess> {
    const [port, directory] = await Promise.all([freePort(), newDirectory()]);
    const line = command.replaceAll("{port}", String(port)).replaceAll("{directory}", directory);
    // In a process group of its own, so that the shell's children end with it. Its input stays open:
    // some programs end with it.
    const child = spawn(line, { shell: true, detached: true, stdio: ["pipe", "pipe", "pipe"] });
    const service = new ServiceProcess(child, port, directory);
    if (child.pid !== undefined) running.add(child.pid);
    try {
      await service.#untilItAnswers();
      return service;
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether it has ended by itself. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    const ended = this.hasEnded ? undefined : once(this.#child, "exit");
    // The shell may have ended before what it has started.
    if (pid !== undefined) {
      killGroup(pid);
      running.delete(pid);
    }
    await ended;
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #untilItAnswers(): Promise<void> {
    const said = lastWords(this.#child);
    using transport = new GrpcTransport({ host: HOST, port: this.port });
    const client = createClient(TaskHubSidecarService, transport);
    const deadline = Date.now() + START_MS;
    for (;;) {
      if (this.hasEnded) throw new ServiceDidNotStart(`the command has ended: ${said()}`);
      if (Date.now() > deadline) throw new ServiceDidNotStart(`nobody answers: ${said()}`);
      if (await answers(client)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function answers(client: {
  hello(request: object, options: { timeoutMs: number }): Promise<unknown>;
}): Promise<boolean> {
  try {
    await client.hello({}, { timeoutMs: HELLO_MS });
    return true;
  } catch (error) {
    const { code } = ConnectError.from(error);
    return code !== Code.Unavailable && code !== Code.DeadlineExceeded;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

/** Reads all that a process says, so that it is never held up, and returns the last of it. */
function lastWords({ stdout, stderr, stdin }: Child): () => string {
  let words = "";
  const keep = (chunk: Buffer) => {
    words = `${words}${chunk.toString()}`.slice(-SAID_MAX);
  };
  stdout.on("data", keep);
  stderr.on("data", keep);
  // It may end before its input does.
  stdin.on("error", () => {});
  return () => words.trim();
}

function newDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "conformance-"));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
