import { DeliveryOutcome } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { LossReason } from "./leases.ts";

/**
 * How long an item waits before it is handed out again, in milliseconds. The first loss of a worker
 * costs nothing: it is mostly the worker's restart. Work that keeps losing workers, or is kept
 * being given back, slows down.
 *
 * @param attempts deliveries of the item that have ended without an answer, this one included, also
 * before a restart
 */
export function backOffMs(reason: LossReason, attempts: number): number {
  switch (reason) {
    case "needs-history":
      return attempts === 1 ? 0 : Math.min(200 * 2 ** (attempts - 2), 30_000);
    case "abandoned":
      return Math.min(200 * 2 ** (attempts - 1), 30_000);
    case "stream-lost":
    case "expired":
    case "rejected":
      return attempts === 1 ? 0 : Math.min(1_000 * 2 ** (attempts - 2), 60_000);
  }
}

/** How it is counted in the state of the instance. */
export const outcomeOf: Readonly<Record<Exclude<LossReason, "needs-history">, DeliveryOutcome>> = {
  "stream-lost": DeliveryOutcome.STREAM_LOST,
  expired: DeliveryOutcome.LEASE_EXPIRED,
  abandoned: DeliveryOutcome.ABANDONED,
  rejected: DeliveryOutcome.REJECTED,
};
