/** Two protocols share one port: the first bytes of a connection say which one it speaks. */
import type { Socket } from "node:net";
import type { SteadyClock } from "../foundation/clock.ts";

/** What a connection speaks. Whatever is not HTTP/2 is left to the parser of HTTP/1.1 to judge. */
export type Protocol = "http/1.1" | "http/2";

/** The begin of the connection preface of RFC 9113; no HTTP/1.1 request begins like that. */
const preface = Buffer.from("PRI * HTTP/2.0");

/** Undefined as long as the bytes could become either. */
export function protocolOf(firstBytes: Uint8Array): Protocol | undefined {
  const length = Math.min(firstBytes.byteLength, preface.byteLength);
  if (preface.compare(firstBytes, 0, length, 0, length) !== 0) return "http/1.1";
  return length === preface.byteLength ? "http/2" : undefined;
}

/** How long to wait for the first bytes, and by which clock. */
export interface SniffOptions {
  readonly clock: SteadyClock;
  /** A connection that has not said what it speaks is destroyed after this time. */
  readonly timeoutMs: number;
}

/**
 * Calls back once, as soon as it is known what a fresh connection speaks. All bytes are on the
 * socket again then, which flows nowhere. Never calls back for a socket that closes before.
 */
export function sniff(
  socket: Socket,
  { clock, timeoutMs }: SniffOptions,
  found: (protocol: Protocol) => void,
): void {
  const alarm = clock.after(timeoutMs, () => socket.destroy());
  const cancelAlarm = () => alarm.cancel();
  let firstBytes: Buffer = Buffer.alloc(0);
  const look = () => {
    // Reading null too matters: a socket tells of its end only when it is read to the end.
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    firstBytes = firstBytes.byteLength === 0 ? chunk : Buffer.concat([firstBytes, chunk]);
    const protocol = protocolOf(firstBytes);
    if (protocol === undefined) return;
    cancelAlarm();
    socket.off("close", cancelAlarm);
    socket.off("readable", look);
    socket.unshift(firstBytes);
    found(protocol);
  };
  socket.on("close", cancelAlarm);
  socket.on("readable", look);
}
