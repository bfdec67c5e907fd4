/** The directory of a store: created, or found to be ours, before LevelDB touches it. */
import { access, constants, lstat, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HubError } from "../../foundation/errors.ts";
import { refuseInUse } from "./data-directory-lock.ts";
import { refuseNetworkDisk } from "./disk-kind.ts";
import {
  beginMarker,
  type FormatMarker,
  MARKER_FILE,
  readMarker,
  syncDirectory,
  UNFINISHED_MARKER_FILE,
} from "./format-marker.ts";
import { MARK_FILE } from "./integrity-mark.ts";

export const DATABASE_DIRECTORY = "db";

/** Written by whoever may write to the directory. */
const OTHERS_MAY_WRITE = 0o002;

/**
 * What may lie in a directory that we take for new: the root of an ext4 volume has the second one.
 */
const EMPTY_ENOUGH: ReadonlySet<string> = new Set([UNFINISHED_MARKER_FILE, "lost+found"]);

/**
 * The marker of the store that the directory holds already, or "new". A directory that is new is
 * ready for one when this resolves; so is one whose creation did not finish, in which nothing can have been acknowledged.
 *
 * @throws HubError "store-refused" when it is not ours, of another format, or cannot be used;
 * "store-in-use" when another process has it. Nothing in it was changed then.
 */
export async function prepareDirectory(directory: string): Promise<FormatMarker | "new"> {
  try {
    await refuseNetworkDisk(directory);
    await refuseStrangeLink(directory);
    await createDirectory(directory);
    await refuseOpenToAll(directory);
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const marker = await readMarker(directory);
    await refuseInUse(join(directory, DATABASE_DIRECTORY));
    if (marker !== undefined) return marker;
    await refuseForeign(directory);
    await beginMarker(directory);
    return "new";
  } catch (error) {
    throw error instanceof HubError ? error : unusable(directory, error);
  }
}

/** Each directory that had to be created is durable by its name in the one above it. */
async function createDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let path = resolve(directory);
  for (const end = dirname(resolve(first)); path !== end; path = dirname(path)) {
    await syncDirectory(dirname(path));
  }
}

/**
 * A link may lead to another disk. Whoever else owns the link or what it leads to could put another
 * store in its place, or have us write into theirs; one that leads nowhere is a disk that is not
 * there, and a new store would hide that.
 */
async function refuseStrangeLink(directory: string): Promise<void> {
  const link = await lstat(directory).catch(ifMissing);
  if (link?.isSymbolicLink() !== true) return;
  const target = await stat(directory).catch(ifMissing);
  if (target === undefined) {
    throw new HubError("store-refused", `${directory} is a link that leads nowhere`);
  }
  const trusted = [0, process.geteuid?.() ?? 0];
  if (trusted.includes(link.uid) && trusted.includes(target.uid)) return;
  throw new HubError(
    "store-refused",
    `${directory} is a link that belongs, or leads to a directory that belongs, to another user`,
  );
}

async function refuseOpenToAll(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & OTHERS_MAY_WRITE) === 0) return;
  throw new HubError(
    "store-refused",
    `every user may write to ${directory}: take that away with chmod o-w, or choose a directory ` +
      "below it",
  );
}

/** What cannot be there either is told by creating it. */
function ifMissing(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}

async function refuseForeign(directory: string): Promise<void> {
  const names = await readdir(directory);
  const isUnfinished = names.includes(UNFINISHED_MARKER_FILE);
  const foreign = names.filter(
    (name) =>
      !EMPTY_ENOUGH.has(name) &&
      !(isUnfinished && (name === DATABASE_DIRECTORY || name === MARK_FILE)),
  );
  if (foreign.length === 0) return;
  throw new HubError(
    "store-refused",
    `${directory} is not empty and has no ${MARKER_FILE} file: not ours; nothing was changed`,
  );
}

/** The error for a directory that the system does not let us use. */
export function unusable(directory: string, error: unknown): HubError {
  const reason = error instanceof Error ? error.message : String(error);
  return new HubError("store-refused", `cannot use ${directory}: ${reason}`, { cause: error });
}
