import { Metadata, type ServerDuplexStream, type ServerWritableStream } from "@grpc/grpc-js";
import type { MemoryBudget } from "../scheduler/memory-budget.ts";

/**
 * What one stream may have given to grpc-js that the network has not taken yet. One item may exceed
 * the bytes.
 */
const UNSENT_MESSAGES_MAX = 8;
const UNSENT_BYTES_MAX = 1024 * 1024;

/** How items are sent. */
export interface SendOptions<Item> {
  readonly signal: AbortSignal;
  readonly encode: (item: Item) => Buffer;
  /** What all streams have unsent. */
  readonly outbound: MemoryBudget;
}

/** Of a call of grpc-js: what sending needs. */
type SendingCall = Pick<ServerWritableStream<Buffer, Buffer>, "write" | "sendMetadata"> & {
  once(event: "cancelled", listener: () => void): unknown;
};

/**
 * Send items in order. Resolves when the last is handed over; ending the stream is left to the
 * caller.
 *
 * Response headers go out at once: for an SDK they mean "connected". An item is pulled only while
 * little is unsent. `write() === false` would come later: grpc-js has no bound of its own and
 * counts 16 objects of any size, so the account here is of what was flushed. On abort the
 * iterator's `return` is called, which may wake it.
 *
 * @throws the signal's reason; whatever the iterator or `encode` throws
 */
export async function sendItems<Item>(
  call: SendingCall,
  items: AsyncIterable<Item>,
  { signal, encode, outbound }: SendOptions<Item>,
): Promise<void> {
  call.sendMetadata(new Metadata());
  const iterator = items[Symbol.asyncIterator]();
  const unsent = new UnsentAccount(outbound);
  // Emitted at every end of a call, after the last flush if it ends well. grpc-js says nothing of
  // what it had not flushed before.
  call.once("cancelled", () => unsent.close());
  let returned: Promise<unknown> | undefined;
  const stop = () => {
    unsent.wake();
    returned ??= iterator.return?.();
    // Awaited below, once the step that may still be pending is over; not to be called unhandled
    // before that.
    returned?.catch(() => {});
  };
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await iterator.next();
      signal.throwIfAborted();
      if (next.done) return;
      const bytes = encode(next.value);
      call.write(bytes, unsent.add(bytes.byteLength));
      if (!unsent.hasRoom) await unsent.room();
    }
  } catch (error) {
    stop();
    await returned;
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * The requests of a bidirectional call, decoded as they are read. Leaving the loop early does not
 * end the call.
 *
 * @throws the signal's reason when the call ends before its requests do
 */
export async function* receiveItems<Item>(
  call: ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
  decode: (bytes: Buffer) => Item,
): AsyncGenerator<Item, void, undefined> {
  const received: AsyncIterable<Buffer> = call.iterator({ destroyOnReturn: false });
  try {
    for await (const bytes of received) yield decode(bytes);
  } catch (error) {
    // The stream breaks off in its own words when a call is ended.
    signal.throwIfAborted();
    throw error;
  }
  // A lost connection looks like the orderly end of the requests.
  signal.throwIfAborted();
}

/**
 * Messages and bytes handed to grpc-js and not yet flushed: flow control reaches us here.
 *
 * A stream that has nothing unsent may always send one message, so that streams that nobody reads
 * cannot stop the others by what they have of the common budget. Who waits for room has something
 * unsent, and looks again when that is flushed; nobody else has to wake it.
 */
class UnsentAccount {
  readonly #outbound: MemoryBudget;
  #messages = 0;
  #bytes = 0;
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(outbound: MemoryBudget) {
    this.#outbound = outbound;
  }

  get hasRoom(): boolean {
    if (this.#messages === 0) return true;
    if (this.#outbound.isFull) return false;
    return this.#messages < UNSENT_MESSAGES_MAX && this.#bytes < UNSENT_BYTES_MAX;
  }

  /** Returns what to call when the message is flushed. */
  add(bytes: number): () => void {
    if (this.#isClosed) return () => {};
    this.#messages += 1;
    this.#bytes += bytes;
    this.#outbound.take(bytes);
    return () => {
      if (this.#isClosed) return;
      this.#messages -= 1;
      this.#bytes -= bytes;
      this.#outbound.take(-bytes);
      if (this.hasRoom) this.wake();
    };
  }

  /** The call is over, and nothing of it will be flushed any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbound.take(-this.#bytes);
  }

  /** Resolves when there is room, or on `wake`. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
