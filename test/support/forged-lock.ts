/** A lock that nobody will ever release: what a bug or a restored backup may leave behind. */
import { create } from "@bufbuild/protobuf";
import { encodeEntry } from "../../sidecar/store/entry-codec.ts";
import {
  EntityStepSchema,
  EntrySchema,
  HeaderSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityCallerSchema,
  EntityLockSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { TestHub } from "./scheduler-harness.ts";

export interface LockHolder {
  readonly instanceId: string;
  readonly executionId: string;
}

/** Writes it behind the log of an entity, and starts the process again. */
export async function forgeLock(hub: TestHub, entityId: string, holder: LockHolder): Promise<void> {
  await hub.settled();
  const { store } = hub;
  const row = await store.findInstance(hub.hub.number ?? 0n, entityId);
  if (row === undefined) throw new Error(`there is no ${entityId}`);
  const { number, generation } = row;
  const log = await store.readLog(number, generation, 0);
  const time = hub.clock.now();
  const locked = create(EntityLockSchema, {
    holder: create(EntityCallerSchema, { ...holder, requestId: "section" }),
    lockedAt: time,
  });
  const entry = create(EntrySchema, {
    header: create(HeaderSchema, { time }),
    entity: create(EntityStepSchema, { locked }),
  });
  const sequence = (log.at(-1)?.sequence ?? 0) + 1;
  const appends = [{ number, generation, sequence, record: encodeEntry(entry) }];
  await store.whenDurable(store.append({ appends, index: [] }));
  await hub.crash();
}
