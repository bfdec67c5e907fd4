/**
 * gRPC calls as grpc-js makes them, typed by our service descriptors: statuses, metadata and
 * deadlines as they are.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
} from "@grpc/grpc-js";

export interface RawCallOptions {
  /** Text values only: `{ taskhub: "orders" }`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When the call ends with DEADLINE_EXCEEDED; without it, never. */
  readonly deadline?: Date;
}

/**
 * Messages in the order in which they came. Leaving a loop over them early, or disposing, cancels
 * the call.
 */
export interface RawStream<M> extends AsyncIterable<M>, Disposable {
  /**
   * The next message; undefined when the call has ended with OK.
   *
   * @throws grpc-js's `ServiceError` when it has ended otherwise
   */
  next(): Promise<M | undefined>;
  /** Resolves when the response has begun: the method has been reached. Rejects as `next` does. */
  readonly headers: Promise<Metadata>;
  cancel(): void;
}

/**
 * A client with a connection of its own. Calls reject with grpc-js's `ServiceError`, which has
 * `code` and `details`. It does not wait for a server that is not there.
 */
export class RawClient implements Disposable {
  readonly #client: Client;

  /** @param address `host:port` */
  constructor(address: string, options: ChannelOptions = {}) {
    this.#client = new Client(address, credentials.createInsecure(), {
      // grpc-js otherwise shares a connection among all clients of a process.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
      ...options,
    });
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: RawCallOptions = {},
  ): Promise<MessageShape<O>> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    this.#client.makeUnaryRequest<MessageInitShape<I>, MessageShape<O>>(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      request,
      metadataOf(options),
      callOptionsOf(options),
      (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
    );
    return promise;
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: RawCallOptions = {},
  ): RawStream<MessageShape<O>> {
    const call = this.#client.makeServerStreamRequest<MessageInitShape<I>, MessageShape<O>>(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      request,
      metadataOf(options),
      callOptionsOf(options),
    );
    return rawStream(call);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function rawStream<M>(call: ClientReadableStream<M>): RawStream<M> {
  const headers = Promise.withResolvers<Metadata>();
  call.once("metadata", headers.resolve);
  let failure: Error | undefined;
  call.on("error", (error: Error) => {
    failure = error;
    headers.reject(error);
  });
  // Whoever does not wait for them learns of the failure from `next`.
  headers.promise.catch(() => {});
  const cancel = () => call.cancel();
  async function* messages(): AsyncGenerator<M, void> {
    try {
      for await (const message of call) yield message as M;
      // To somebody who begins to read later, a call that has failed looks like one that has ended.
      if (failure !== undefined) throw failure;
    } finally {
      cancel();
    }
  }
  const received = messages();
  return {
    async next() {
      const { value, done } = await received.next();
      return done ? undefined : value;
    },
    headers: headers.promise,
    cancel,
    [Symbol.asyncIterator]: () => received,
    [Symbol.dispose]: cancel,
  };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<I extends DescMessage>(schema: I): (message: MessageInitShape<I>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, create(schema, message)));
}

function decoder<O extends DescMessage>(schema: O): (bytes: Buffer) => MessageShape<O> {
  return (bytes) => fromBinary(schema, bytes);
}

function metadataOf({ metadata = {} }: RawCallOptions): Metadata {
  const sent = new Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
  return sent;
}

function callOptionsOf({ deadline }: RawCallOptions): CallOptions {
  return deadline === undefined ? {} : { deadline };
}
