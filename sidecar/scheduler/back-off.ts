import type { LossReason } from "./leases.ts";

/**
 * How long an item waits before it is handed out again, in milliseconds. The first loss of a worker
 * costs nothing: it is mostly the worker's restart. Work that keeps losing workers, or is kept
 * being given back, slows down.
 *
 * @param attempts deliveries of the item that have ended without an answer, this one included
 */
export function backOffMs(reason: LossReason, attempts: number): number {
  switch (reason) {
    case "needs-history":
      return attempts === 1 ? 0 : Math.min(200 * 2 ** (attempts - 2), 30_000);
    case "abandoned":
      return Math.min(200 * 2 ** (attempts - 1), 30_000);
    case "stream-lost":
    case "expired":
      return attempts === 1 ? 0 : Math.min(1_000 * 2 ** (attempts - 2), 60_000);
  }
}
