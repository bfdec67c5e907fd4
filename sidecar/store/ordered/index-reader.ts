/** Reads the rows that stand beside the logs. */
import { create, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type GarbageRow,
  GarbageRowSchema,
  HubRowSchema,
  InstanceAddressSchema,
  type InstanceRow,
  InstanceRowSchema,
  type Snapshot,
  SnapshotSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { unseal } from "../envelope.ts";
import type { DueCursor, DueRow, IdRow, ReadyRow, StorageNumber } from "../store.ts";
import type { ReadableBytes } from "./bytes.ts";
import {
  dueKey,
  dueKeyParts,
  garbageKey,
  hubInstancesRange,
  hubNameOf,
  idPrefixRange,
  instanceIdOf,
  instanceKey,
  kindRange,
  numberOf,
  rangeBehind,
  readyKey,
  snapshotKey,
} from "./keys.ts";

export interface NamedHub {
  readonly name: string;
  readonly number: StorageNumber;
}

export async function listHubs(bytes: ReadableBytes): Promise<readonly NamedHub[]> {
  const rows = await bytes.rows(kindRange("hub"));
  return rows.map(([key, value]) => ({
    name: hubNameOf(key),
    number: decode(HubRowSchema, value, "the row of a task hub").number,
  }));
}

export function findInstance(
  bytes: ReadableBytes,
  hub: StorageNumber,
  instanceId: string,
): InstanceRow | undefined {
  const value = bytes.get(instanceKey(hub, instanceId));
  return value === undefined ? undefined : decode(InstanceRowSchema, value, "an instance row");
}

export async function readIds(
  bytes: ReadableBytes,
  hub: StorageNumber,
  prefix: string,
  after: string | undefined,
  limit: number,
): Promise<readonly IdRow[]> {
  const last = after === undefined ? undefined : instanceKey(hub, after);
  const rows = await bytes.rows(rangeBehind(idPrefixRange(hub, prefix), last), { limit });
  return rows.map(([key, value]) => {
    const { number } = decode(InstanceRowSchema, value, "an instance row");
    return { instanceId: instanceIdOf(key), number };
  });
}

export function readSnapshot(
  bytes: ReadableBytes,
  number: StorageNumber,
  generation: number,
): Snapshot | undefined {
  const value = bytes.get(snapshotKey(number, generation));
  return value === undefined ? undefined : decode(SnapshotSchema, value, `snapshot ${number}`);
}

export async function readReady(
  bytes: ReadableBytes,
  after: StorageNumber | undefined,
  limit: number,
): Promise<readonly ReadyRow[]> {
  const last = after === undefined ? undefined : readyKey(after);
  const rows = await bytes.rows(rangeBehind(kindRange("ready"), last), { limit });
  return rows.map(([key, value]) => ({
    number: numberOf(key),
    address: decode(InstanceAddressSchema, value, "a ready row"),
  }));
}

export async function readDue(
  bytes: ReadableBytes,
  after: DueCursor | undefined,
  limit: number,
): Promise<readonly DueRow[]> {
  const last = after === undefined ? undefined : dueKey(after.due, after.number);
  const rows = await bytes.rows(rangeBehind(kindRange("due"), last), { limit });
  return rows.map(([key, value]) => {
    const { seconds, nanos, number } = dueKeyParts(key);
    return {
      due: create(TimestampSchema, { seconds, nanos }),
      number,
      address: decode(InstanceAddressSchema, value, "a due row"),
    };
  });
}

export async function readGarbage(
  bytes: ReadableBytes,
  after: StorageNumber | undefined,
  limit: number,
): Promise<readonly GarbageRow[]> {
  const last = after === undefined ? undefined : garbageKey(after);
  const rows = await bytes.rows(rangeBehind(kindRange("garbage"), last), { limit });
  return rows.map(([, value]) => decode(GarbageRowSchema, value, "a garbage row"));
}

/** An instance of a hub with the key of its row. */
export interface StoredInstance {
  readonly key: Uint8Array;
  readonly number: StorageNumber;
  readonly generation: number;
}

/** Instances of a hub behind a key, in the order of their ids. */
export async function readInstances(
  bytes: ReadableBytes,
  hub: StorageNumber,
  limit: number,
  after?: Uint8Array,
): Promise<readonly StoredInstance[]> {
  const rows = await bytes.rows(rangeBehind(hubInstancesRange(hub), after), { limit });
  return rows.map(([key, value]) => {
    const { number, generation } = decode(InstanceRowSchema, value, "an instance row");
    return { key, number, generation };
  });
}

/** @throws HubError "store-distrusted" when the value fails its checksum */
export function decode<Schema extends DescMessage>(
  schema: Schema,
  value: Uint8Array,
  what: string,
): MessageShape<Schema> {
  return fromBinary(schema, unseal(value, what));
}
