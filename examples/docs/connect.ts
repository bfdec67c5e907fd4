/** What the TypeScript programs of these pages begin with: clients of both services. */
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { NoOpLogger, TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";

/** A sidecar. Disposing closes the connections. */
export interface Connected extends AsyncDisposable {
  /** `taskhub.v1`: holds, custom status, queries. */
  readonly taskhub: Client<typeof ClientService>;
  /** The published SDK: starts instances and waits for them. */
  readonly sdk: TaskHubGrpcClient;
}

/** @param address `host:port` */
export function connect(address: string): Connected {
  const baseUrl = `http://${address}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const taskhub = createClient(ClientService, createGrpcTransport({ baseUrl, sessionManager }));
  const sdk = new TaskHubGrpcClient({ hostAddress: address, logger: new NoOpLogger() });
  return {
    taskhub,
    sdk,
    async [Symbol.asyncDispose]() {
      sessionManager.abort();
      await sdk.stop();
    },
  };
}
