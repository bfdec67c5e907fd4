/** Requests on their way in over gRPC: what they take is accounted for before it is read. */
import { constants, type ServerHttp2Stream } from "node:http2";
import { createGunzip, createInflate } from "node:zlib";
import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { assert } from "../foundation/assert.ts";
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { stays } from "./connection-seats.ts";
import { rpcStatus } from "./error-mapping.ts";
import type { SurfaceCall } from "./grpc-call.ts";
import { grpcStatus } from "./grpc-words.ts";
import {
  isNeverRefused,
  NO_ROOM_FOR_REQUEST,
  type RequestBudget,
  type RequestShare,
} from "./request-budget.ts";
import type { ServiceMount } from "./service.ts";

/** What is counted, and where. */
export interface ArrivalOptions {
  readonly services: readonly ServiceMount[];
  readonly budget: RequestBudget;
  /** Bytes of one message, also after decompression. */
  readonly receiveBytesMax: number;
  readonly clock: SteadyClock;
  /** How long one of many requests may take to arrive, from its first byte. */
  readonly requestTimeoutMs: number;
}

interface MethodTraits {
  readonly isNeverRefused: boolean;
  readonly stays: boolean;
  readonly hasManyRequests: boolean;
}

/** The call that the code of grpc-js and its interceptors share. Its types show only a part. */
interface BaseCall {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

/** Shares of the calls that stay, by what grpc-js hands on to their handlers. */
const sharesOfStaying = new WeakMap<Metadata, RequestShare>();

/**
 * Refuses requests for which there is no room.
 *
 * A request has its share from its length, five bytes ahead of it, until the call is answered or
 * over: as long as its bytes are in memory. Calls that stay keep it only until the request is read:
 * what they hold on to is bounded by their seats.
 */
export function countRequests(options: ArrivalOptions): ServerInterceptor {
  const traits = traitsOf(options.services);
  return ({ path }, call) => {
    const { stream, metadata } = call as unknown as BaseCall;
    assert(
      stream !== undefined && metadata !== undefined,
      "grpc-js hides the streams of its calls",
    );
    const method = traits.get(path);
    const share = options.budget.share({ isNeverRefused: method?.isNeverRefused === true });
    if (method?.stays) sharesOfStaying.set(metadata, share);
    const send = call.sendStatus.bind(call);
    call.sendStatus = (sent) => {
      share.close();
      send(sent);
    };
    // However else it ends.
    stream.once("close", () => share.close());
    const arrival = new Arrival(call as unknown as BaseCall, share, options.receiveBytesMax);
    const limit = method?.hasManyRequests ? limitMessages(stream, arrival, options) : undefined;
    // Before grpc-js, which reads with a listener that it has already.
    stream.prependListener("data", (chunk: Buffer) => {
      if (share.isClosed) return;
      if (arrival.admits(chunk)) {
        limit?.();
        return;
      }
      call.sendStatus(noRoom());
      // Without its listener grpc-js has no use for the rest, which is on its way already.
      stream.removeAllListeners("data");
      stream.resume();
    });
    // An interceptor may give back the call that it was given; only its declared type is narrower.
    return call as ServerInterceptingCall;
  };
}

/**
 * A request of a call that stays was read, and is the method's from now on.
 *
 * @throws HubError "cancelled": the call was over before, of which grpc-js would never tell
 */
export function requestRead(call: Pick<SurfaceCall, "metadata">, bytes: number): void {
  const share = sharesOfStaying.get(call.metadata);
  if (share?.isClosed) throw new HubError("cancelled", "the call was over before it began");
  share?.giveBack(bytes);
}

function noRoom() {
  return grpcStatus(rpcStatus(status.RESOURCE_EXHAUSTED, NO_ROOM_FOR_REQUEST));
}

function traitsOf(services: readonly ServiceMount[]): ReadonlyMap<string, MethodTraits> {
  return new Map(
    services.flatMap(({ service }) =>
      service.methods.map((method) => [
        `/${service.typeName}/${method.name}`,
        {
          isNeverRefused: isNeverRefused(method.name),
          stays: stays(method),
          hasManyRequests: method.methodKind === "bidi_streaming",
        },
      ]),
    ),
  );
}

/**
 * Ends a call of many requests when one of them has begun and does not arrive in time. A call of
 * one request is limited from its headers on.
 */
function limitMessages(
  stream: ServerHttp2Stream,
  arrival: Arrival,
  { clock, requestTimeoutMs }: ArrivalOptions,
): () => void {
  let alarm: Alarm | undefined;
  let message: number | undefined;
  stream.once("close", () => alarm?.cancel());
  return () => {
    if (arrival.underWay === message) return;
    message = arrival.underWay;
    alarm?.cancel();
    if (message === undefined) return;
    alarm = clock.after(requestTimeoutMs, () => stream.close(constants.NGHTTP2_CANCEL));
  };
}

const HEADER_BYTES = 5;

/** Follows the framing of the messages of one call, whatever pieces they come in. */
class Arrival {
  readonly #call: BaseCall;
  readonly #share: RequestShare;
  readonly #receiveBytesMax: number;
  #headerBytes = 0;
  #length = 0;
  /** Bytes of the message that are still to come. */
  #missing = 0;
  #messages = 0;
  #countsInflated = false;

