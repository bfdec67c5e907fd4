import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";

type Address = { readonly host: string; readonly port: number };

/** What came back for a request. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What to send; every header may be set, those too that `fetch` keeps for itself. */
export interface HttpRequest {
  /** Default: POST with a body, GET without. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Iterables are sent in chunks, without a length. */
  readonly body?: string | Uint8Array | Iterable<Uint8Array>;
}

/** One request on a connection of its own. */
export async function http1(
  { host, port }: Address,
  path: string,
  { body, method = body === undefined ? "GET" : "POST", headers = {} }: HttpRequest = {},
): Promise<HttpAnswer> {
  const sending = request({ host, port, path, method, headers, agent: false });
  const answered = once(sending, "response");
  sending.on("error", () => {});
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array)) {
    for (const chunk of body) sending.write(chunk);
    sending.end();
  } else {
    sending.end(body);
  }
  const [response] = await answered;
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

/** A JSON call as `curl` makes it. */
export function jsonCall(
  address: Address,
  path: string,
  message: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const body = typeof message === "string" ? message : JSON.stringify(message);
  return http1(address, path, {
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

/** A connection that is written to byte by byte, and remembers what it received. */
export class RawSocket implements Disposable {
  readonly socket: Socket;
  /** Resolves with all that was received when the other side, or both, closed. */
  readonly closed: Promise<string>;
  #received = "";

  constructor({ host, port }: Address) {
    this.socket = connect({ host, port, noDelay: true });
    this.socket.on("error", () => {});
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text) => {
      this.#received += text;
    });
    this.closed = once(this.socket, "close").then(() => this.#received);
  }

  /** Resolves once all is handed to the network. */
  write(text: string): Promise<void> {
    return new Promise((resolve) => this.socket.write(text, "latin1", () => resolve()));
  }

  /** Resolves when so much was received that it contains a text. */
  async until(text: string): Promise<string> {
    while (!this.#received.includes(text)) await once(this.socket, "data");
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
