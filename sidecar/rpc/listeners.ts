import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { assert } from "../foundation/assert.ts";
import { type SteadyClock, systemSteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Result of `listenLoopback`. */
export interface LoopbackAddresses {
  readonly addresses: readonly ListenAddress[];
  /** Set when the machine has no IPv6 loopback: the code of node's error. */
  readonly ipv6Unavailable: string | undefined;
}

/** Who is told of what comes in. */
export interface ListenersOptions {
  /** A new connection, and the address that it came to. */
  readonly onConnection: (socket: Socket, address: ListenAddress) => void;
  /**
   * Connections could not be accepted, for want of file descriptors; the listeners go on. Called at
   * most once a second, with the newest error.
   *
   * @param count how many errors there were since it was called last
   */
  readonly onAcceptError: (error: unknown, count: number) => void;
  readonly clock?: SteadyClock;
  /** Connections at one time for each address; above it new ones are closed at once. */
  readonly connectionsMax?: number;
}

const ACCEPT_ERRORS_EVERY_MS = 1_000;

/** How many free IPv4 ports are tried for one that is free on IPv6 too. */
const LOOPBACK_ATTEMPTS = 10;

/** Listeners of our own, instead of those of the protocol libraries: they give plain bind errors. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Set<Server>();
  #closed = false;
  readonly #acceptErrors: AcceptErrors;

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#acceptErrors = new AcceptErrors(options);
  }

  /**
   * Accept connections at an address; any number of times. Port 0 takes a free one.
   *
   * @throws node's own error, with `code` EADDRINUSE, EACCES, EADDRNOTAVAIL, …
   */
  async listen(host: string, port: number): Promise<ListenAddress> {
    assert(!this.#closed, "listen after stop");
    const listener = createServer({ noDelay: true }, (socket) => {
      this.#options.onConnection(socket, address);
    });
    listener.maxConnections = this.#options.connectionsMax ?? LIMITS.connectionsMax;
    listener.listen({ host, port });
    await once(listener, "listening");
    const address = addressOf(listener);
    if (this.#closed) {
      listener.close();
      throw new HubError("unavailable", "the server was stopped before it listened");
    }
    this.#listeners.add(listener);
    listener.on("error", (error) => this.#acceptErrors.add(error));
    return address;
  }

  /**
   * Accept connections on both loopback addresses at the same port: `localhost` is `::1` first on
   * many machines. A machine without IPv6 loopback is served on IPv4 alone.
   *
   * @throws as `listen`; then it listens on neither
   */
  async listenLoopback(port: number): Promise<LoopbackAddresses> {
    for (let attempt = 1; ; attempt += 1) {
      const ipv4 = await this.listen("127.0.0.1", port);
      try {
        const ipv6 = await this.listen("::1", ipv4.port);
        return { addresses: [ipv4, ipv6], ipv6Unavailable: undefined };
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? "";
        if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") {
          return { addresses: [ipv4], ipv6Unavailable: code };
        }
        this.#closeOne(ipv4);
        // A port that was free on IPv4 may be taken on IPv6; the next one that the system picks is
        // probably not.
        if (port !== 0 || code !== "EADDRINUSE" || attempt === LOOPBACK_ATTEMPTS) throw error;
      }
    }
  }

  /** Accept nothing any more. Connections stay. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.close();
  }

  #closeOne({ host, port }: ListenAddress): void {
    for (const listener of this.#listeners) {
      const bound = addressOf(listener);
      if (bound.host !== host || bound.port !== port) continue;
      listener.close();
      this.#listeners.delete(listener);
    }
  }
}

/** There may be thousands in a second, one for each caller that tries; few of them are told. */
export class AcceptErrors {
  readonly #tell: ListenersOptions["onAcceptError"];
  readonly #clock: SteadyClock;
  #untold = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor({ onAcceptError, clock }: Pick<ListenersOptions, "onAcceptError" | "clock">) {
    this.#tell = onAcceptError;
    this.#clock = clock ?? systemSteadyClock;
  }

  add(error: unknown): void {
    this.#untold += 1;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#toldAtMs < ACCEPT_ERRORS_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    this.#tell(error, this.#untold);
    this.#untold = 0;
  }
}

function addressOf(listener: Server): ListenAddress {
  const { address, port } = listener.address() as AddressInfo;
  return { host: address, port };
}
