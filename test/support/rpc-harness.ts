import type { Transport } from "@connectrpc/connect";
import {
  type GrpcServer,
  type GrpcServerOptions,
  startGrpcServer,
} from "../../sidecar/rpc/grpc-server.ts";
import type { ListenAddress } from "../../sidecar/rpc/listeners.ts";
import type { ServiceMount } from "../../sidecar/rpc/service.ts";
import { GrpcTransport } from "./grpc-transport.ts";
import { inMemoryTransport } from "./in-memory-transport.ts";

/** What was given to `onInternalError`. */
export interface InternalError {
  readonly error: unknown;
  readonly correlationId: string;
  readonly method: string;
}

/** Services behind one transport, for the length of a test. */
export interface Served extends AsyncDisposable {
  readonly transport: Transport;
  readonly internalErrors: readonly InternalError[];
}

/**
 * The transports that every method must work over alike: `describe.each(transports)("… over $name",
 * …)`.
 */
export const transports: readonly {
  readonly name: string;
  readonly serve: (...mounts: ServiceMount[]) => Promise<Served>;
}[] = [
  { name: "the in-memory transport", serve: serveInMemory },
  { name: "gRPC", serve: serveGrpc },
];

/** A server on a free port of 127.0.0.1. It fails no test by itself: look at `internalErrors`. */
export interface TestServer extends AsyncDisposable {
  readonly server: GrpcServer;
  readonly address: ListenAddress;
  readonly internalErrors: readonly InternalError[];
}

/** Serve until disposed. */
export async function openTestServer(
  mounts: readonly ServiceMount[],
  options: Partial<GrpcServerOptions> = {},
): Promise<TestServer> {
  const internalErrors: InternalError[] = [];
  const server = startGrpcServer({
    services: mounts,
    onInternalError: (error, correlationId, method) =>
      internalErrors.push({ error, correlationId, method }),
    ...options,
  });
  const address = await server.listen("127.0.0.1", 0);
  return { server, address, internalErrors, [Symbol.asyncDispose]: () => server.stop(NO_GRACE) };
}

const NO_GRACE = { graceMs: 0 };

async function serveInMemory(...mounts: ServiceMount[]): Promise<Served> {
  const internalErrors: InternalError[] = [];
  const transport = inMemoryTransport(mounts, {
    onInternalError: (error, correlationId, method) =>
      internalErrors.push({ error, correlationId, method }),
  });
  return { transport, internalErrors, [Symbol.asyncDispose]: async () => {} };
}

async function serveGrpc(...mounts: ServiceMount[]): Promise<Served> {
  const { server, address, internalErrors } = await openTestServer(mounts);
  const transport = new GrpcTransport(address);
  return {
    transport,
    internalErrors,
    [Symbol.asyncDispose]: async () => {
      transport[Symbol.dispose]();
      await server.stop(NO_GRACE);
    },
  };
}
