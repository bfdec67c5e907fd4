import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LIMITS } from "../foundation/limits.ts";
import { type ConnectRoute, connectRoutes } from "./connect-routes.ts";
import type { Connection } from "./connection.ts";
import { type InternalErrorReporter, newCorrelationId } from "./error-mapping.ts";
import {
  httpPages,
  type PageContent,
  type PageSources,
  type Pages,
  plainText,
} from "./http-pages.ts";
import type { RequestBudget } from "./request-budget.ts";
import { originRefusal } from "./same-origin.ts";
import type { ServiceMount } from "./service.ts";

/** Bounds of the HTTP/1.1 side. None limits how long an answer may take: waits and streams do. */
export interface HttpTimes {
  /** From the first byte of a request, or from the begin of the connection, to its last header. */
  readonly headersTimeoutMs: number;
  /** From there to the last byte of its body. */
  readonly requestTimeoutMs: number;
  /** How long a connection without request is kept. */
  readonly keepAliveTimeoutMs: number;
  /** How often the first two are looked at. */
  readonly checkIntervalMs: number;
  /** When TCP begins to ask whether a silent caller still exists. */
  readonly tcpKeepAliveMs: number;
}

/** What to serve, and the bounds. */
export interface HttpServerOptions {
  readonly services: readonly ServiceMount[];
  readonly pages: PageSources;
  readonly times: Partial<HttpTimes>;
  readonly onInternalError: InternalErrorReporter;
  readonly receiveBytesMax: number;
  /** Memory for requests, over all connections. */
  readonly requests: RequestBudget;
}

/** A connection that speaks HTTP/1.1. */
export interface HttpConnection extends Connection {
  readonly socket: Socket;
  /** It came to an address that only this machine can connect to. */
  readonly toLoopback: boolean;
}

const defaultTimes: HttpTimes = {
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 120_000,
  keepAliveTimeoutMs: 30_000,
  checkIntervalMs: 5_000,
  tcpKeepAliveMs: 30_000,
};

interface OpenHttpConnection {
  readonly connection: HttpConnection;
  /** Pipelined requests are several at a time. */
  readonly responses: Set<ServerResponse>;
}

/**
 * The side for `curl`, browsers and probes: Connect, gRPC-web and a few pages over HTTP/1.1. It is
 * handed its connections, and listens nowhere.
 */
export class HttpServer implements Disposable {
  readonly #server: Server;
  readonly #times: HttpTimes;
  readonly #routes: ReadonlyMap<string, ConnectRoute>;
  readonly #pages: Pages;
  readonly #onInternalError: InternalErrorReporter;
  readonly #connections = new Map<Socket, OpenHttpConnection>();
  #stopping = false;

  constructor(options: HttpServerOptions) {
    this.#times = { ...defaultTimes, ...options.times };
    this.#onInternalError = options.onInternalError;
    this.#routes = connectRoutes(options);
    this.#pages = httpPages(options.pages);
    this.#server = createServer(
      {
        maxHeaderSize: LIMITS.metadataBytesMax,
        headersTimeout: this.#times.headersTimeoutMs,
        requestTimeout: this.#times.requestTimeoutMs,
        keepAliveTimeout: this.#times.keepAliveTimeoutMs,
        connectionsCheckingInterval: this.#times.checkIntervalMs,
      },
      (request, response) => this.#accept(request, response),
    );
    // A node server looks at its timeouts from the moment that it listens; this one never does.
    this.#server.emit("listening");
  }

  /** Serve a connection from its first byte on. */
  serve(connection: HttpConnection): void {
    const { socket } = connection;
    this.#connections.set(socket, { connection, responses: new Set() });
    socket.on("close", () => this.#connections.delete(socket));
    // HTTP/1.1 has no ping, and a wait may be silent for days.
    socket.setKeepAlive(true, this.#times.tcpKeepAliveMs);
    this.#server.emit("connection", socket);
  }

  /**
   * Take no more calls. A connection without request is closed at once, the others once they are
   * answered.
   */
  stop(): void {
    this.#stopping = true;
    for (const { connection, responses } of this.#connections.values()) {
      for (const response of responses) announceEnd(response);
      if (responses.size === 0) connection.socket.destroySoon();
    }
  }

  /**
   * Call it when no connection is left: node would also cut one whose answer is still on its way.
   */
  [Symbol.dispose](): void {
    this.#server.close();
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    // Both may break with their connection, which tells all that matters.
    request.on("error", () => {});
    response.on("error", () => {});
    const open = this.#connections.get(request.socket);
    if (open === undefined) {
      request.socket.destroy();
      return;
    }
    const { connection, responses } = open;
    responses.add(response);
    response.on("close", () => {
      responses.delete(response);
      if (this.#stopping && responses.size === 0) connection.socket.destroySoon();
    });
    if (this.#stopping) announceEnd(response);
    // Nothing of this port may be shown, run or guessed by pages of other origins.
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("cross-origin-resource-policy", "same-origin");
    this.#answer(request, response, connection).catch((error: unknown) => {
      const correlationId = newCorrelationId();
      this.#onInternalError(error, correlationId, request.method ?? "");
      send(response, plainText(500, `internal error ${correlationId}`));
    });
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    connection: HttpConnection,
  ): Promise<void> {
    const refusal = originRefusal(originOf(request), connection.toLoopback);
    if (refusal !== undefined) return send(response, plainText(403, refusal));
    const path = request.url?.split("?", 1)[0] ?? "";
    const page = this.#pages.get(path);
    if (page !== undefined) {
      if (request.method !== "GET" && request.method !== "HEAD") {
        return refuseMethod(response, "GET, HEAD");
      }
      return send(response, await page());
    }
    const route = this.#routes.get(path);
    if (route === undefined) return send(response, plainText(404, "not found"));
    if (request.method !== "POST") return refuseMethod(response, "POST");
    if (this.#stopping) return send(response, plainText(503, "the server is stopping"));
    route(request, response, connection);
  }
}

function originOf({ headers, headersDistinct }: IncomingMessage) {
  // Of several hosts only the first would be left in `headers`; another reader may take the last.
  const { host = [], origin } = headersDistinct;
  const fetchSite = headers["sec-fetch-site"];
  return {
    host: host.join(","),
    origin: origin?.join(","),
    fetchSite: typeof fetchSite === "string" ? fetchSite : undefined,
  };
}

function announceEnd(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function refuseMethod(response: ServerResponse, allowed: string): void {
  response.setHeader("allow", allowed);
  send(response, plainText(405, `only ${allowed}`));
}

function send(response: ServerResponse, { status, contentType, text }: PageContent): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}
