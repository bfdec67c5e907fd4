/** The directory of a store: created, or found to be ours, before LevelDB touches it. */
import { access, constants, mkdir, readdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { HubError } from "../../foundation/errors.ts";
import {
  beginMarker,
  type FormatMarker,
  MARKER_FILE,
  readMarker,
  syncDirectory,
  UNFINISHED_MARKER_FILE,
} from "./format-marker.ts";

export const DATABASE_DIRECTORY = "db";

/**
 * What may lie in a directory that we take for new: the root of an ext4 volume has the second one.
 */
const EMPTY_ENOUGH: ReadonlySet<string> = new Set([UNFINISHED_MARKER_FILE, "lost+found"]);

/**
 * The marker of the store that the directory holds already, or "new". A directory that is new is
 * ready for one when this resolves; so is one whose creation did not finish, in which nothing can have been acknowledged.
 *
 * @throws HubError "store-refused" when it is not ours, of another format, or cannot be used
 */
export async function prepareDirectory(directory: string): Promise<FormatMarker | "new"> {
  try {
    await createDirectory(directory);
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const marker = await readMarker(directory);
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

async function refuseForeign(directory: string): Promise<void> {
  const names = await readdir(directory);
  const isUnfinished = names.includes(UNFINISHED_MARKER_FILE);
  const foreign = names.filter(
    (name) => !EMPTY_ENOUGH.has(name) && !(isUnfinished && name === DATABASE_DIRECTORY),
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
