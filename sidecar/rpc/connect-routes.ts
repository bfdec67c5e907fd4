/** The services over HTTP/1.1: Connect with JSON and binary messages, and gRPC-web. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod, DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { assert } from "../foundation/assert.ts";
import { HubError } from "../foundation/errors.ts";
import { ArrivingBody, oneAtATime } from "./connect-arrival.ts";
import { ConnectCall } from "./connect-call.ts";
import { type ConnectMethod, methodHandlers, refusalOf } from "./connect-methods.ts";
import type { Connection } from "./connection.ts";
import { stays } from "./connection-seats.ts";
import { type InternalErrorReporter, newCorrelationId } from "./error-mapping.ts";
import { dropLongTimeout } from "./grpc-http2.ts";
import { isNeverRefused, NO_ROOM_FOR_REQUEST, type RequestBudget } from "./request-budget.ts";
import type { MountedMethod, ServiceMount } from "./service.ts";

/** What to serve. */
export interface ConnectRoutesOptions {
  readonly services: readonly ServiceMount[];
  /** Every failure that callers see only as "internal error". */
  readonly onInternalError: InternalErrorReporter;
  /** Bytes of one message from a caller, also after decompression. */
  readonly receiveBytesMax: number;
  /** Memory for requests, over all connections. */
  readonly requests: RequestBudget;
}

/** Answers one POST request. Never throws. */
export type ConnectRoute = (
  request: IncomingMessage,
  response: ServerResponse,
  connection: Connection,
) => void;

const connectionKey = createContextKey<Connection | undefined>(undefined);
const callKey = createContextKey<ConnectCall | undefined>(undefined);
const bodyKey = createContextKey<ArrivingBody | undefined>(undefined);

/**
 * The routes of all methods with one request, by path; `/package.Service/Method`. HTTP/1.1 cannot
 * carry more than one. A method without implementation answers UNIMPLEMENTED.
 */
export function connectRoutes(options: ConnectRoutesOptions): ReadonlyMap<string, ConnectRoute> {
  const { services, onInternalError, receiveBytesMax, requests } = options;
  const router = createConnectRouter({
    // That is for HTTP/2, and for grpc-js.
    grpc: false,
    readMaxBytes: receiveBytesMax,
    acceptCompression: oneAtATime([compressionGzip, compressionBrotli]),
    // A misspelt field would otherwise be a wish that nobody hears of.
    jsonOptions: { ignoreUnknownFields: false },
    requestGate: (context) => beginCall(context, onInternalError),
  });
  for (const { service, methods } of services) {
    for (const method of service.methods) {
      addMethod(router, method, methods.get(method.localName), onInternalError);
    }
  }
  const routes = new Map<string, ConnectRoute>();
  for (const handler of router.handlers) {
    routes.set(handler.requestPath, (request, response, connection) => {
      const share = requests.share({ isNeverRefused: isNeverRefused(handler.method.name) });
      response.on("close", () => share.close());
      const body = new ArrivingBody(share, request.headers, receiveBytesMax);
      const values = createContextValues().set(connectionKey, connection).set(bodyKey, body);
      const refusal = () => noRoom(handler.method, onInternalError);
      const bytes = (from: AsyncIterable<Uint8Array>) => body.counted(from, refusal);
      serve(handler, request, response, { values, bytes }).catch((error: unknown) => {
        // The caller is gone, and with it whoever could be told.
        if (response.destroyed || response.socket?.destroyed !== false) return;
        onInternalError(error, newCorrelationId(), handler.requestPath);
        response.destroy();
      });
    });
  }
  return routes;
}

function addMethod(
  router: ConnectRouter,
  method: DescMethod,
  mounted: MountedMethod | undefined,
  onInternalError: InternalErrorReporter,
): void {
  const edge: ConnectMethod = {
    method,
    onInternalError,
    callOf: stays(method) ? stayingCallOf : callOf,
  };
  const { unary, serverStreaming } = methodHandlers(edge, mounted);
  switch (method.methodKind) {
    case "unary":
      router.rpc(method as DescMethodUnary, unary);
      break;
    case "server_streaming":
      router.rpc(method as DescMethodServerStreaming, serverStreaming);
      break;
  }
}

/** What a request is served with. */
interface Arriving {
  readonly values: ContextValues;
  /** The body, as it is read. */
  readonly bytes: (from: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/** Resolves when the answer is handed over, or never: Connect waits for an event that none emits. */
async function serve(
  handler: UniversalHandler,
  request: IncomingMessage,
  response: ServerResponse,
  { values, bytes }: Arriving,
): Promise<void> {
  dropLongTimeout(request.headers);
  dropLongConnectTimeout(request);
  // What is left of a refused request is in the way of the next one; its time is limited.
  response.on("finish", () => request.resume());
  const answer = await handler({
    ...universalRequestFromNodeRequest(request, response, undefined, values),
    // A request that is refused half-way is still to be answered, which its end would prevent.
    body: bytes(request.iterator({ destroyOnReturn: false })),
  });
  await universalResponseToNodeResponse(answer, response);
}

const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** As `dropLongTimeout`: the caller, who has the deadline too, ends the call. */
function dropLongConnectTimeout({ headers }: IncomingMessage): void {
  const timeout = headers["connect-timeout-ms"];
  if (typeof timeout !== "string" || !/^\d{1,10}$/.test(timeout)) return;
  if (Number(timeout) > TIMEOUT_MAX_MS) delete headers["connect-timeout-ms"];
}

/** Called when the headers of a request are there, before its body is read. */
function beginCall(context: HandlerContext, onInternalError: InternalErrorReporter): void {
  const { method, signal, values } = context;
  const connection = values.get(connectionKey);
  assert(connection !== undefined, "a request belongs to a connection");
  if (values.get(bodyKey)?.begin() === false) throw noRoom(method, onInternalError);
  try {
    const call = new ConnectCall(context, connection);
    values.set(callKey, call);
    signal.addEventListener("abort", () => {
      if (!call.entered) blameCaller(signal.reason);
      // Cancel, deadline, or Connect tidying up after the answer: the call knows which.
      call.abort(new HubError("cancelled", "the caller has cancelled the call or is gone"));
    });
  } catch (error) {
    throw refusalOf(error, method, onInternalError);
  }
}

function noRoom(method: DescMethod, onInternalError: InternalErrorReporter): ConnectError {
  return refusalOf(new HubError("limit-exceeded", NO_ROOM_FOR_REQUEST), method, onInternalError);
}

/** Called when the request was read. What the calls that stay hold on to is bounded by their seats. */
function stayingCallOf(context: HandlerContext): ConnectCall {
  context.values.get(bodyKey)?.close();
  return callOf(context);
}

function callOf({ values }: HandlerContext): ConnectCall {
  const call = values.get(callKey);
  assert(call !== undefined, "a method is called after its call has begun");
  return call;
}

/**
 * Connect says INTERNAL of a body that it cannot decode, which callers retry. It aborts the signal
 * with the very error that it writes to the wire afterwards, and that is the only place to correct
 * it.
 */
function blameCaller(reason: unknown): void {
  if (!(reason instanceof ConnectError) || reason.code !== Code.Internal) return;
  Object.assign(reason, { code: Code.InvalidArgument });
}
