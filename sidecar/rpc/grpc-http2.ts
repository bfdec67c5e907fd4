import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { isTaskHubText } from "./call-metadata.ts";

/**
 * See to what grpc-js does wrong with headers, before it looks at them:
 *
 * - a deadline of more than 24.8 days wraps round in 32 bits, so that a wait for weeks ends at
 *   once: it is dropped, and the caller, who has it too, ends the call;
 * - a value with characters that gRPC does not allow is dropped: a call for an ill-named hub would
 *   be served by the default one;
 * - the size of metadata cannot be set.
 *
 * grpc-js has no public way to its HTTP/2 servers. Where they are not found this fails at start,
 * not at a call.
 */
export function correctHeaders(server: Server): void {
  const { http2Servers } = server as unknown as {
    readonly http2Servers?: Map<Http2Server, unknown>;
  };
  assert(http2Servers instanceof Map && http2Servers.size > 0, "grpc-js hides its HTTP/2 servers");
  for (const http2Server of http2Servers.keys()) {
    http2Server.on("session", (session) => {
      session.settings({ maxHeaderListSize: LIMITS.metadataBytesMax });
    });
    http2Server.prependListener("stream", (_stream: ServerHttp2Stream, headers) => {
      dropLongTimeout(headers);
      keepIllNamedHub(headers);
    });
  }
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
