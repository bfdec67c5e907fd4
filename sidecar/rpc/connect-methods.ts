import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { HubError } from "../foundation/errors.ts";
import type { ConnectCall } from "./connect-call.ts";
import {
  expectedError,
  type InternalErrorReporter,
  RETRY_AFTER,
  toRpcStatus,
} from "./error-mapping.ts";
import type { MountedMethod, StreamItem, StreamMethod, UnaryMethod } from "./service.ts";

/** One method of the HTTP/1.1 side. */
export interface ConnectMethod {
  readonly method: DescMethod;
  readonly onInternalError: InternalErrorReporter;
  readonly callOf: (context: HandlerContext) => ConnectCall;
}

/** A method as Connect's router takes it: one of the two is called, by the kind of the method. */
export interface ConnectHandlers {
  readonly unary: (request: Message, context: HandlerContext) => Promise<Message>;
  readonly serverStreaming: (request: Message, context: HandlerContext) => AsyncIterable<Message>;
}

/** The handlers of a method; without an implementation they answer UNIMPLEMENTED. */
export function methodHandlers(
  edge: ConnectMethod,
  mounted: MountedMethod | undefined,
): ConnectHandlers {
  return {
    unary: (request, context) => {
      const invoke = mounted?.kind === "unary" ? mounted.invoke : missing(edge);
      return answer(edge, invoke, request, context);
    },
    serverStreaming: (request, context) => {
      const invoke = mounted?.kind === "server_streaming" ? mounted.invoke : missing(edge);
      return items(edge, invoke, request, context);
    },
  };
}

/**
 * What a caller is told of a failure. Connect took its codes, with their numbers, from gRPC.
 *
 * @see toRpcStatus
 */
export function refusalOf(
  error: unknown,
  method: DescMethod,
  onInternalError: InternalErrorReporter,
): ConnectError {
  const path = `/${method.parent.typeName}/${method.name}`;
  const { code, details, retryAfterMs } = toRpcStatus(error, path, onInternalError);
  const metadata = retryAfterMs === undefined ? {} : { [RETRY_AFTER]: String(retryAfterMs) };
  return new ConnectError(details, code as number as Code, metadata);
}

async function answer(
  edge: ConnectMethod,
  invoke: UnaryMethod<DescMessage, DescMessage>,
  request: Message,
  context: HandlerContext,
): Promise<Message> {
  const { method, onInternalError } = edge;
  const call = edge.callOf(context);
  try {
    call.enter();
    const message = await call.untilOver(invoke(request, call), reportLate(edge));
    const finished = encodable(method.output, message, context);
    if (!call.finish()) throw call.signal.reason;
    return finished;
  } catch (error) {
    call.finish();
    throw refusalOf(error, method, onInternalError);
  }
}

async function* items(
  edge: ConnectMethod,
  invoke: StreamMethod<DescMessage, DescMessage>,
  request: Message,
  context: HandlerContext,
): AsyncGenerator<Message, void, undefined> {
  const { method, onInternalError } = edge;
  const call = edge.callOf(context);
  let stop = () => {};
  try {
    call.enter();
    const iterator = invoke(request, call)[Symbol.asyncIterator]();
    stop = once(() => {
      iterator.return?.().catch(reportLate(edge));
    });
    // At once, and not when the next item is asked for: nobody asks when the caller is gone.
    call.signal.addEventListener("abort", stop);
    for (;;) {
      const next = await call.untilOver(iterator.next(), reportLate(edge));
      if (next.done) break;
      yield encodable(method.output, messageOf(method.output, next.value), context);
    }
    if (!call.finish()) throw call.signal.reason;
  } catch (error) {
    stop();
    // Connect throws in here what went wrong with sending: that is no failure of the method.
    const cause = call.finish() ? error : call.signal.reason;
    throw refusalOf(cause, method, onInternalError);
  }
}

/** What a method throws when its caller is gone is of interest only if it is a bug. */
function reportLate({ method, onInternalError }: ConnectMethod): (error: unknown) => void {
  return (error) => {
    if (expectedError(error) === undefined) refusalOf(error, method, onInternalError);
  };
}

function missing({ method }: ConnectMethod): () => never {
  return () => {
    const name = `${method.parent.typeName}/${method.name}`;
    throw new HubError("unimplemented", `the server does not implement ${name}`);
  };
}

function messageOf<O extends DescMessage>(schema: O, item: StreamItem<O>): MessageInitShape<O> {
  return item instanceof Uint8Array ? (fromBinary(schema, item) as MessageInitShape<O>) : item;
}

/**
 * A message that the encoding of the call can express: JSON has no word for a time after the year
 * 9999, for one. Found out here, for Connect would tell the caller more than "internal error", and
 * us nothing.
 */
function encodable<O extends DescMessage>(
  schema: O,
  init: MessageInitShape<O>,
  { requestHeader }: HandlerContext,
): Message {
  const message = create(schema, init);
  if (requestHeader.get("content-type")?.includes("json")) toJson(schema, message);
  else toBinary(schema, message);
  return message;
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    run();
  };
}
