/**
 * The real server with a task hub in memory behind it, whose clocks stand still, and workers that
 * have connections of their own, directly or through a proxy.
 */
import { type Client, createClient } from "@connectrpc/connect";
import { compatibleService } from "../../../../sidecar/rpc/compat/service.ts";
import type { GrpcServer, GrpcServerOptions } from "../../../../sidecar/rpc/grpc-server.ts";
import { clientService } from "../../../../sidecar/rpc/v1/service.ts";
import { TaskHubSidecarService } from "../../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { CallLog } from "../../../support/compat-calls.ts";
import { CompatWorker, type CompatWorkerOptions } from "../../../support/compat-worker.ts";
import { type CompatClient, statusName } from "../../../support/compat-world.ts";
import { countedIds } from "../../../support/fake-clock.ts";
import { GrpcTransport } from "../../../support/grpc-transport.ts";
import { type InternalError, openTestServer } from "../../../support/rpc-harness.ts";
import { type HubOptions, openHub, type TestHub } from "../../../support/scheduler-harness.ts";
import { TcpProxy } from "../../../support/tcp-proxy.ts";

export interface WorkersOptions extends HubOptions {
  readonly server?: Partial<GrpcServerOptions>;
}

export type RemoteWorkerOptions = CompatWorkerOptions & {
  /** Where it connects to: a proxy, or the server itself. */
  readonly address?: string;
};

export async function openWorkers(options: WorkersOptions = {}): Promise<WorkersWorld> {
  const hub = await openHub(options);
  const calls = new CallLog();
  const mounts = [
    calls.over(compatibleService(hub.hubs, countedIds("c"))),
    calls.over(clientService(hub.hubs, { version: "1", steadyClock: hub.steady })),
  ];
  const served = await openTestServer(mounts, {
    onConnectionClosed: (connection) => hub.hubs.connectionClosed(connection),
    ...options.server,
  });
  return new WorkersWorld(hub, served, calls);
}

export class WorkersWorld implements AsyncDisposable {
  readonly hub: TestHub;
  readonly calls: CallLog;
  readonly address: string;
  readonly client: CompatClient;
  readonly v1: Client<typeof ClientService>;
  readonly server: GrpcServer;
  readonly internalErrors: readonly InternalError[];
  readonly #proxies: TcpProxy[] = [];
  readonly #transports: GrpcTransport[] = [];

  constructor(hub: TestHub, served: Awaited<ReturnType<typeof openTestServer>>, calls: CallLog) {
    this.hub = hub;
    this.calls = calls;
    this.server = served.server;
    this.internalErrors = served.internalErrors;
    this.address = `${served.address.host}:${served.address.port}`;
    const transport = this.connect();
    this.client = createClient(TaskHubSidecarService, transport);
    this.v1 = createClient(ClientService, transport);
  }

  /** A connection of its own. */
  connect(address = this.address): GrpcTransport {
    const at = address.lastIndexOf(":");
    const transport = new GrpcTransport(
      { host: address.slice(0, at), port: Number(address.slice(at + 1)) },
      { "grpc.max_receive_message_length": -1, "grpc.initial_reconnect_backoff_ms": 100 },
    );
    this.#transports.push(transport);
    return transport;
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(this.address);
    this.#proxies.push(proxy);
    return proxy;
  }

  /** A worker with a connection of its own, whose stream the service has seen. */
  async worker({ address, ...options }: RemoteWorkerOptions = {}): Promise<CompatWorker> {
    return this.workerOver(this.connect(address), options);
  }

  async workerOver(
    transport: GrpcTransport,
    options: CompatWorkerOptions = {},
  ): Promise<CompatWorker> {
    const arrived = this.calls.next("getWorkItems");
    const worker = new CompatWorker(createClient(TaskHubSidecarService, transport), options);
    await arrived;
    return worker;
  }

  async start(instanceId: string, name = "Main", input?: string): Promise<void> {
    const request = { instanceId, name, ...(input === undefined ? {} : { input }) };
    await this.client.startInstance(request);
  }

  async status(instanceId: string): Promise<string | undefined> {
    const { orchestrationState } = await this.client.getInstance({ instanceId });
    return orchestrationState && statusName(orchestrationState);
  }

  /** How an instance ended, once it has. */
  async end(instanceId: string): Promise<{ status: string; output: string | undefined }> {
    const request = { instanceId, getInputsAndOutputs: true };
    const { orchestrationState } = await this.client.waitForInstanceCompletion(request);
    if (orchestrationState === undefined) throw new Error("an instance that ended has a state");
    return { status: statusName(orchestrationState), output: orchestrationState.output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const transport of this.#transports) transport[Symbol.dispose]();
    await this.server.stop({ graceMs: 0 });
    for (const proxy of this.#proxies) await proxy[Symbol.asyncDispose]();
    await this.hub[Symbol.asyncDispose]();
  }
}
