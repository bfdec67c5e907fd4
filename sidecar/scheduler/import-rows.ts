/** The commits at both ends of an import, and those that clear away what has no end. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { evolveHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { encodeHubEntry } from "../store/entry-codec.ts";
import type { Commit, IndexChange, StorageNumber, Store } from "../store/store.ts";
import { Cause, HeaderSchema, HubEntrySchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { GarbageRowSchema, InstanceRowSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";

export function instanceRow(
  hub: StorageNumber,
  instanceId: string,
  number: StorageNumber,
  generation: number,
): IndexChange {
  const row = create(InstanceRowSchema, { number, generation });
  return { index: "instance", hub, instanceId, row };
}

/** Turns what was written of an import into garbage. */
export function abandoned(hub: StorageNumber): Commit {
  return {
    appends: [],
    index: [{ index: "import", hub, isUnderWay: false }, hubGarbage(hub)],
  };
}

/** What imports have left that ended with an earlier process. Durable when it resolves. */
export async function clearImports(store: Store): Promise<void> {
  let position = 0;
  for (const hub of await store.listImports()) position = store.append(abandoned(hub));
  await store.whenDurable(position);
}

/**
 * The one commit that makes an imported hub live, held by `holds`, in the place of an empty one.
 * `state` is the one after it.
 */
export function madeLive(
  imported: HubState,
  replaced: HubState | undefined,
  holds: readonly HubHold[],
  now: Timestamp,
): { readonly commit: Commit; readonly state: HubState } {
  const { number, generation, name } = imported;
  const sequence = imported.sequence + 1;
  const header = create(HeaderSchema, { time: now, cause: Cause.SUSPEND_HUB });
  const entry = create(HubEntrySchema, { header, hubHoldsPlaced: [...holds] });
  const appends = [{ number, generation, sequence, record: encodeHubEntry(entry) }];
  const index: IndexChange[] = [
    { index: "import", hub: number, isUnderWay: false },
    { index: "hub", name, row: number },
  ];
  if (replaced !== undefined) {
    const end = create(HubEntrySchema, {
      header: create(HeaderSchema, { time: now, cause: Cause.DELETE_HUB }),
      deleted: true,
    });
    appends.push({
      number: replaced.number,
      generation: replaced.generation,
      sequence: replaced.sequence + 1,
      record: encodeHubEntry(end),
    });
    index.push(hubGarbage(replaced.number));
  }
  return { commit: { appends, index }, state: evolveHub(imported, number, sequence, entry) };
}

function hubGarbage(number: StorageNumber): IndexChange {
  return { index: "garbage", row: create(GarbageRowSchema, { number, hub: true }) };
}
