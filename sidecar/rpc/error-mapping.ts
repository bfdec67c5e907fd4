import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { HubError, type HubErrorCode } from "../foundation/errors.ts";

/** What each expected failure is on the wire. Complete by the compiler. */
const grpcCode: Record<HubErrorCode, status> = {
  "invalid-argument": status.INVALID_ARGUMENT,
  "instance-not-found": status.NOT_FOUND,
  "instance-exists": status.ALREADY_EXISTS,
  "failed-precondition": status.FAILED_PRECONDITION,
  "limit-exceeded": status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  cancelled: status.CANCELLED,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  "store-distrusted": status.INTERNAL,
  "store-in-use": status.INTERNAL,
  "store-refused": status.INTERNAL,
};

/** The status that ends a call: a gRPC code and a text for the caller. */
export interface RpcStatus {
  readonly code: status;
  readonly details: string;
  /** How long to wait before the next attempt, where the code invites one. */
  readonly retryAfterMs: number | undefined;
}

/** The trailer, or over HTTP/1.1 the header, that carries `RpcStatus.retryAfterMs`. */
export const RETRY_AFTER = "retry-after-ms";

/**
 * Called for every failure that the caller is not told about: bugs, failed assertions, store
 * errors. The correlation id is in the caller's status text. Whether the process goes on is the
 * receiver's decision.
 */
export type InternalErrorReporter = (error: unknown, correlationId: string, method: string) => void;

/**
 * Characters of a status text. Clients refuse trailers above 8 KiB, and an encoded character takes
 * up to 9 bytes.
 */
const DETAILS_MAX = 800;

/**
 * The status for whatever a method threw.
 *
 * The message of a `HubError` is for users and passes as it is. Everything else, and what the store
 * says of its files, becomes INTERNAL without detail and is given to `report`.
 */
export function toRpcStatus(
  error: unknown,
  method: string,
  report: InternalErrorReporter,
): RpcStatus {
  const expected = expectedError(error);
  const code = expected === undefined ? status.INTERNAL : grpcCode[expected.code];
  if (expected !== undefined && code !== status.INTERNAL) {
    return rpcStatus(code, carriable(expected.message));
  }
  const correlationId = newCorrelationId();
  report(error, correlationId, method);
  return rpcStatus(status.INTERNAL, `internal error ${correlationId}`);
}

/** @param details a text that a trailer can carry */
export function rpcStatus(code: status, details: string): RpcStatus {
  return { code, details, retryAfterMs: retryAfterMs(code) };
}

const RETRY_AFTER_MS = 1_000;

/** Spread by half in both directions: who was refused together must not come back together. */
function retryAfterMs(code: status): number | undefined {
  if (code !== status.RESOURCE_EXHAUSTED && code !== status.UNAVAILABLE) return undefined;
  return Math.round(RETRY_AFTER_MS * (0.5 + Math.random()));
}

/** The name of the status that callers get for whatever a method threw: `NOT_FOUND`. */
export function statusNameOf(error: unknown): string {
  const expected = expectedError(error);
  return status[expected === undefined ? status.INTERNAL : grpcCode[expected.code]];
}

/** Eight hex digits that join a caller's status text to our log. */
export function newCorrelationId(): string {
  return randomUUID().slice(0, 8);
}

/**
 * The `HubError` that this is, or that an `AbortError` of the runtime stands for: Node wraps a
 * signal's reason in one.
 */
export function expectedError(error: unknown): HubError | undefined {
  if (error instanceof HubError) return error;
  if (error instanceof Error && error.name === "AbortError" && error.cause instanceof HubError) {
    return error.cause;
  }
  return undefined;
}

/**
 * A text that a trailer can carry: grpc-js encodes it with `encodeURI`, which throws on a lone
 * surrogate.
 */
function carriable(message: string): string {
  const short = message.length > DETAILS_MAX ? `${message.slice(0, DETAILS_MAX)}…` : message;
  return short.toWellFormed();
}
