/** Requests on their way in over HTTP/1.1: what they take is accounted for before it is read. */
import type { IncomingHttpHeaders } from "node:http";
import type { Compression } from "@connectrpc/connect/protocol";
import type { RequestShare } from "./request-budget.ts";

/**
 * The body of one request. Its length is known ahead of it, unless it comes in chunks: then each is
 * counted as it comes.
 */
export class ArrivingBody {
  readonly #share: RequestShare;
  /** What the request says that it has; more than one message may have is counted as it comes. */
  readonly #announced: number;
  #taken = 0;

  constructor(share: RequestShare, headers: IncomingHttpHeaders, receiveBytesMax: number) {
    const length = Number(headers["content-length"] ?? 0);
    this.#share = share;
    this.#announced = length <= receiveBytesMax ? length : 0;
  }

  /** Before the first byte is read. False if there is no room. */
  begin(): boolean {
    return this.#takeUpTo(this.#announced);
  }

  /**
   * The bytes, each piece counted before it is handed on.
   *
   * @throws what `refusal` makes when there is no room for more
   */
  async *counted(
    bytes: AsyncIterable<Uint8Array>,
    refusal: () => Error,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let arrived = 0;
    for await (const piece of bytes) {
      arrived += piece.byteLength;
      if (!this.#takeUpTo(arrived)) throw refusal();
      yield piece;
    }
  }

  /** The method has the request, and answers for what it holds on to. Also when the call is over. */
  close(): void {
    this.#share.close();
  }

  #takeUpTo(bytes: number): boolean {
    const more = bytes - this.#taken;
    if (more <= 0) return true;
    if (!this.#share.take(more, this.#taken)) return false;
    this.#taken = bytes;
    return true;
  }
}

/**
 * The same compressions, which decompress one message at a time, all of them together: nobody can
 * know how large a message will be, and Connect does not say whose it is. What is decompressed is
 * read at once.
 */
export function oneAtATime(compressions: readonly Compression[]): Compression[] {
  let last: Promise<unknown> = Promise.resolve();
  return compressions.map((compression) => ({
    name: compression.name,
    compress: (bytes) => compression.compress(bytes),
    decompress: (bytes, readMaxBytes) => {
      const next = last.then(() => compression.decompress(bytes, readMaxBytes));
      // Its caller hears of a failure; who comes behind it does not. Nor is the message kept here.
      const over = () => {};
      last = next.then(over, over);
      return next;
    },
  }));
}
