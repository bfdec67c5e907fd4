import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { mountService, type ServiceMount } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CountingHub } from "./counting-hub.ts";
import { openTestServer, type Served, type TestServer } from "./rpc-harness.ts";

type TransportOptions = Parameters<typeof createConnectTransport>[0];

/** The transports of the HTTP/1.1 side; for `describe.each`, like `transports`. */
export const httpTransports: readonly {
  readonly name: string;
  readonly serve: (...mounts: ServiceMount[]) => Promise<Served>;
}[] = [
  {
    name: "Connect with JSON",
    serve: (...mounts) => serve(mounts, createConnectTransport, { useBinaryFormat: false }),
  },
  {
    name: "Connect",
    serve: (...mounts) => serve(mounts, createConnectTransport, { useBinaryFormat: true }),
  },
  {
    name: "gRPC-web",
    serve: (...mounts) => serve(mounts, createGrpcWebTransport, { useBinaryFormat: true }),
  },
];

async function serve(
  mounts: readonly ServiceMount[],
  createTransport: (options: TransportOptions) => Transport,
  { useBinaryFormat }: { readonly useBinaryFormat: boolean },
): Promise<Served> {
  const { server, address, internalErrors } = await openTestServer(mounts);
  const agent = new Agent({ keepAlive: true });
  const transport = createTransport({
    baseUrl: `http://${address.host}:${address.port}`,
    httpVersion: "1.1",
    nodeOptions: { agent },
    useBinaryFormat,
  });
  return {
    transport,
    internalErrors,
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await server.stop({ graceMs: 0 });
    },
  };
}

/** The two protocols of a client library, on connections that are told by their agent. */
export const httpClients: readonly [string, (baseUrl: string, agent: Agent) => Transport][] = [
  [
    "Connect",
    (baseUrl, agent) =>
      createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } }),
  ],
  [
    "gRPC-web",
    (baseUrl, agent) =>
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } }),
  ],
];

/** A server of a hub that counts its calls. */
export async function countingServer(options: Parameters<typeof openTestServer>[1] = {}) {
  const hub = new CountingHub();
  const served = await openTestServer([mountService(TaskHubSidecarService, hub)], options);
  return { hub, served };
}

export function urlOf({ address }: TestServer): string {
  return `http://${address.host}:${address.port}`;
}

/** A POST as bytes, for what a client library would not do. */
export function requestText(path: string, body: string, type: string, headers = ""): string {
  const length = `Content-Length: ${body.length}\r\n`;
  const contentType = `Content-Type: ${type}\r\n`;
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${contentType}${headers}${length}\r\n${body}`;
}
