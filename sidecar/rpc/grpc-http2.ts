import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type Server, status } from "@grpc/grpc-js";
import { assert } from "../foundation/assert.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { LIMITS } from "../foundation/limits.ts";
import { isTaskHubText } from "./call-metadata.ts";

/** What is known of the calls that may come. */
export interface GateOptions {
  /** Paths of all methods, and whether a method has one request or many. */
  readonly methods: ReadonlyMap<string, "one request" | "many requests">;
  readonly clock: SteadyClock;
  /** How long the one request of a call may take to arrive, from the last of its headers. */
  readonly requestTimeoutMs: number;
}

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/**
 * See to what grpc-js does wrong with headers, before it looks at them:
 *
 * - a method that does not exist and a deadline that is none are answered here: grpc-js repeats the
 *   path in its answer, takes any text that contains a digit and a unit for a deadline, and says
 *   INTERNAL, which workers retry, of the others;
 * - a deadline of more than 24.8 days wraps round in 32 bits, so that a wait for weeks ends at
 *   once: it is dropped, and the caller, who has it too, ends the call;
 * - a value with characters that gRPC does not allow is dropped: a call for an ill-named hub would
 *   be served by the default one;
 * - a message that says it is compressed, but not how, would be read as if it were not;
 * - a request may take for ever to arrive;
 * - the size of metadata cannot be set.
 *
 * grpc-js has no public way to its HTTP/2 servers. Where they are not found this fails at start,
 * not at a call.
 */
export function guardCalls(server: Server, options: GateOptions): void {
  const { http2Servers } = server as unknown as {
    readonly http2Servers?: Map<Http2Server, unknown>;
  };
  assert(http2Servers instanceof Map && http2Servers.size > 0, "grpc-js hides its HTTP/2 servers");
  for (const http2Server of http2Servers.keys()) {
    http2Server.on("session", (session) => {
      session.settings({ maxHeaderListSize: LIMITS.metadataBytesMax });
    });
    const listeners = http2Server.listeners("stream") as unknown as StreamListener[];
    assert(listeners.length > 0, "grpc-js listens to its HTTP/2 servers");
    http2Server.removeAllListeners("stream");
    http2Server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const kind = options.methods.get(headers[":path"] ?? "");
      if (kind !== "many requests") limitRequest(stream, options);
      if (isRefused(stream, headers, kind !== undefined)) return;
      dropLongTimeout(headers);
      keepIllNamedHub(headers);
      nameEncoding(headers);
      for (const listener of listeners) listener.call(http2Server, stream, headers);
    });
  }
}

/** Answers what grpc-js would answer wrongly. What is no gRPC at all is left to it. */
function isRefused(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methodExists: boolean,
): boolean {
  if (headers["content-type"]?.startsWith("application/grpc") !== true) return false;
  if (headers[":method"] !== "POST") {
    answer(stream, { ":status": 405 });
    return true;
  }
  if (!methodExists) {
    refuse(stream, status.UNIMPLEMENTED, "the server has no such method");
    return true;
  }
  const timeout = headers["grpc-timeout"];
  if (timeout === undefined || /^\d{1,8}[HMSmun]$/.test(String(timeout))) return false;
  refuse(stream, status.INVALID_ARGUMENT, "grpc-timeout is not a timeout");
  return true;
}

/** @param details plain ASCII without a percent sign, which needs no encoding */
function refuse(stream: ServerHttp2Stream, code: status, details: string): void {
  answer(stream, {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": details,
  });
}

function answer(stream: ServerHttp2Stream, headers: Record<string, string | number>): void {
  // Whatever breaks it also closes it, and nobody waits for it.
  stream.on("error", () => {});
  stream.respond(headers, { endStream: true });
  // What is left of the request is of no interest, but would count as not yet read.
  stream.resume();
}

/** Ends a call whose request has not arrived in time. */
function limitRequest(stream: ServerHttp2Stream, options: GateOptions): void {
  if (stream.readableEnded || stream.destroyed) return;
  const alarm = options.clock.after(options.requestTimeoutMs, () => {
    stream.close(constants.NGHTTP2_CANCEL);
  });
  const cancel = () => alarm.cancel();
  stream.once("end", cancel);
  stream.once("close", cancel);
}

const TIMEOUT_MAX_MS = 2 ** 31 - 1;
const timeoutUnitsMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000 };

/** Leave out a deadline that timers cannot reach. */
export function dropLongTimeout(headers: IncomingHttpHeaders): void {
  const timeout = headers["grpc-timeout"];
  if (typeof timeout !== "string") return;
  const unitMs = timeoutUnitsMs[timeout.at(-1) ?? ""];
  if (unitMs === undefined) return;
  if (Number.parseInt(timeout, 10) * unitMs > TIMEOUT_MAX_MS) delete headers["grpc-timeout"];
}

function keepIllNamedHub(headers: IncomingHttpHeaders): void {
  const hub = headers.taskhub;
  // A comma is as little allowed in a name, but gets through.
  if (typeof hub === "string" && hub !== "" && !isTaskHubText(hub)) headers.taskhub = ",";
}

/** An encoding that grpc-js does not know is of no matter until a message is compressed. */
function nameEncoding(headers: IncomingHttpHeaders): void {
  const encoding = headers["grpc-encoding"];
  if (encoding === undefined || encoding === "identity") headers["grpc-encoding"] = "none";
}
