/** Calls on behalf of one check: they end with it, name its hub, and are noted while they last. */
import type {
  DescMessage,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
} from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import type { Waits } from "./waits.ts";
import type { ServiceClient } from "./worker.ts";

export interface Bound {
  readonly signal: AbortSignal;
  readonly waits: Waits;
  /** Names of the methods that were called. */
  readonly calls: Set<string>;
  /** The task hub that calls name, if they name none themselves. */
  readonly taskHub?: string | undefined;
}

type HeadersInit = ConstructorParameters<typeof Headers>[0];

export class BoundTransport implements Transport {
  readonly #inner: Transport;
  readonly #bound: Bound;

  constructor(inner: Transport, bound: Bound) {
    this.#inner = inner;
    this.#bound = bound;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit,
    input: MessageInitShape<I>,
  ): Promise<UnaryResponse<I, O>> {
    this.#bound.calls.add(method.name);
    return this.#bound.waits.during(
      `an answer to ${method.name}`,
      this.#inner.unary(method, this.#signal(signal), timeoutMs, this.#headers(header), input),
    );
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit,
    input: AsyncIterable<MessageInitShape<I>>,
  ): Promise<StreamResponse<I, O>> {
    this.#bound.calls.add(method.name);
    return this.#inner.stream(
      method,
      this.#signal(signal),
      timeoutMs,
      this.#headers(header),
      input,
    );
  }

  #signal(own: AbortSignal | undefined): AbortSignal {
    const { signal } = this.#bound;
    return own === undefined ? signal : AbortSignal.any([signal, own]);
  }

  #headers(own: HeadersInit): Headers {
    const headers = new Headers(own);
    const { taskHub } = this.#bound;
    if (taskHub !== undefined && !headers.has("taskhub")) headers.set("taskhub", taskHub);
    return headers;
  }
}

/** The same calls; what nobody waits for any more may fail unheard. */
export function quietClient(client: ServiceClient): ServiceClient {
  return new Proxy(client, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== "function") return method;
      return (...given: unknown[]) => {
        const answer: unknown = method(...given);
        if (answer instanceof Promise) answer.catch(() => {});
        return answer;
      };
    },
  });
}
