/** The plain file that says whose directory this is, read before anything else is touched. */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { HubError } from "../../foundation/errors.ts";

export const MARKER_FILE = "TASKHUB";

/**
 * Begins as an empty file before LevelDB creates anything, and becomes the marker when the store is
 * complete.
 */
export const UNFINISHED_MARKER_FILE = "TASKHUB.unfinished";

/**
 * The stored format of this version. Since 3 logs tell of entities, of rewinds and of deliveries that
 * failed: a version that does not know them would lose them.
 */
export const FORMAT = 3;

/** Since this format there are the indexes that queries read: older directories get them. */
export const QUERY_INDEXES_SINCE = 2;

export interface FormatMarker {
  /** The format in which the files are written. */
  readonly format: number;
  /** The oldest format whose reader understands them. */
  readonly minReader: number;
  /** What a reader has to know beyond the format. */
  readonly features: readonly string[];
  readonly createdBy: string;
  /** Tells this store from a restored or copied one. */
  readonly incarnation: string;
}

export function newMarker(createdBy: string, incarnation: string): FormatMarker {
  return { format: FORMAT, minReader: FORMAT, features: [], createdBy, incarnation };
}

/** The marker of a directory that was brought up to the format of this version. */
export function upgradedMarker(marker: FormatMarker): FormatMarker {
  return { ...marker, format: FORMAT, minReader: FORMAT };
}

/**
 * The marker of a directory, or undefined when it has none.
 *
 * @throws HubError "store-refused" when it is damaged or of a format that this version cannot read
 */
export async function readMarker(directory: string): Promise<FormatMarker | undefined> {
  const path = join(directory, MARKER_FILE);
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const value = parsed(text);
  // A newer marker may look different but for these two numbers, so they are judged first.
  if (!hasFormat(value)) throw damaged(path);
  if (value.minReader > FORMAT) throw newer(directory, `format ${value.format}`);
  if (!isMarker(value)) throw damaged(path);
  const [feature] = value.features;
  if (feature !== undefined) throw newer(directory, `feature ${feature}`);
  return value;
}

/**
 * From here on, and until `finishMarker`, the directory is one whose creation did not finish.
 * Leaves alone what another process may be writing there: only the lock of the database tells us
 * apart.
 */
export async function beginMarker(directory: string): Promise<void> {
  await using file = await open(join(directory, UNFINISHED_MARKER_FILE), "a", 0o600);
  await file.sync();
  await syncDirectory(directory);
}

/**
 * Makes the directory a store's, or one of another format, at once and durably. Only the process that holds the lock of the database may call it.
 */
export async function finishMarker(directory: string, marker: FormatMarker): Promise<void> {
  const unfinished = join(directory, UNFINISHED_MARKER_FILE);
  await using file = await open(unfinished, "w", 0o600);
  await file.writeFile(`${JSON.stringify(marker, undefined, 2)}\n`);
  await file.sync();
  await rename(unfinished, join(directory, MARKER_FILE));
  await syncDirectory(directory);
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type WithFormat = Pick<FormatMarker, "format" | "minReader">;

function hasFormat(value: unknown): value is WithFormat {
  if (typeof value !== "object" || value === null) return false;
  const { format, minReader }: Partial<Record<keyof WithFormat, unknown>> = value;
  return Number.isSafeInteger(format) && Number.isSafeInteger(minReader);
}

function isMarker(value: WithFormat): value is FormatMarker {
  const { features, createdBy, incarnation }: Partial<Record<keyof FormatMarker, unknown>> = value;
  return (
    Array.isArray(features) &&
    features.every((feature) => typeof feature === "string") &&
    typeof createdBy === "string" &&
    typeof incarnation === "string"
  );
}

function damaged(path: string): HubError {
  return new HubError("store-refused", `${path} is damaged; nothing was changed`);
}

function newer(directory: string, what: string): HubError {
  return new HubError(
    "store-refused",
    `${directory} needs a newer version: this one does not know ${what}; nothing was changed`,
  );
}
