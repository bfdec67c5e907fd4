/** What a sidecar has left in its directory. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { unseal } from "../../sidecar/store/envelope.ts";
import { openLevelBytes } from "../../sidecar/store/level/level-bytes.ts";
import { groupSequenceOf, kindRange } from "../../sidecar/store/ordered/keys.ts";
import { GroupRecordSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";

/** All that was written over the life of a directory. */
export interface Stored {
  /** Groups of commits: each was one synchronous write. */
  readonly groups: number;
  /** Keys written, overwritten and later deleted ones included, group records not. */
  readonly puts: number;
  /** Keys that are there now, group records not included. */
  readonly keys: number;
  /** Size of the files, LevelDB's write-ahead log included. */
  readonly bytes: number;
}

const everything = { from: Uint8Array.of(0), to: Uint8Array.of(0xff) };

/** Reads the directory of a sidecar that has ended. */
export async function readStored(directory: string): Promise<Stored> {
  const database = join(directory, "db");
  const bytes = await sizeOf(database);
  const level = await openLevelBytes(database, { createIfMissing: false });
  try {
    const records = await level.rows(kindRange("group"));
    const keys = await level.keys(everything);
    let puts = 0;
    for (const [, value] of records) {
      puts += fromBinary(GroupRecordSchema, unseal(value, "a group record")).puts;
    }
    const newest = records.at(-1);
    const groups = newest === undefined ? 0 : groupSequenceOf(newest[0]);
    // Records of old groups are deleted after 64 MB; those that are left stand for all.
    return {
      groups,
      puts: (puts * groups) / records.length,
      keys: keys.length - records.length,
      bytes,
    };
  } finally {
    await level.close();
  }
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
  return bytes;
}
