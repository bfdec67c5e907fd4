import { clone, create, toBinary } from "@bufbuild/protobuf";
import { eventsOfState } from "../engine/entry-events.ts";
import { toStoredState } from "../engine/stored-state.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { IndexChange } from "../store/store.ts";
import { InstanceStateSchema } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { SnapshotSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { Head } from "./head.ts";

/** The log has grown by more than the last snapshot or base, which it begins with. */
export function isTailLong({ tailBytes, snapshotBytes }: Head): boolean {
  return tailBytes >= Math.max(LIMITS.snapshotTailBytesMin, snapshotBytes);
}

/**
 * A snapshot when the log grew by more than the last one's size since then, so that a cold instance
 * is loaded by one short range read and all snapshots together cost no more than the log. A cache:
 * the log is the truth.
 */
export function snapshotIfDue(head: Head): IndexChange | undefined {
  const { state } = head;
  if (state === undefined || !isTailLong(head)) return undefined;
  // The live state shares its parts with the copy: what is taken out below must not be missing
  // there.
  const stored = clone(InstanceStateSchema, toStoredState(state));
  for (const event of eventsOfState(stored)) {
    if (event.event.length <= LIMITS.snapshotInlineBytesMax) continue;
    event.length = event.event.length;
    event.event = new Uint8Array();
  }
  head.tailBytes = 0;
  head.snapshotBytes = toBinary(InstanceStateSchema, stored).length;
  return {
    index: "snapshot",
    number: state.number,
    generation: state.generation,
    row: create(SnapshotSchema, { sequence: BigInt(state.sequence), state: stored }),
  };
}
