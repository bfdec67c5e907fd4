/** The records that close commit groups, and what those of earlier runs say at opening. */
import { create, fromBinary } from "@bufbuild/protobuf";
import { HubError } from "../../foundation/errors.ts";
import { encode } from "../../wire/encode.ts";
import { GroupRecordSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { seal, unseal } from "../envelope.ts";
import type { StorageNumber } from "../store.ts";
import type { OrderedBytes, Put } from "./bytes.ts";
import { groupKey, groupSequenceOf, kindRange, rangeBehind } from "./keys.ts";
import { reservationFrom } from "./storage-numbers.ts";

export interface GroupSummary {
  readonly sequence: number;
  /** How many puts the group holds, its record not counted. */
  readonly puts: number;
  /** CRC-32 over the values of these puts, in order. */
  readonly crc32: number;
  /** Storage numbers below this one may have been used. */
  readonly nextStorageNumber: StorageNumber;
}

export function groupRecordPut(group: GroupSummary): Put {
  const record = create(GroupRecordSchema, { ...group, sequence: BigInt(group.sequence) });
  const value = seal(encode(GroupRecordSchema, record));
  return { type: "put", key: groupKey(group.sequence), value };
}

/** Sequences of the oldest and the newest record that is kept; 1 and 0 when there is none. */
export interface RecoveredGroups {
  readonly oldest: number;
  readonly newest: number;
  readonly nextStorageNumber: StorageNumber;
}

/** A store that never held anything. */
export const NO_GROUPS: RecoveredGroups = { oldest: 1, newest: 0, nextStorageNumber: 1n };

const PAGE = 10_000;

/**
 * Reads all group records that are kept. They must follow each other without a gap: LevelDB skips a
 * damaged part of its log in silence and goes on behind it, and this is where that shows.
 *
 * @throws HubError "store-distrusted"
 */
export async function recoverGroups(bytes: OrderedBytes): Promise<RecoveredGroups> {
  const all = kindRange("group");
  let oldest: number | undefined;
  let newest = 0;
  let nextStorageNumber = 1n;
  let last: Uint8Array | undefined;
  for (;;) {
    const page = await bytes.rows(rangeBehind(all, last), { limit: PAGE });
    for (const [key, value] of page) {
      const sequence = groupSequenceOf(key);
      if (oldest !== undefined && sequence !== newest + 1) throw hole(newest + 1, sequence - 1);
      const record = fromBinary(GroupRecordSchema, unseal(value, `group record ${sequence}`));
      oldest ??= sequence;
      newest = sequence;
      nextStorageNumber = record.nextStorageNumber;
      last = key;
    }
    if (page.length < PAGE) break;
  }
  return oldest === undefined ? NO_GROUPS : { oldest, newest, nextStorageNumber };
}

/**
 * Writes the group that begins a run: it reserves the storage numbers that the run will give out,
 * and shows that the disk takes writes. Resolves, once it is durable, with the groups including
 * this one.
 */
export async function beginRun(
  bytes: OrderedBytes,
  recovered: RecoveredGroups,
): Promise<RecoveredGroups> {
  const sequence = recovered.newest + 1;
  const nextStorageNumber = reservationFrom(recovered.nextStorageNumber);
  await bytes.writeDurably([groupRecordPut({ sequence, puts: 0, crc32: 0, nextStorageNumber })]);
  return { ...recovered, newest: sequence };
}

function hole(first: number, last: number): HubError {
  const groups = first === last ? `group ${first} is` : `groups ${first} to ${last} are`;
  return new HubError(
    "store-distrusted",
    `stored data is damaged: commit ${groups} missing, later ones are there; restore a backup`,
  );
}
