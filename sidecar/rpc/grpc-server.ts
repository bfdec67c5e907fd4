import type { Socket } from "node:net";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import {
  type ConnectionInjector,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { type SteadyClock, systemSteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { present } from "../wire/history-event.ts";
import { type Connection, peerOf, type RunningCall } from "./connection.ts";
import { type InternalErrorReporter, newCorrelationId } from "./error-mapping.ts";
import { countRequests } from "./grpc-arrival.ts";
import type { SurfaceCall } from "./grpc-call.ts";
import { guardCalls } from "./grpc-http2.ts";
import { requestKinds, toGrpcService } from "./grpc-methods.ts";
import { inOurWords } from "./grpc-words.ts";
import type { PageSources } from "./http-pages.ts";
import { HttpServer, type HttpTimes } from "./http-server.ts";
import { type ListenAddress, Listeners, type LoopbackAddresses } from "./listeners.ts";
import { type Protocol, sniff } from "./preface.ts";
import { type WireBudgets, wireBudgets } from "./request-budget.ts";
import { isLoopbackAddress } from "./same-origin.ts";
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
  /** Connections at one time for each address; above it new ones are closed at once. */
  readonly connectionsMax?: number;
  /** What HTTP/2 may hold for one connection, in MB: streams, and frames on their way out. */
  readonly sessionMemoryMaxMb?: number;
  /** A connection is pinged this often, with or without calls, … */
  readonly keepaliveTimeMs?: number;
  /**
   * … and cut when no answer came within this time: that is how a half-open connection is noticed.
   */
  readonly keepaliveTimeoutMs?: number;
  /** A connection that does not say what it speaks is closed after this time … */
  readonly prefaceTimeoutMs?: number;
  /** So long may the one request of a gRPC call take to arrive, … */
  readonly requestTimeoutMs?: number;
  /** … both by this clock. */
  readonly steadyClock?: SteadyClock;
  /** Memory for what is on its way in and out; default: `wireBudgets()`. */
  readonly budgets?: WireBudgets;
  /** What the pages of the HTTP/1.1 side show. */
  readonly pages?: PageSources;
  /** Bounds of the HTTP/1.1 side. */
  readonly httpTimes?: Partial<HttpTimes>;
}

/** Defaults of the options that are not in LIMITS. */
export const GRPC_SERVER_DEFAULTS = {
  /** All waiters may share one connection, and must leave room for the calls that wake them. */
  callsPerConnectionMax: LIMITS.waitersMax + 2_000,
  sessionMemoryMaxMb: 128,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 15_000,
  prefaceTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
} as const;

/** How long calls may still run when the server stops. */
export interface StopOptions {
  readonly graceMs: number;
}

/**
 * A gRPC server over clear-text HTTP/2, with a side for HTTP/1.1 on the same port. It listens
 * nowhere until told to.
 */
export function startGrpcServer(options: GrpcServerOptions): GrpcServer {
  // grpc-js has one log per process, and would print there what callers send.
  setLogVerbosity(logVerbosity.NONE);
  return new GrpcServer(options);
}

/**
 * Owns the sockets: learns what each connection speaks, hands it to grpc-js or to the HTTP/1.1 side,
 * and knows the calls of all of them until it closes. Made by `startGrpcServer`.
 */
export class GrpcServer implements AsyncDisposable {
  readonly #options: GrpcServerOptions;
  readonly #injector: ConnectionInjector;
  readonly #http: HttpServer;
  readonly #listeners: Listeners;
  readonly #connections = new Map<string, OpenConnection>();
  #connectionsAccepted = 0;
  #stopped: Promise<void> | undefined;
  #lastConnectionClosed: (() => void) | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { requests, outbound } = options.budgets ?? wireBudgets();
    const clock = options.steadyClock ?? systemSteadyClock;
    const { requestTimeoutMs = GRPC_SERVER_DEFAULTS.requestTimeoutMs } = options;
    const { receiveBytesMax = LIMITS.receiveBytesMax, services } = options;
    const server = new Server({
      ...grpcOptions(options),
      interceptors: [
        inOurWords(receiveBytesMax),
        countRequests({ services, budget: requests, receiveBytesMax, clock, requestTimeoutMs }),
      ],
    });
    const connectionOf = (call: SurfaceCall) => this.#connectionOf(call);
    for (const mount of options.services) {
      const { onInternalError } = options;
      const service = toGrpcService(mount, { connectionOf, onInternalError, outbound });
      server.addService(service.definition, service.handlers);
    }
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    guardCalls(server, {
      methods: requestKinds(services),
      clock,
      requestTimeoutMs,
    });
    this.#http = new HttpServer({
      services: options.services,
      pages: options.pages ?? {},
      times: options.httpTimes ?? {},
      onInternalError: options.onInternalError,
      receiveBytesMax,
      requests,
    });
    this.#listeners = new Listeners({
      onConnection: (socket, address) => this.#accept(socket, address),
      onAcceptError: (cause, count) => {
        const error = new Error(`${count} times a connection was not accepted`, { cause });
        options.onInternalError(error, newCorrelationId(), "accept");
      },
      ...present("clock", options.steadyClock),
      ...present("connectionsMax", options.connectionsMax),
    });
  }

  /** @see Listeners.listen */
  listen(host: string, port: number): Promise<ListenAddress> {
    return this.#listeners.listen(host, port);
  }

  /** @see Listeners.listenLoopback */
  listenLoopback(port: number): Promise<LoopbackAddresses> {
    return this.#listeners.listenLoopback(port);
  }

  /**
   * Stop: no new connections, streams end with UNAVAILABLE at once, connections are told to go
   * away or, over HTTP/1.1, closed when they have no call, unary calls may finish for `graceMs`,
   * then they end with UNAVAILABLE too and what is still connected is cut.
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
    this.#listeners.close();
    const reason = new HubError("unavailable", "the server is stopping");
    this.#endCalls(reason, (call) => call.kind === "stream");
    for (const { protocol, socket } of this.#connections.values()) {
      if (protocol === undefined) socket.destroy();
    }
    this.#injector.destroy();
    this.#http.stop();
    await this.#connectionsClosed(graceMs);
    this.#endCalls(reason, () => true);
    // The statuses leave with the writes of this loop turn.
    await nextLoopTurn();
    await Promise.all([...this.#connections.values()].map(({ socket }) => cut(socket)));
    this.#http[Symbol.dispose]();
  }

  #endCalls(reason: HubError, which: (call: RunningCall) => boolean): void {
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

  #accept(socket: Socket, address: ListenAddress): void {
    if (this.#stopped !== undefined) {
      socket.destroy();
      return;
    }
    this.#connectionsAccepted += 1;
    const connection: OpenConnection = {
      id: `connection-${this.#connectionsAccepted}`,
      peer: peerOf(socket),
      calls: new Set(),
      socket,
      toLoopback: isLoopbackAddress(address.host),
      protocol: undefined,
    };
    this.#connections.set(connection.id, connection);
    // The close event follows, and says all that matters.
    socket.on("error", () => {});
    socket.on("close", () => this.#closed(connection));
    const { steadyClock: clock = systemSteadyClock } = this.#options;
    const { prefaceTimeoutMs: timeoutMs = GRPC_SERVER_DEFAULTS.prefaceTimeoutMs } = this.#options;
    sniff(socket, { clock, timeoutMs }, (protocol) => this.#handOver(connection, protocol));
  }

  #handOver(connection: OpenConnection, protocol: Protocol): void {
    const { id, socket } = connection;
    connection.protocol = protocol;
    if (protocol === "http/1.1") {
      this.#http.serve(connection);
      return;
    }
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

interface OpenConnection extends Connection {
  readonly socket: Socket;
  readonly toLoopback: boolean;
  /** Undefined until it is known. */
  protocol: Protocol | undefined;
}

/** Resolves when it is closed. Not by `once`, which would throw what broke the connection. */
function cut(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy();
  });
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
