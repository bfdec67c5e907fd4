import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

type HeadersInit = ConstructorParameters<typeof Headers>[0];

/**
 * Real gRPC calls by grpc-js behind Connect's interface of a transport: one test can use
 * `createClient` over this and over the in-memory transport. Has a TCP connection of its own, and
 * waits for response headers before it returns a stream.
 */
export class GrpcTransport implements Transport, Disposable {
  readonly #client: Client;

  constructor(
    address: { readonly host: string; readonly port: number },
    options: ChannelOptions = {},
  ) {
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    this.#client = new Client(`${host}:${address.port}`, credentials.createInsecure(), {
      // grpc-js otherwise shares a connection among all clients of a process.
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit,
    input: MessageInitShape<I>,
  ): Promise<UnaryResponse<I, O>> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        input,
        metadataOf(header),
        optionsOf(timeoutMs),
        (error, message) => {
          if (message === undefined) reject(toConnectError(error));
          else resolve({ stream: false, service: method.parent, method, ...noHeaders(), message });
        },
      );
      cancelOn(signal, call);
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit,
    input: AsyncIterable<MessageInitShape<I>>,
  ): Promise<StreamResponse<I, O>> {
    // A call that streams both ways is on the wire what the other kinds are.
    const call = this.#client.makeBidiStreamRequest(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      metadataOf(header),
      optionsOf(timeoutMs),
    );
    cancelOn(signal, call);
    sendAll(call, input);
    return new Promise((resolve, reject) => {
      call.once("error", (error) => reject(toConnectError(error)));
      const begun = () => {
        const message = received(call);
        resolve({ stream: true, service: method.parent, method, ...noHeaders(), message });
      };
      call.once("metadata", begun);
      // Some servers end a stream without messages by its trailers alone, which have no headers before.
      call.once("status", begun);
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

type CancellableIterable<M> = AsyncIterable<M> & { cancel(): void };

async function* received<M>(call: CancellableIterable<M>): AsyncGenerator<M> {
  try {
    yield* call;
  } catch (error) {
    throw toConnectError(error);
  } finally {
    call.cancel();
  }
}

function sendAll<M>(
  call: { write(message: M): unknown; end(): unknown; cancel(): void },
  messages: AsyncIterable<M>,
): void {
  const send = async () => {
    for await (const message of messages) call.write(message);
    call.end();
  };
  send().catch(() => call.cancel());
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): void {
  if (signal?.aborted) call.cancel();
  else signal?.addEventListener("abort", () => call.cancel(), { once: true });
}

function pathOf(method: DescMethodUnary | DescMethodStreaming): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<I extends DescMessage>(schema: I): (message: MessageInitShape<I>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, create(schema, message)));
}

function decoder<O extends DescMessage>(schema: O): (bytes: Buffer) => MessageShape<O> {
  return (bytes) => fromBinary(schema, bytes);
}

function metadataOf(header: HeadersInit): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of new Headers(header)) metadata.add(key, value);
  return metadata;
}

function optionsOf(timeoutMs: number | undefined): CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function noHeaders(): { header: Headers; trailer: Headers } {
  return { header: new Headers(), trailer: new Headers() };
}

function toConnectError(error: unknown): ConnectError {
  const { code, details } = error as ServiceError;
  // Connect took its codes, with their numbers, from gRPC.
  return new ConnectError(details, code as number as Code);
}
