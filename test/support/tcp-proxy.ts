/**
 * A TCP proxy that does to connections what networks do: it holds bytes back, loses them, delays
 * and slows them, cuts them at odd places, and ends connections politely, rudely or not at all.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "toServer" | "toClient";

/** How the bytes of one direction travel. */
export interface Shape {
  /** Bytes that are written at once; without it, as they come. */
  readonly pieceBytes?: number;
  /** Between two pieces. */
  readonly gapMs?: number;
  /** Before each piece. */
  readonly delayMs?: number;
}

/** Above this a direction is not read from: what waits is somebody else's memory. */
const bufferedBytesMax = 64 * 1024;

export class TcpProxy implements AsyncDisposable {
  /** `host:port`, in the place of the server's. */
  readonly address: string;
  /** Connections in the order of their coming, also those that are over. */
  readonly links: Link[] = [];
  readonly #server: Server;

  /** @param target `host:port` of the server */
  static async start(target: string): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, target);
  }

  constructor(server: Server, target: string) {
    const at = target.lastIndexOf(":");
    const host = target.slice(0, at);
    const port = Number(target.slice(at + 1));
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client) => {
      this.links.push(new Link(client, connect({ host, port, allowHalfOpen: true })));
    });
  }

  /** The connection that came last. */
  get link(): Link {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("nobody has connected");
    return link;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.links) link.reset();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** One connection through the proxy. */
export class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #pipes: Readonly<Record<Direction, Pipe>>;
  /** Resolves when the server has ended it, or it is over in another way. */
  readonly endedByServer: Promise<void>;

  constructor(client: Socket, server: Socket) {
    this.#client = client;
    this.#server = server;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // The close event follows.
      socket.on("error", () => {});
    }
    this.#pipes = { toServer: new Pipe(client, server), toClient: new Pipe(server, client) };
    this.endedByServer = new Promise((resolve) => {
      for (const event of ["end", "close"]) server.once(event, () => resolve());
    });
  }

  /** Bytes that have come through. */
  bytes(direction: Direction): number {
    return this.#pipes[direction].bytes;
  }

  /** Resolves when so many bytes have come through since the beginning. */
  reached(direction: Direction, bytes: number): Promise<void> {
    return this.#pipes[direction].reached(bytes);
  }

  /** How bytes travel from now on. */
  shape(direction: Direction, shape: Shape): void {
    this.#pipes[direction].shape = shape;
  }

  /** Nothing is read any more: the sender's buffers fill up. */
  pause(direction: Direction): void {
    this.#pipes[direction].pause();
  }

  resume(direction: Direction): void {
    this.#pipes[direction].resume();
  }

  /** Half-open: both sides stay connected, and no byte and no end of either reaches the other. */
  vanish(): void {
    for (const pipe of Object.values(this.#pipes)) pipe.vanish();
  }

  /** Both sides see the orderly end of the connection. */
  cut(): void {
    this.#client.end();
    this.#server.end();
    this.#client.destroySoon();
    this.#server.destroySoon();
  }

  /** Both sides see a reset. */
  reset(): void {
    for (const socket of [this.#client, this.#server]) {
      if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}

/** One direction. */
class Pipe {
  shape: Shape = {};
  bytes = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #waiting: Buffer[] = [];
  readonly #marks: { readonly bytes: number; readonly reached: () => void }[] = [];
  #buffered = 0;
  #isPaused = false;
  #hasVanished = false;
  #hasEnded = false;
  #isPumping = false;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => {
      this.#hasEnded = true;
      void this.#pump();
    });
    from.on("close", (hadError) => {
      if (this.#hasVanished || to.destroyed) return;
      if (hadError) to.resetAndDestroy();
      else if (!this.#hasEnded) to.destroy();
    });
  }

  pause(): void {
    this.#isPaused = true;
    this.#from.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#from.resume();
    void this.#pump();
  }

  vanish(): void {
    this.#hasVanished = true;
    this.#waiting.length = 0;
    this.#from.resume();
  }

  reached(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#marks.push({ bytes, reached: resolve });
    this.#notice();
    return promise;
  }

  #take(bytes: Buffer): void {
    if (this.#hasVanished) return;
    this.#waiting.push(bytes);
    this.#buffered += bytes.length;
    if (this.#buffered > bufferedBytesMax) this.#from.pause();
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#waiting.length > 0 && !this.#isPaused && !this.#to.destroyed) {
      const { pieceBytes, gapMs = 0, delayMs = 0 } = this.shape;
      if (delayMs > 0) await pass(delayMs);
      const piece = this.#next(pieceBytes);
      if (piece === undefined) break;
      const hasRoom = this.#to.write(piece);
      this.bytes += piece.length;
      this.#notice();
      // A turn of the loop between two pieces, so that they are not joined again.
      if (pieceBytes !== undefined) await pass(gapMs);
      if (!hasRoom) await drained(this.#to);
      if (this.#buffered <= bufferedBytesMax && !this.#isPaused) this.#from.resume();
    }
    this.#isPumping = false;
    const isOver = this.#hasEnded && this.#waiting.length === 0 && !this.#isPaused;
    if (isOver && !this.#hasVanished) this.#to.end();
  }

  #next(pieceBytes = Number.POSITIVE_INFINITY): Buffer | undefined {
    const first = this.#waiting.shift();
    if (first === undefined) return undefined;
    const piece = first.subarray(0, pieceBytes);
    if (piece.length < first.length) this.#waiting.unshift(first.subarray(piece.length));
    this.#buffered -= piece.length;
    return piece;
  }

  #notice(): void {
    for (const mark of this.#marks.filter(({ bytes }) => bytes <= this.bytes)) {
      this.#marks.splice(this.#marks.indexOf(mark), 1);
      mark.reached();
    }
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => (ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms)));
}

/** A socket that closes drains no more. */
async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
}
