/**
 * A server at the far end of the wire that answers `taskhub.v1` as a test says: for answers that a
 * real sidecar gives seldom, or never twice in the same way.
 */
import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";

export interface ScriptedService extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

export async function scriptedService(
  v1: Partial<ServiceImpl<typeof ClientService>>,
  compat: Partial<ServiceImpl<typeof TaskHubSidecarService>> = {},
): Promise<ScriptedService> {
  const handler = connectNodeAdapter({
    routes: (router) => {
      router.service(ClientService, v1);
      router.service(TaskHubSidecarService, compat);
    },
  });
  const server = createServer(handler);
  const connections = new Set<ServerHttp2Session>();
  server.on("session", (session) => connections.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("listens nowhere");
  return {
    address: `127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}
