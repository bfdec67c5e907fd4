/** A sidecar with a kill switch, the clients that ask it, and a worker that takes whatever it gives. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@connectrpc/connect";
import {
  type OrchestratorAction,
  TaskHubSidecarService,
  type WorkItem,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { GrpcTransport } from "../../support/grpc-transport.ts";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.ts";

const killSwitch = fileURLToPath(new URL("kill-switch-child.ts", import.meta.url));

/** The hub that a window without a selector holds in this test. */
export const CLOSED_HUB = "closed";
export const inClosedHub = { headers: { taskhub: CLOSED_HUB } };

export interface StartOptions {
  /** Its data is in a folder of it. */
  readonly directory: string;
  /** What its kill switch does once it is armed: `after:2`. */
  readonly killAt: string;
}

/** One life of the sidecar. */
export class HeldSidecar {
  readonly v1: Client<typeof ClientService>;
  readonly compat: Client<typeof TaskHubSidecarService>;
  readonly #process: SidecarProcess;
  readonly #transport: GrpcTransport;
  readonly #items: WorkItem[] = [];
  readonly #end = new AbortController();
  readonly #working: Promise<unknown>;
  #arrival = Promise.withResolvers<void>();

  /** Resolves when it is ready: what was under way when the last one ended goes on. */
  static async start({ directory, killAt }: StartOptions): Promise<HeldSidecar> {
    const sidecar = await startSidecar({
      dataDirectory: join(directory, "data"),
      nodeArgs: ["--import", killSwitch],
      // Most of a start is the compiling of the sources, which need not be repeated.
      env: { KILL_SWITCH: killAt, NODE_COMPILE_CACHE: join(directory, "compiled") },
    });
    await sidecar.logged("sidecar.ready");
    return new HeldSidecar(sidecar);
  }

  private constructor(sidecar: SidecarProcess) {
    this.#process = sidecar;
    this.#transport = new GrpcTransport({ host: "127.0.0.1", port: sidecar.port });
    this.v1 = createClient(ClientService, this.#transport);
    this.compat = createClient(TaskHubSidecarService, this.#transport);
    this.#working = Promise.all([this.#work({}), this.#work(inClosedHub)]);
  }

  /** Whoever waits for work learns by a rejection that there is none any more. */
  async turnOf(instanceId: string): Promise<WorkItem> {
    return this.#take(
      ({ request }) =>
        request.case === "orchestratorRequest" && request.value.instanceId === instanceId,
    );
  }

  async complete(
    { completionToken, request }: WorkItem,
    actions: readonly OrchestratorAction[],
    customStatus?: string,
  ): Promise<void> {
    if (request.case !== "orchestratorRequest") throw new Error("not a turn");
    await this.compat.completeOrchestratorTask({
      instanceId: request.value.instanceId,
      completionToken,
      actions: [...actions],
      ...(customStatus === undefined ? {} : { customStatus }),
    });
  }

  /** How many items of an instance were given out in this life. */
  given(instanceId: string): number {
    return this.#items.filter((item) => ownerOf(item) === instanceId).length;
  }

  /** From now on it dies at a commit. */
  async arm(): Promise<void> {
    void this.#process.kill("SIGUSR2");
    await this.#process.logged("kill-switch.armed");
  }

  /** It is dead when this resolves, by its switch or by this. @returns complaints in its log */
  async kill(): Promise<readonly unknown[]> {
    await this.#process.kill("SIGKILL");
    await this.#close();
    return this.#process.complaints();
  }

  /** Asks it to stop. @returns how it ended */
  async stop(): Promise<unknown> {
    // A worker that has work would be waited for.
    await this.#close();
    return this.#process.stop();
  }

  async #close(): Promise<void> {
    this.#end.abort();
    await this.#working;
    this.#transport[Symbol.dispose]();
  }

  async #take(wanted: (item: WorkItem) => boolean): Promise<WorkItem> {
    // Ends with the item, or with the process.
    for (;;) {
      const item = this.#items.findLast(wanted);
      if (item !== undefined) return item;
      await this.#arrival.promise;
    }
  }

  async #work(options: { readonly headers?: Record<string, string> }): Promise<void> {
    this.#arrival.promise.catch(() => {});
    try {
      const stream = this.compat.getWorkItems({}, { ...options, signal: this.#end.signal });
      for await (const item of stream) {
        this.#items.push(item);
        this.#arrival.resolve();
        this.#arrival = Promise.withResolvers();
        this.#arrival.promise.catch(() => {});
      }
    } catch (error) {
      this.#arrival.reject(error);
    }
  }
}

function ownerOf({ request }: WorkItem): string {
  switch (request.case) {
    case "orchestratorRequest":
      return request.value.instanceId;
    case "activityRequest":
      return request.value.orchestrationInstance?.instanceId ?? "";
    default:
      return "";
  }
}
