import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { HubError } from "../foundation/errors.ts";
import type { MemoryBudget } from "../scheduler/memory-budget.ts";
import { encode } from "../wire/encode.ts";
import type { Connection } from "./connection.ts";
import { stays } from "./connection-seats.ts";
import {
  expectedError,
  type InternalErrorReporter,
  newCorrelationId,
  toRpcStatus,
} from "./error-mapping.ts";
import { requestRead } from "./grpc-arrival.ts";
import { GrpcCall, type SurfaceCall } from "./grpc-call.ts";
import type { GateOptions } from "./grpc-http2.ts";
import { receiveItems, type SendOptions, sendItems } from "./grpc-stream.ts";
import { type GrpcStatus, grpcStatus } from "./grpc-words.ts";
import type { BidiMethod, ServiceMount, StreamItem, StreamMethod, UnaryMethod } from "./service.ts";

/** What the handlers need of the server that they run in. */
export interface GrpcEnvironment {
  readonly connectionOf: (call: SurfaceCall) => Connection;
  readonly onInternalError: InternalErrorReporter;
  /** What all streams have written and the network has not taken. */
  readonly outbound: MemoryBudget;
}

/** What `Server.addService` takes. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

/**
 * A service for grpc-js.
 *
 * grpc-js sees bytes both ways. What it would decode it would also refuse, as INTERNAL, which
 * workers retry; decoded here, a malformed request is INVALID_ARGUMENT. A method without
 * implementation gets no handler: grpc-js answers UNIMPLEMENTED.
 */
export function toGrpcService(mount: ServiceMount, environment: GrpcEnvironment): GrpcService {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const method of mount.service.methods) {
    const implemented = mount.methods.get(method.localName);
    if (implemented === undefined) continue;
    definition[method.localName] = methodDefinition(method);
    const edge: MethodEdge = { method, path: methodPath(method), environment };
    switch (implemented.kind) {
      case "unary":
        handlers[method.localName] = unaryHandler(edge, implemented.invoke);
        break;
      case "server_streaming":
        handlers[method.localName] = streamHandler(edge, implemented.invoke);
        break;
      case "bidi_streaming":
        handlers[method.localName] = bidiHandler(edge, implemented.invoke);
        break;
    }
  }
  return { definition, handlers };
}

/** What is served, and how many requests each call has. A missing method is as good as none. */
export function requestKinds(services: readonly ServiceMount[]): GateOptions["methods"] {
  const kinds = new Map<string, "one request" | "many requests">();
  for (const { service, methods } of services) {
    for (const method of service.methods) {
      const implemented = methods.get(method.localName);
      if (implemented === undefined) continue;
      const isMany = implemented.kind === "bidi_streaming";
      kinds.set(methodPath(method), isMany ? "many requests" : "one request");
    }
  }
  return kinds;
}

/** One method of one server. */
interface MethodEdge {
  readonly method: DescMethod;
  readonly path: string;
  readonly environment: GrpcEnvironment;
}

