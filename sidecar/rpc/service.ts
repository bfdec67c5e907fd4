import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

/** What a method knows of its call besides the request. The same over every transport. */
export interface CallContext {
  /** The task hub that the caller named (metadata key `taskhub`); "default" if it named none. */
  readonly taskHub: string;
  /**
   * Aborted when nobody waits for the answer any more: cancel, deadline, lost connection, server
   * stop. The reason is a `HubError`: "cancelled", "deadline-exceeded" or "unavailable". Never
   * aborted after the answer. Reading it costs something; a method that answers at once should not.
   */
  readonly signal: AbortSignal;
  /**
   * Identity of the transport connection, never used twice: what `onConnectionClosed` is later
   * called with.
   */
  readonly connection: string;
  /** Network address of the caller, for logs. */
  readonly peer: string;
  /**
   * The SDK's name and version (`x-user-agent`), else that of its gRPC library; "" if neither was
   * sent.
   */
  readonly userAgent: string;
  /** The gRPC library's name and version (`user-agent`); "" if it was not sent. */
  readonly library: string;
  /** What a worker calls itself (metadata key `workerid`): a label, not an identity. */
  readonly workerId: string | undefined;
}

/** One request, one answer. */
export type UnaryMethod<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;

/**
 * An item of a response stream: a message, or its finished encoding, which is carried without being
 * decoded.
 */
export type StreamItem<O extends DescMessage> = MessageInitShape<O> | Uint8Array;

/**
 * One request, many answers. The next item is pulled only when the transport has room for it. When
 * the call ends early the iterator's `return` is called; a generator that waits must also obey
 * `context.signal`.
 */
export type StreamMethod<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<StreamItem<O>>;

/**
 * Many requests, many answers. Iterating `requests` throws the signal's reason when the call ends
 * early.
 */
export type BidiMethod<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => AsyncIterable<StreamItem<O>>;

/** The implementation that a method of this kind needs. No service of ours has client streaming. */
export type MethodImplementation<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryMethod<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? StreamMethod<I, O>
      : M extends DescMethodBiDiStreaming<infer I, infer O>
        ? BidiMethod<I, O>
        : never;

/** Methods by their local name (`startInstance`). A missing one answers UNIMPLEMENTED. */
export type ServiceImplementation<S extends DescService> = {
  readonly [K in keyof S["method"]]?: MethodImplementation<S["method"][K]>;
};

/** A method as the transports see it: its kind and its types are known at run time only. */
export type MountedMethod =
  | { readonly kind: "unary"; readonly invoke: UnaryMethod<DescMessage, DescMessage> }
  | { readonly kind: "server_streaming"; readonly invoke: StreamMethod<DescMessage, DescMessage> }
  | { readonly kind: "bidi_streaming"; readonly invoke: BidiMethod<DescMessage, DescMessage> };

/** A service with its implementation, ready for a transport. Made by `mountService`. */
export interface ServiceMount {
  readonly service: DescService;
  /** By local name; only what is implemented. */
  readonly methods: ReadonlyMap<string, MountedMethod>;
}

/** Join a service and its implementation. The only place where their precise types are given up. */
export function mountService<S extends DescService>(
  service: S,
  implementation: ServiceImplementation<S>,
): ServiceMount {
  const implemented = implementation as Partial<Record<string, MountedMethod["invoke"]>>;
  const methods = new Map<string, MountedMethod>();
  for (const { localName, methodKind } of service.methods) {
    const invoke = implemented[localName]?.bind(implementation);
    if (invoke !== undefined) {
      methods.set(localName, { kind: methodKind, invoke } as MountedMethod);
    }
  }
  return { service, methods };
}
