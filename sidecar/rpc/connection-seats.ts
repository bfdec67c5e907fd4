/**
 * Calls that stay: waits and streams. How many there are in a hub is bounded; here it is bounded
 * what one connection can have of them, so that one client cannot take all.
 */
import { type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CallContext, MountedMethod, ServiceMount } from "./service.ts";

/** Bounds of calls that stay. */
export interface WaitLimits {
  /** Calls at one time on one connection. */
  readonly perConnection: number;
  /** Bytes of one request, which is kept as long as its call lasts. */
  readonly requestBytes: number;
  /** Bytes of all such requests of all connections. */
  readonly allRequestsBytes: number;
}

const defaultLimits: WaitLimits = {
  perConnection: LIMITS.connectionWaitsMax,
  requestBytes: LIMITS.waitRequestBytesMax,
  allRequestsBytes: LIMITS.waitRequestsBytesMax,
};

/** The same services, whose waits and streams are bounded together for each connection. */
export function boundWaits(
  mounts: readonly ServiceMount[],
  limits: Partial<WaitLimits> = {},
): ServiceMount[] {
  const seats = new Seats({ ...defaultLimits, ...limits });
  return mounts.map(({ service, methods }) => {
    const bounded = new Map(methods);
    for (const method of service.methods) {
      const mounted = methods.get(method.localName);
      if (mounted !== undefined && stays(method)) {
        bounded.set(method.localName, seated(method, mounted, seats));
      }
    }
    return { service, methods: bounded };
  });
}

/** Whether calls of a method last as long as the caller likes. */
export function stays({ methodKind, name }: DescMethod): boolean {
  return methodKind !== "unary" || name.startsWith("WaitFor");
}

class Seats {
  readonly #limits: WaitLimits;
  /** Only of connections that have any. */
  readonly #taken = new Map<string, number>();
  #bytes = 0;

  constructor(limits: WaitLimits) {
    this.#limits = limits;
  }

  /**
   * @param bytes of the request
   * @throws HubError "limit-exceeded"
   */
  take({ connection }: CallContext, bytes: number): Disposable {
    const { perConnection, requestBytes, allRequestsBytes } = this.#limits;
    const taken = this.#taken.get(connection) ?? 0;
    if (taken >= perConnection) {
      throw exceeded(`more than ${perConnection} waits and streams are open on this connection`);
    }
    if (bytes > requestBytes) {
      throw exceeded(`the request of a wait or stream is larger than ${requestBytes} bytes`);
    }
    if (this.#bytes + bytes > allRequestsBytes) {
      throw exceeded(`requests of waits and streams are together over ${allRequestsBytes} bytes`);
    }
    this.#taken.set(connection, taken + 1);
    this.#bytes += bytes;
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#leave(connection, bytes);
        isTaken = false;
      },
    };
  }

  #leave(connection: string, bytes: number): void {
    this.#bytes -= bytes;
    const taken = this.#taken.get(connection) ?? 0;
    if (taken > 1) this.#taken.set(connection, taken - 1);
    else this.#taken.delete(connection);
  }
}

function exceeded(message: string): HubError {
  return new HubError("limit-exceeded", message);
}

function seated(method: DescMethod, mounted: MountedMethod, seats: Seats): MountedMethod {
  const bytesOf = (request: Message) => toBinary(method.input, request).byteLength;
  switch (mounted.kind) {
    case "unary":
      return {
        kind: "unary",
        async invoke(request, context) {
          using _seat = seats.take(context, bytesOf(request));
          return await mounted.invoke(request, context);
        },
      };
    case "server_streaming":
      return {
        kind: "server_streaming",
        invoke: (request, context) =>
          seatedItems(
            () => seats.take(context, bytesOf(request)),
            () => mounted.invoke(request, context),
          ),
      };
    case "bidi_streaming":
      return {
        kind: "bidi_streaming",
        invoke: (requests, context) =>
          seatedItems(
            () => seats.take(context, 0),
            () => mounted.invoke(requests, context),
          ),
      };
  }
}

/**
 * Items of a stream that has a seat until it ends or is left. They are handed on as they come:
 * through a generator each would take longer.
 */
function seatedItems<Item>(
  takeSeat: () => Disposable,
  open: () => AsyncIterable<Item>,
): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator]() {
      const seat = takeSeat();
      const leave = () => seat[Symbol.dispose]();
      const items = open()[Symbol.asyncIterator]();
      return {
        next() {
          const item = items.next();
          item.then(({ done }) => done === true && leave(), leave);
          return item;
        },
        async return() {
          leave();
          await items.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
