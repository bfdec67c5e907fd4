/** HTTP/2 frame by frame, for connections that no library would make. */
import type { Socket } from "node:net";
import { RawSocket } from "../../support/raw-http1.ts";

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Numbers of RFC 9113. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const ACKNOWLEDGED = 1;
export const END_HEADERS = 4;
export const PADDED = 8;

export function frame(
  type: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
  flags = 0,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.byteLength, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A header block of literals that nobody remembers. Bytes, so that values can be anything. */
export function headerBlock(headers: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const parts = Object.entries(headers).flatMap(([name, value]) => [
    Buffer.of(0),
    text(Buffer.from(name)),
    text(Buffer.from(value)),
  ]);
  return Buffer.concat(parts);
}

function text(bytes: Buffer): Buffer {
  if (bytes.byteLength < 127) return Buffer.concat([Buffer.of(bytes.byteLength), bytes]);
  const length = [127];
  let rest = bytes.byteLength - 127;
  for (; rest > 127; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

/** What a call begins with. */
export function callHeaders(path: string, more: Record<string, string | Uint8Array> = {}) {
  return {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  };
}

/** A connection that has said that it speaks HTTP/2. */
export class FrameSocket implements Disposable {
  readonly #raw: RawSocket;
  /** Resolves also when the connection breaks. */
  readonly #gone: Promise<"closed">;

  constructor(address: { readonly host: string; readonly port: number }) {
    this.#raw = new RawSocket(address);
    this.#gone = new Promise((resolve) => this.socket.once("close", () => resolve("closed")));
    // A broken connection is as good as a closed one here.
    this.#raw.closed.catch(() => {});
    this.#raw.socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0)]));
  }

  get socket(): Socket {
    return this.#raw.socket;
  }

  /** Resolves once all is handed to the network, or the connection is gone. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
      this.socket.once("close", () => resolve());
    });
  }

  /** Resolves when the server has answered a ping, or has closed the connection. */
  async answered(): Promise<"alive" | "closed"> {
    const mark = Buffer.from("are you?");
    await this.send(frame(FRAME.ping, 0, mark));
    const alive = this.#raw.until(mark.toString()).then(
      () => "alive" as const,
      // What broke the connection also closes it.
      () => this.#gone,
    );
    return Promise.race([alive, this.#gone]);
  }

  /** Resolves with all that was received when the connection is closed. */
  get closed(): Promise<string> {
    return this.#raw.closed;
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
  }
}
