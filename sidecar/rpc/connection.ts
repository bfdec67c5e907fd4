import type { Socket } from "node:net";
import type { HubError } from "../foundation/errors.ts";

/**
 * A caller that leaves so shortly before its deadline leaves because of it: timers may fire early by
 * what their loop turn had taken already, and two clocks disagree.
 */
export const DEADLINE_TOLERANCE_MS = 50;

/** A call that runs, as the server sees it, whatever protocol carries it. */
export interface RunningCall {
  readonly kind: "unary" | "stream";
  /** Nobody waits for the answer any more. */
  abort(reason: HubError): void;
  /** End the call by the server's will: the caller is told at once, whatever the method does. */
  end(reason: HubError): void;
}

/** A TCP connection, and the calls that are running on it. */
export interface Connection {
  /** Never used twice. */
  readonly id: string;
  /** `address:port` of the other side. */
  readonly peer: string;
  readonly calls: Set<RunningCall>;
}

/** What `Connection.peer` is for a socket. */
export function peerOf({ remoteAddress, remotePort, remoteFamily }: Socket): string {
  // A caller that is gone already has no address.
  if (remoteAddress === undefined) return "unknown";
  const host = remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}