function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function methodDefinition(method: DescMethod): ServiceDefinition[string] {
  const { methodKind } = method;
  return {
    path: methodPath(method),
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestDeserialize: asItIs,
    requestSerialize: asItIs,
    responseDeserialize: asItIs,
    responseSerialize: asItIs,
  };
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

function unaryHandler(
  edge: MethodEdge,
  invoke: UnaryMethod<DescMessage, DescMessage>,
): handleUnaryCall<Buffer, Buffer> {
  const { input, output } = edge.method;
  const isStaying = stays(edge.method);
  return (call, callback) => {
    const refuse = (error: unknown) => callback(statusOf(edge, error));
    settled(edge, async () => {
      let context: GrpcCall | undefined;
      let answer: Buffer;
      try {
        context = new GrpcCall("unary", call, edge.environment.connectionOf(call), refuse);
        const request = decode(input, call.request);
        if (isStaying) requestRead(call, call.request.byteLength);
        answer = encodeReply(output, await invoke(request, context));
      } catch (error) {
        failed(edge, context, error, refuse);
        return;
      }
      if (context.finish()) callback(null, answer);
    });
  };
}

function streamHandler(
  edge: MethodEdge,
  invoke: StreamMethod<DescMessage, DescMessage>,
): handleServerStreamingCall<Buffer, Buffer> {
  const { input, output } = edge.method;
  return (call) => {
    const refuse = (error: unknown) => call.emit("error", statusOf(edge, error));
    settled(edge, async () => {
      let context: GrpcCall | undefined;
      try {
        context = new GrpcCall("stream", call, edge.environment.connectionOf(call), refuse);
        const request = decode(input, call.request);
        requestRead(call, call.request.byteLength);
        const items = invoke(request, context);
        await sendItems(call, items, sendOptions(edge, output, context));
      } catch (error) {
        failed(edge, context, error, refuse);
        return;
      }
      if (context.finish()) call.end();
    });
  };
}

function bidiHandler(
  edge: MethodEdge,
  invoke: BidiMethod<DescMessage, DescMessage>,
): handleBidiStreamingCall<Buffer, Buffer> {
  const { input, output } = edge.method;
  return (call) => {
    const refuse = (error: unknown) => call.emit("error", statusOf(edge, error));
    settled(edge, async () => {
      let context: GrpcCall | undefined;
      try {
        context = new GrpcCall("stream", call, edge.environment.connectionOf(call), refuse);
        const requests = receiveItems(call, context.signal, (bytes) => {
          requestRead(call, bytes.byteLength);
          return decode(input, bytes);
        });
        const items = invoke(requests, context);
        await sendItems(call, items, sendOptions(edge, output, context));
      } catch (error) {
        failed(edge, context, error, refuse);
        return;
      }
      if (context.finish()) call.end();
    });
  };
}

function sendOptions<O extends DescMessage>(
  { environment }: MethodEdge,
  output: O,
  { signal }: GrpcCall,
): SendOptions<StreamItem<O>> {
  return {
    signal,
    encode: (item) => encodeItem(output, item),
    outbound: environment.outbound,
  };
}

/**
 * Run a call to its end. Nothing may escape: grpc-js looks at no promise, and its caller would wait
 * for ever.
 */
function settled(edge: MethodEdge, run: () => Promise<void>): void {
  run().catch((error: unknown) => {
    edge.environment.onInternalError(error, newCorrelationId(), edge.path);
  });
}

/** A method threw, or was not reached. If its caller is gone only bugs are of interest. */
function failed(
  edge: MethodEdge,
  context: GrpcCall | undefined,
  error: unknown,
  refuse: (error: unknown) => void,
): void {
  if (context === undefined || context.finish()) refuse(error);
  else if (expectedError(error) === undefined) statusOf(edge, error);
}

function statusOf(edge: MethodEdge, error: unknown): GrpcStatus {
  return grpcStatus(toRpcStatus(error, edge.path, edge.environment.onInternalError));
}

function decode<I extends DescMessage>(schema: I, bytes: Uint8Array): MessageShape<I> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    const message = `the request is not a valid ${schema.typeName} message`;
    throw new HubError("invalid-argument", message, { cause });
  }
}

function encodeReply<O extends DescMessage>(schema: O, message: MessageInitShape<O>): Buffer {
  // Most answers to workers say nothing but "done".
  if (schema.fields.length === 0) return noBytes;
  return asBuffer(encode(schema, create(schema, message)));
}

function encodeItem<O extends DescMessage>(schema: O, item: StreamItem<O>): Buffer {
  return item instanceof Uint8Array ? asBuffer(item) : encodeReply(schema, item);
}

/** grpc-js copies messages with a method that only `Buffer` has. The bytes stay where they are. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const noBytes = Buffer.alloc(0);
