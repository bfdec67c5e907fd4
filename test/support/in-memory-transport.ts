import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type Code,
  ConnectError,
  createRouterTransport,
  type HandlerContext,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { labelValue, taskHubName } from "../../sidecar/rpc/call-metadata.ts";
import { type InternalErrorReporter, toRpcStatus } from "../../sidecar/rpc/error-mapping.ts";
import type {
  CallContext,
  MountedMethod,
  ServiceMount,
  StreamItem,
} from "../../sidecar/rpc/service.ts";

/** What a test wants to know or set of the calls that it makes without a network. */
export interface InMemoryTransportOptions {
  /** Default: throws, so that a test fails in which an internal error is not expected. */
  readonly onInternalError?: InternalErrorReporter;
  /** Default "in-memory". */
  readonly connection?: string;
}

/**
 * The mounts behind Connect's in-memory transport: the same methods, contexts and status codes as
 * over gRPC, no socket. Use it with `createClient` of @connectrpc/connect; failures are
 * `ConnectError`s, whose codes are those of gRPC.
 */
export function inMemoryTransport(
  mounts: readonly ServiceMount[],
  options: InMemoryTransportOptions = {},
): Transport {
  const edge: Required<InMemoryTransportOptions> = {
    onInternalError: options.onInternalError ?? unexpected,
    connection: options.connection ?? "in-memory",
  };
  return createRouterTransport(({ service }) => {
    for (const mount of mounts) service(mount.service, toConnect(mount, edge));
  });
}

function unexpected(error: unknown): never {
  throw error;
}

function toConnect(
  { service, methods }: ServiceMount,
  edge: Required<InMemoryTransportOptions>,
): Partial<ServiceImpl<DescService>> {
  const implementation: Record<string, unknown> = {};
  for (const method of service.methods) {
    const mounted = methods.get(method.localName);
    if (mounted === undefined) continue;
    implementation[method.localName] =
      mounted.kind === "unary"
        ? unary(method, mounted.invoke, edge)
        : streaming(method, mounted, edge);
  }
  return implementation as Partial<ServiceImpl<DescService>>;
}

function unary(
  method: DescMethod,
  invoke: Extract<MountedMethod, { kind: "unary" }>["invoke"],
  edge: Required<InMemoryTransportOptions>,
) {
  return async (request: never, handlerContext: HandlerContext) => {
    using context = new InMemoryCall(handlerContext, edge.connection);
    try {
      return await invoke(request, context.checked());
    } catch (error) {
      throw toConnectError(error, method, edge);
    }
  };
}

function streaming(
  method: DescMethod,
  mounted: Exclude<MountedMethod, { kind: "unary" }>,
  edge: Required<InMemoryTransportOptions>,
) {
  return async function* (request: never, handlerContext: HandlerContext) {
    using context = new InMemoryCall(handlerContext, edge.connection);
    try {
      const iterator = mounted.invoke(request, context.checked())[Symbol.asyncIterator]();
      // Connect neither pulls nor returns what is left of a cancelled call.
      context.signal.addEventListener("abort", () => {
        iterator.return?.().catch((error: unknown) => toConnectError(error, method, edge));
      });
      for await (const item of { [Symbol.asyncIterator]: () => iterator }) {
        yield decoded(method.output, item);
      }
    } catch (error) {
      throw toConnectError(error, method, edge);
    }
  };
}

function decoded<O extends DescMessage>(schema: O, item: StreamItem<O>): MessageInitShape<O> {
  return item instanceof Uint8Array ? (fromBinary(schema, item) as MessageInitShape<O>) : item;
}

function toConnectError(
  error: unknown,
  method: DescMethod,
  edge: Required<InMemoryTransportOptions>,
): ConnectError {
  const path = `/${method.parent.typeName}/${method.name}`;
  const { code, details } = toRpcStatus(error, path, edge.onInternalError);
  // Connect took its codes, with their numbers, from gRPC.
  return new ConnectError(details, code as number as Code);
}

/**
 * The context of a call, from Connect's. Disposed when the call is answered: after that nothing
 * aborts.
 */
class InMemoryCall implements CallContext, Disposable {
  readonly peer = "in-memory";
  readonly connection: string;
  readonly #context: HandlerContext;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort(reasonOf(this.#context.signal));

  constructor(context: HandlerContext, connection: string) {
    this.#context = context;
    this.connection = connection;
    context.signal.addEventListener("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get taskHub(): string {
    return taskHubName(this.#values("taskhub"));
  }

  get userAgent(): string {
    return labelValue(this.#values("x-user-agent")) ?? this.library;
  }

  get library(): string {
    return labelValue(this.#values("user-agent")) ?? "";
  }

  get workerId(): string | undefined {
    return labelValue(this.#values("workerid"));
  }

  /** @throws HubError "invalid-argument": the method must not run */
  checked(): this {
    void this.taskHub;
    return this;
  }

  [Symbol.dispose](): void {
    this.#context.signal.removeEventListener("abort", this.#abort);
  }

  #values(key: string): string[] {
    const value = this.#context.requestHeader.get(key);
    return value === null ? [] : [value];
  }
}

function reasonOf(signal: AbortSignal): HubError {
  const timedOut = signal.reason instanceof ConnectError && signal.reason.code === 4;
  return timedOut
    ? new HubError("deadline-exceeded", "the deadline of the call has passed")
    : new HubError("cancelled", "the caller has cancelled the call");
}