  constructor(call: BaseCall, share: RequestShare, receiveBytesMax: number) {
    this.#call = call;
    this.#share = share;
    this.#receiveBytesMax = receiveBytesMax;
  }

  /** The number of the message of which only a part is there. */
  get underWay(): number | undefined {
    return this.#missing > 0 || this.#headerBytes > 0 ? this.#messages : undefined;
  }

  /** Takes what a message needs once its length is there. False if there is no room. */
  admits(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#missing > 0) {
        const bytes = Math.min(this.#missing, chunk.byteLength - at);
        this.#missing -= bytes;
        at += bytes;
        continue;
      }
      const length = this.#header(chunk.readUInt8(at));
      at += 1;
      if (length === undefined) continue;
      // Such a message grpc-js refuses by itself, and with it the call.
      if (length > this.#receiveBytesMax) return true;
      if (!this.#share.take(length)) return false;
      this.#missing = length;
    }
    return true;
  }

  /** The length of the message, with the last byte of its header. */
  #header(byte: number): number | undefined {
    if (this.#headerBytes > 0) this.#length = this.#length * 256 + byte;
    else this.#begins(byte);
    this.#headerBytes += 1;
    if (this.#headerBytes < HEADER_BYTES) return undefined;
    const length = this.#length;
    this.#headerBytes = 0;
    this.#length = 0;
    return length;
  }

  #begins(flag: number): void {
    this.#messages += 1;
    if (flag !== 1 || this.#countsInflated) return;
    this.#countsInflated = true;
    this.#countInflated();
  }

  /** How large a compressed message is shows only when it is read. */
  #countInflated(): void {
    const call = this.#call;
    assert(typeof call.decompressMessage === "function", "grpc-js hides how it decompresses");
    const original = call.decompressMessage.bind(call);
    call.decompressMessage = (message, encoding) =>
      encoding === "gzip" || encoding === "deflate"
        ? this.#inflated(message.subarray(HEADER_BYTES), encoding)
        : original(message, encoding);
  }

  /** @throws the status that the call is to end with */
  async #inflated(compressed: Buffer, encoding: "gzip" | "deflate"): Promise<Buffer> {
    const inflate = encoding === "gzip" ? createGunzip() : createInflate();
    const parts: Buffer[] = [];
    let bytes = 0;
    inflate.end(compressed);
    const readable: AsyncIterable<Buffer> = inflate;
    try {
      for await (const part of readable) {
        const had = compressed.byteLength + bytes;
        bytes += part.byteLength;
        if (bytes > this.#receiveBytesMax) throw { code: status.RESOURCE_EXHAUSTED };
        if (!this.#share.take(part.byteLength, had)) throw noRoom();
        parts.push(part);
      }
    } catch (error) {
      throw isStatus(error) ? error : { code: status.INVALID_ARGUMENT };
    }
    this.#share.giveBack(compressed.byteLength);
    return Buffer.concat(parts, bytes);
  }
}

function isStatus(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
  );
}
