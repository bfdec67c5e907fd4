/** The default store: embedded LevelDB in one directory. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type SteadyClock, systemSteadyClock } from "../../foundation/clock.ts";
import { asError, HubError } from "../../foundation/errors.ts";
import { type Log, silentLog } from "../../foundation/log.ts";
import { type StoreMonitor, silentMonitor } from "../monitor.ts";
import type { OrderedBytes } from "../ordered/bytes.ts";
import { beginRun, recoverGroups } from "../ordered/group-records.ts";
import { rebuildQueryIndexes } from "../ordered/rebuild.ts";
import { createOrderedStore } from "../ordered/store.ts";
import { endlessSpace } from "../space.ts";
import type { Store } from "../store.ts";
import { DATABASE_DIRECTORY, prepareDirectory, unusable } from "./data-directory.ts";
import { giveUpReserve, isAboutSpace, openDiskSpace } from "./disk-space.ts";
import {
  FORMAT,
  type FormatMarker,
  finishMarker,
  newMarker,
  QUERY_INDEXES_SINCE,
  upgradedMarker,
} from "./format-marker.ts";
import { keepFormer } from "./former-copy.ts";
import { acceptDropped, refuseDamagedFiles, refuseDropped, refuseLostEnd } from "./integrity.ts";
import { markedBytes } from "./integrity-mark.ts";
import { openLevelBytes, WRITE_BUFFER_BYTES } from "./level-bytes.ts";

export interface LevelStoreOptions {
  /** Holds the marker and, in `db/`, LevelDB's files. Created when it does not exist. */
  readonly directory: string;
  /** Name and version of the program, for the marker of a new store. */
  readonly createdBy?: string;
  /** Puts something between the store and LevelDB: failing writes, for example. */
  readonly wrap?: (bytes: OrderedBytes) => OrderedBytes;
  readonly clock?: SteadyClock;
  readonly log?: Log;
  readonly monitor?: StoreMonitor;
  /** Size of the file that keeps space in reserve; without it nobody looks at the disk. */
  readonly reserveBytes?: number | undefined;
  /** What an operator gives up: the figure that the refusal of this store has named. */
  readonly acceptedLoss?: number | undefined;
  /** What was there is kept in the directory before an upgrade; true if not given. */
  readonly keepsFormer?: boolean;
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
  const found = await prepareDirectory(options.directory);
  try {
    return await openPrepared(options, found);
  } catch (error) {
    if (!isAboutSpace(asError(error))) throw error;
    // It was kept for this. Whoever has the lock was told so in other words.
    await giveUpReserve(options.directory);
    return await openPrepared(options, found).catch((again: unknown) => {
      throw isAboutSpace(asError(again)) ? noRoom(options.directory, again) : again;
    });
  }
}

async function openPrepared(
  options: LevelStoreOptions,
  found: FormatMarker | "new",
): Promise<Store> {
  const { directory, createdBy = "taskhub", clock = systemSteadyClock } = options;
  const { log = silentLog, monitor = silentMonitor, reserveBytes } = options;
  const acceptance = { figure: options.acceptedLoss, log };
  const refuse = (error: unknown): never => {
    throw error instanceof HubError ? error : unusable(directory, error);
  };
  const database = join(directory, DATABASE_DIRECTORY);
  await acceptDropped(database, acceptance);
  if (found !== "new") await refuseDamagedFiles(database);
  if (found !== "new" && found.format < FORMAT && options.keepsFormer !== false) {
    log.info("store.former_kept", { directory: await keepFormer(directory, found).catch(refuse) });
  }
  const bytes = await openChecked(options, found === "new");
  try {
    const earlier = await recoverGroups(bytes);
    if (found !== "new" && earlier.newest === 0) throw withoutRecords(directory);
    if (found !== "new") await refuseLostEnd(directory, earlier.newest, acceptance);
    let recovered = await beginRun(bytes, earlier).catch(refuse);
    const trailBytes = 2 * WRITE_BUFFER_BYTES;
    if (found === "new") {
      await finishMarker(directory, newMarker(createdBy, randomUUID())).catch(refuse);
    } else if (found.format < FORMAT) {
      const progress = (instances: number) => log.info("store.upgrading", { instances });
      log.info("store.upgrading", { from: found.format, to: FORMAT });
      if (found.format < QUERY_INDEXES_SINCE) {
        await rebuildQueryIndexes(bytes, { recovered, trailBytes }, progress).catch(refuse);
        recovered = await beginRun(bytes, await recoverGroups(bytes)).catch(refuse);
      }
      await finishMarker(directory, upgradedMarker(found)).catch(refuse);
    }
    const space =
      reserveBytes === undefined
        ? endlessSpace
        : await openDiskSpace({ directory, reserveBytes, clock, log });
    const reopening = { open: () => openChecked(options, false), clock };
    return createOrderedStore(bytes, { recovered, trailBytes, reopening, space, monitor, clock });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** Opens LevelDB, unless it has dropped something when it was opened last, or drops it now. */
async function openChecked(
  { directory, wrap = (bytes) => bytes }: LevelStoreOptions,
  createIfMissing: boolean,
): Promise<OrderedBytes> {
  const database = join(directory, DATABASE_DIRECTORY);
  await refuseDropped(database);
  const bytes = markedBytes(wrap(await openLevelBytes(database, { createIfMissing })), directory);
  try {
    await refuseDropped(database);
    return bytes;
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

function noRoom(directory: string, cause: unknown): HubError {
  const message = `the disk of ${directory} is full: make room and start again`;
  return new HubError("store-distrusted", message, { cause });
}

/** The first group is durable before the marker is: a store with a marker has at least that one. */
function withoutRecords(directory: string): HubError {
  return new HubError(
    "store-distrusted",
    `stored data is damaged: ${directory} has no record of any commit; restore a backup`,
  );
}
