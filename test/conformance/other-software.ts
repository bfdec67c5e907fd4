/** Connections of workers that are not made by grpc-js, and say so: services look at the user agent. */
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

export interface Connection extends Disposable {
  readonly transport: Transport;
}

/** gRPC's limit for what is received, which most SDKs leave as it is. */
const RECEIVE_BYTES_MAX = 4 * 1024 * 1024;

/** @param userAgent `grpc-java-netty/1.60.0` */
export function connectAs(
  userAgent: string,
  { host, port }: { readonly host: string; readonly port: number },
): Connection {
  const baseUrl = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const named: Interceptor = (next) => (request) => {
    request.header.set("user-agent", userAgent);
    return next(request);
  };
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: [named],
    readMaxBytes: RECEIVE_BYTES_MAX,
  });
  return { transport, [Symbol.dispose]: () => sessionManager.abort() };
}
