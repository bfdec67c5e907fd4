import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";

/** What came back for a request, byte for byte. */
export interface RawAnswer {
  /** HTTP status. */
  readonly http: number | undefined;
  /** `grpc-status`, wherever it was; undefined if there was none. */
  readonly grpc: number | undefined;
  readonly message: string;
  readonly body: Buffer;
  /** The error code that ended the stream; 0 if it ended well. */
  readonly reset: number;
}

/** An HTTP/2 client without gRPC: for requests that no gRPC library would make. */
export class RawHttp2 implements AsyncDisposable {
  readonly session: ClientHttp2Session;

  constructor(address: { readonly host: string; readonly port: number }) {
    this.session = connect(`http://${address.host}:${address.port}`);
    this.session.on("error", () => {});
  }

  /** Open a call without sending a body. */
  open(path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => {});
    return stream;
  }

  /** Send the bytes as the whole body, and wait for the whole answer. */
  async call(
    path: string,
    body: Uint8Array,
    headers: OutgoingHttpHeaders = {},
  ): Promise<RawAnswer> {
    const stream = this.open(path, headers);
    stream.end(body);
    return answerOf(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    this.session.destroy();
    await once(this.session, "close");
  }
}

/** The whole answer of a call. */
export async function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  let http: number | undefined;
  let headers: IncomingHttpHeaders = {};
  stream.on("response", (received) => {
    headers = { ...headers, ...received };
    http = received[":status"];
  });
  stream.on("trailers", (received) => {
    headers = { ...headers, ...received };
  });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // Not `once`, which would throw what `reset` tells.
  if (!stream.closed) await new Promise((resolve) => stream.on("close", resolve));
  const grpc = headers["grpc-status"];
  return {
    http,
    grpc: grpc === undefined ? undefined : Number(grpc),
    message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
    body: Buffer.concat(chunks),
    reset: stream.rstCode ?? 0,
  };
}

/** A message as gRPC frames it. */
export function framed(message: Uint8Array, { compressed = false } = {}): Buffer {
  return Buffer.concat([frameHeader(message.byteLength, compressed), message]);
}

/** The five bytes before a message. */
export function frameHeader(length: number, compressed = false): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(compressed ? 1 : 0, 0);
  header.writeUInt32BE(length, 1);
  return header;
}
