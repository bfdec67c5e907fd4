/** The published JavaScript SDK, unmodified: silent, and against a sidecar on this machine. */
import { Metadata } from "@grpc/grpc-js";
import {
  NoOpLogger,
  type Task,
  TaskHubGrpcClient,
  type TaskHubGrpcClientOptions,
  TaskHubGrpcWorker,
  type TaskHubGrpcWorkerOptions,
} from "@microsoft/durabletask-js";

/**
 * The body of an orchestrator. `yield` fits whatever it is assigned to, so a result is declared
 * where it arrives: `const sum: number = yield context.callActivity("add", 1);`
 */
export type Steps<Result = unknown> = AsyncGenerator<Task<unknown>, Result, never>;

/** Where a client or a worker belongs: a port here, and a task hub, if not the default one. */
export interface HubAddress {
  readonly port: number;
  readonly taskHub?: string;
}

export function newClient(
  address: HubAddress,
  options: TaskHubGrpcClientOptions = {},
): TaskHubGrpcClient {
  return new TaskHubGrpcClient({ ...connectionOf(address), ...options });
}

export function newWorker(
  address: HubAddress,
  options: TaskHubGrpcWorkerOptions = {},
): TaskHubGrpcWorker {
  return new TaskHubGrpcWorker({ ...connectionOf(address), ...options });
}

function connectionOf({ port, taskHub }: HubAddress) {
  return {
    hostAddress: `127.0.0.1:${port}`,
    logger: new NoOpLogger(),
    options: {
      // A connection for each client and worker: gRPC would let those of equal options share one.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
    },
    // A call before the sidecar listens waits for it. Without this it fails at once, and a worker
    // whose very first call fails gives up without a word.
    metadataGenerator: async () => {
      const metadata = new Metadata({ waitForReady: true });
      if (taskHub !== undefined) metadata.set("taskhub", taskHub);
      return metadata;
    },
  };
}
