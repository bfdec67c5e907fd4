/** The default store: embedded LevelDB in one directory. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { HubError } from "../../foundation/errors.ts";
import type { OrderedBytes } from "../ordered/bytes.ts";
import { beginRun, recoverGroups } from "../ordered/group-records.ts";
import { rebuildQueryIndexes } from "../ordered/rebuild.ts";
import { createOrderedStore } from "../ordered/store.ts";
import type { Store } from "../store.ts";
import { DATABASE_DIRECTORY, prepareDirectory, unusable } from "./data-directory.ts";
import { FORMAT, finishMarker, newMarker, upgradedMarker } from "./format-marker.ts";
import { refuseDropped } from "./integrity.ts";
import { openLevelBytes, WRITE_BUFFER_BYTES } from "./level-bytes.ts";

export interface LevelStoreOptions {
  /** Holds the marker and, in `db/`, LevelDB's files. Created when it does not exist. */
  readonly directory: string;
  /** Name and version of the program, for the marker of a new store. */
  readonly createdBy?: string;
  /** Puts something between the store and LevelDB: failing writes, for example. */
  readonly wrap?: (bytes: OrderedBytes) => OrderedBytes;
}

/**
 * Opens the store in a directory, or creates it. What is in the directory is checked as far as it
 * can be without reading all of it, and is never repaired. A store of an older format is brought up
 * to this one, which no older version can read any more; an upgrade that is interrupted begins
 * again at the next opening.
 *
 * @throws HubError "store-refused" when the directory is not ours, of another format or not usable:
 * nothing in it was changed; "store-in-use" when another process has it; "store-distrusted" when
 * acknowledged data may be missing
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  const { directory, createdBy = "taskhub", wrap = (bytes) => bytes } = options;
  const found = await prepareDirectory(directory);
  const database = join(directory, DATABASE_DIRECTORY);
  const refuse = (error: unknown): never => {
    throw error instanceof HubError ? error : unusable(directory, error);
  };
  await refuseDropped(database);
  const bytes = wrap(await openLevelBytes(database, { createIfMissing: found === "new" }));
  try {
    await refuseDropped(database);
    const earlier = await recoverGroups(bytes);
    if (found !== "new" && earlier.newest === 0) throw withoutRecords(directory);
    let recovered = await beginRun(bytes, earlier).catch(refuse);
    const trailBytes = 2 * WRITE_BUFFER_BYTES;
    if (found === "new") {
      await finishMarker(directory, newMarker(createdBy, randomUUID())).catch(refuse);
    } else if (found.format < FORMAT) {
      await rebuildQueryIndexes(bytes, { recovered, trailBytes }).catch(refuse);
      recovered = await beginRun(bytes, await recoverGroups(bytes)).catch(refuse);
      await finishMarker(directory, upgradedMarker(found)).catch(refuse);
    }
    return createOrderedStore(bytes, { recovered, trailBytes });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** The first group is durable before the marker is: a store with a marker has at least that one. */
function withoutRecords(directory: string): HubError {
  return new HubError(
    "store-distrusted",
    `stored data is damaged: ${directory} has no record of any commit; restore a backup`,
  );
}
