import type { Hold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Head } from "./head.ts";

/**
 * The one question of the dispatcher, asked at the moment an item is written to a stream and not
 * earlier: an item that was queued before a suspend must not slip out after it.
 *
 * An instance runs only when this is empty, and only once the release of the last hold is durable.
 */
export function heldBy(head: Head): readonly Hold[] {
  return head.state?.holds ?? [];
}

/** A released hold still holds until its release is durable: a crash would bring it back. */
export function isReleaseSettled(head: Head): boolean {
  return head.releaseSequence <= head.durableSequence;
}
