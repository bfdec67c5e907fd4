/** A whole sidecar in this process, on the memory store and a free port. */
import { createClient } from "@connectrpc/connect";
import { silentLog } from "../../sidecar/foundation/log.ts";
import { showAddress } from "../../sidecar/process/addresses.ts";
import { type App, startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CompatWorker, type CompatWorkerOptions } from "./compat-worker.ts";
import { GrpcTransport } from "./grpc-transport.ts";

export class RunningSidecar implements AsyncDisposable {
  readonly address: string;
  readonly #app: App;
  readonly #transport: GrpcTransport;
  readonly #workers: CompatWorker[] = [];

  static async start(): Promise<RunningSidecar> {
    const flags = { store: "memory", listen: "127.0.0.1:0", logLevel: "error" };
    const config = parseServeConfig({ flags, environment: {}, workingDirectory: "/" });
    return new RunningSidecar(await startApp(config, { log: silentLog }));
  }

  constructor(app: App) {
    const [listening] = app.addresses;
    if (listening === undefined) throw new Error("listens nowhere");
    this.#app = app;
    this.address = showAddress(listening);
    this.#transport = new GrpcTransport(listening);
  }

  /** A worker that answers as the test says. */
  worker(options: CompatWorkerOptions = {}): CompatWorker {
    const client = createClient(TaskHubSidecarService, this.#transport);
    const worker = new CompatWorker(client, options);
    this.#workers.push(worker);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app[Symbol.asyncDispose]();
    for (const worker of this.#workers) await worker[Symbol.asyncDispose]();
    this.#transport[Symbol.dispose]();
  }
}
