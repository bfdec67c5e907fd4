/** A sidecar that has no file descriptors left says so seldom, and serves again when it has. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { framed, RawHttp2 } from "../../support/raw-http2.ts";

const EMPTY = framed(new Uint8Array());

/** A sidecar on the memory store with few descriptors, and what it logs. */
class TightSidecar implements AsyncDisposable {
  readonly lines: { readonly msg?: string; readonly [field: string]: unknown }[] = [];
  readonly #child: ChildProcess;
  #heard = () => {};

  constructor(descriptors: number) {
    const serve = "serve --store memory --listen 127.0.0.1:0";
    const command = `ulimit -n ${descriptors}; exec "${process.execPath}" sidecar/main.ts ${serve}`;
    this.#child = spawn("bash", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("no output");
    createInterface(stdout).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      this.#heard();
    });
  }

  /** Resolves when a line is there that a test waits for. */
  async line(isIt: (text: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.lines.map((line) => JSON.stringify(line)).find(isIt);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

const isAcceptError = (text: string) => text.includes('"accept"');

it("connections above the file descriptors are dropped, seldom logged, and served again later", async () => {
  await using sidecar = new TightSidecar(60);
  const started = await sidecar.line((text) => text.includes("sidecar.started"));
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(started)?.[1]);
  await sidecar.line((text) => text.includes("sidecar.ready"));
  const beganAtMs = performance.now();
  const sockets: Socket[] = [];
  for (let at = 0; at < 500; at += 1) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    sockets.push(socket);
    await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
  }
  // Those that found no descriptor are closed by the sidecar, whose others stay.
  const dropped = sockets.map((socket) => socket.destroyed || once(socket, "close"));
  await Promise.race(dropped.slice(100));
  const seconds = (performance.now() - beganAtMs) / 1_000;
  const closed = sockets.map((socket) => socket.destroyed || once(socket, "close"));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  // Descriptors come back as the sidecar sees that the connections are gone.
  for (;;) {
    await using raw = new RawHttp2({ host: "127.0.0.1", port });
    const answer = await raw.call("/TaskHubSidecarService/Hello", EMPTY);
    if (answer.grpc === status.OK) break;
  }
  const told = sidecar.lines.filter((line) => isAcceptError(JSON.stringify(line)));
  expect(told.length).toBeLessThanOrEqual(seconds + 3);
});
