import { once } from "node:events";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import {
  type ConnectionInjector,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { assert } from "../foundation/assert.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type InternalErrorReporter, newCorrelationId } from "./error-mapping.ts";
import type { Connection, GrpcCall, SurfaceCall } from "./grpc-call.ts";
import { correctHeaders } from "./grpc-http2.ts";
import { toGrpcService } from "./grpc-methods.ts";
import type { ServiceMount } from "./service.ts";

/** What to serve, and the bounds of one server. */
export interface GrpcServerOptions {
  readonly services: readonly ServiceMount[];
  /** Every failure that callers see only as "internal error". */
  readonly onInternalError: InternalErrorReporter;
  /** After the calls of the connection were aborted. Gets what `CallContext.connection` was. */
  readonly onConnectionClosed?: (connection: string) => void;
  /** Bytes of one message from a caller, also after decompression. */
  readonly receiveBytesMax?: number;
  /** Calls at one time on one connection. Above it callers queue on their side: no error. */
  readonly callsPerConnectionMax?: number;
  /** What HTTP/2 may hold for one connection, in MB: streams, and frames on their way out. */
  readonly sessionMemoryMaxMb?: number;
  /** A connection is pinged this often, with or without calls, … */
  readonly keepaliveTimeMs?: number;
  /**
   * … and cut when no answer came within this time: that is how a half-open connection is noticed.
   */
  readonly keepaliveTimeoutMs?: number;
}

/** Defaults of the options that are not in LIMITS. */
export const GRPC_SERVER_DEFAULTS = {
  /** All waiters may share one connection, and must leave room for the calls that wake them. */
  callsPerConnectionMax: LIMITS.waitersMax + 2_000,
  sessionMemoryMaxMb: 128,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 15_000,
} as const;

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Result of `listenLoopback`. */
export interface LoopbackAddresses {
  readonly addresses: readonly ListenAddress[];
  /** Set when the machine has no IPv6 loopback: the code of node's error. */
  readonly ipv6Unavailable: string | undefined;
}

/** How long calls may still run when the server stops. */
export interface StopOptions {
  readonly graceMs: number;
}

/** A gRPC server over clear-text HTTP/2. It listens nowhere until told to. */
export function startGrpcServer(options: GrpcServerOptions): GrpcServer {
  // grpc-js has one log per process, and would print there what callers send.
  setLogVerbosity(logVerbosity.NONE);
  return new GrpcServer(options);
}

/**
 * grpc-js behind listeners of our own: they give plain bind errors, and tell when a connection
 * closes. Made by `startGrpcServer`.
 */
export class GrpcServer implements AsyncDisposable {
  readonly #options: GrpcServerOptions;
  readonly #injector: ConnectionInjector;
  readonly #listeners = new Set<NetServer>();
  readonly #connections = new Map<string, OpenConnection>();
  #connectionsAccepted = 0;
  #stopped: Promise<void> | undefined;
  #lastConnectionClosed: (() => void) | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const server = new Server(grpcOptions(options));
    const connectionOf = (call: SurfaceCall) => this.#connectionOf(call);
    for (const mount of options.services) {
      const { onInternalError } = options;
      const service = toGrpcService(mount, { connectionOf, onInternalError });
      server.addService(service.definition, service.handlers);
    }
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    correctHeaders(server);
  }

  /**
   * Accept connections at an address; any number of times. Port 0 takes a free one.
   *
   * @throws node's own error, with `code` EADDRINUSE, EACCES, EADDRNOTAVAIL, …
   */
  async listen(host: string, port: number): Promise<ListenAddress> {
    assert(this.#stopped === undefined, "listen after stop");
    const listener = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    listener.listen({ host, port });
    await once(listener, "listening");
    if (this.#stopped !== undefined) {
      listener.close();
      throw new HubError("unavailable", "the server was stopped before it listened");
    }
    this.#listeners.add(listener);
    // What fails later is one accept, for want of file descriptors: the caller tries again, the
    // server goes on.
    listener.on("error", (error) => {
      this.#options.onInternalError(error, newCorrelationId(), "accept");
    });
    const { address, port: boundPort } = listener.address() as AddressInfo;
    return { host: address, port: boundPort };
  }

  /**
   * Accept connections on both loopback addresses at the same port: `localhost` is `::1` first on
   * many machines. A machine without IPv6 loopback is served on IPv4 alone.
   *
   * @throws as `listen`; then it listens on neither
   */
  async listenLoopback(port: number): Promise<LoopbackAddresses> {
    for (let attempt = 1; ; attempt += 1) {
      const ipv4 = await this.listen("127.0.0.1", port);
      try {
        const ipv6 = await this.listen("::1", ipv4.port);
        return { addresses: [ipv4, ipv6], ipv6Unavailable: undefined };
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? "";
        if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") {
          return { addresses: [ipv4], ipv6Unavailable: code };
        }
        this.#closeListener(ipv4);
        // A port that was free on IPv4 may be taken on IPv6; the next one that the system picks is
        // probably not.
        if (port !== 0 || code !== "EADDRINUSE" || attempt === LOOPBACK_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Stop: no new connections, streams end with UNAVAILABLE at once, connections are told to go
   * away, unary calls may finish for `graceMs`, then they end with UNAVAILABLE too and what is
   * still connected is cut.
   *
   * Resolves when everything is closed. Idempotent: later calls wait for the first one and keep its
   * grace.
   */
  stop(options: StopOptions): Promise<void> {
    this.#stopped ??= this.#stop(options.graceMs);
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop({ graceMs: 0 });
  }

  async #stop(graceMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    const reason = new HubError("unavailable", "the server is stopping");
    this.#endCalls(reason, (call) => call.kind === "stream");
    this.#injector.destroy();
    await this.#connectionsClosed(graceMs);
    this.#endCalls(reason, () => true);
    // The statuses leave with the writes of this loop turn.
    await nextLoopTurn();
    const closing = [...this.#connections.values()].map(({ socket }) => once(socket, "close"));
    for (const { socket } of this.#connections.values()) socket.destroy();
    await Promise.all(closing);
  }

  #endCalls(reason: HubError, which: (call: GrpcCall) => boolean): void {
    for (const { calls } of this.#connections.values()) {
      for (const call of calls) if (which(call)) call.end(reason);
    }
  }

  /** Waits until no connection is open, at most for the given time. */
  async #connectionsClosed(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastConnectionClosed = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  #closeListener({ host, port }: ListenAddress): void {
    for (const listener of this.#listeners) {
      const bound = listener.address() as AddressInfo;
      if (bound.address !== host || bound.port !== port) continue;
      listener.close();
      this.#listeners.delete(listener);
    }
  }

  /**
   * A new connection. All of them are HTTP/2 with prior knowledge so far: a side for HTTP/1.1 would
   * look at the first bytes here, before anything is injected.
   */
  #accept(socket: Socket): void {
    if (this.#stopped !== undefined) {
      socket.destroy();
      return;
    }
    this.#connectionsAccepted += 1;
    const id = `connection-${this.#connectionsAccepted}`;
    const connection: OpenConnection = { id, peer: peerOf(socket), calls: new Set(), socket };
    this.#connections.set(id, connection);
    // The close event follows, and says all that matters.
    socket.on("error", () => {});
    socket.on("close", () => this.#closed(connection));
    // All that grpc-js tells of a call's connection is `getPeer()`, made of these two properties.
    // Real addresses are not unique: a caller may use one port towards two of our addresses, and
    // ports are used again.
    Object.defineProperty(socket, "remoteAddress", { value: id });
    Object.defineProperty(socket, "remotePort", { value: undefined });
    this.#injector.injectConnection(socket);
  }

  #closed(connection: OpenConnection): void {
    this.#connections.delete(connection.id);
    const reason = new HubError("cancelled", "the connection of the caller is closed");
    for (const call of connection.calls) call.abort(reason);
    this.#options.onConnectionClosed?.(connection.id);
    if (this.#connections.size === 0) this.#lastConnectionClosed?.();
  }

  #connectionOf(call: SurfaceCall): Connection {
    const connection = this.#connections.get(call.getPeer());
    if (connection === undefined) throw new HubError("cancelled", "the connection is closed");
    return connection;
  }
}

/** How many free IPv4 ports are tried for one that is free on IPv6 too. */
const LOOPBACK_ATTEMPTS = 10;

interface OpenConnection extends Connection {
  readonly socket: Socket;
}

function grpcOptions(options: GrpcServerOptions): ServerOptions {
  const { keepaliveTimeMs, keepaliveTimeoutMs, sessionMemoryMaxMb, callsPerConnectionMax } = {
    ...GRPC_SERVER_DEFAULTS,
    ...options,
  };
  return {
    "grpc.max_receive_message_length": options.receiveBytesMax ?? LIMITS.receiveBytesMax,
    // What may be sent is decided where it is made: an answer refused here would be lost work.
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": callsPerConnectionMax,
    "grpc-node.max_session_memory": sessionMemoryMaxMb,
    "grpc.keepalive_time_ms": keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    // Bookkeeping for a debugging service that is not mounted.
    "grpc.enable_channelz": 0,
  };
}

function peerOf({ remoteAddress, remotePort, remoteFamily }: Socket): string {
  // A caller that is gone already has no address.
  if (remoteAddress === undefined) return "unknown";
  const host = remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}
