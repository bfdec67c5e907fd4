/**
 * The lock of a database, looked at and taken without opening the database: LevelDB begins a new diary
 * before it asks for the lock, and opening the lock file ourselves and closing it again would drop
 * our own lock.
 */
import { mkdir, readFile, stat, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asError, HubError } from "../../foundation/errors.ts";
import { openLevelBytes } from "./level-bytes.ts";

/** Never read: closing it again would drop the lock that this process has on it. */
export const LOCK_FILE = "LOCK";

/**
 * Refuses a database whose lock somebody has, this process included, as far as the system tells.
 * LevelDB's own lock decides; this is only there to leave everything as it is.
 *
 * @throws HubError "store-in-use"
 */
export async function refuseInUse(database: string): Promise<void> {
  if (await isLocked(join(database, LOCK_FILE))) throw inUse(database);
}

/**
 * Takes the lock of a database without opening it: LevelDB opens an empty database whose lock file
 * is a link to the real one.
 *
 * @param empty a directory that is created for that, and is not removed
 * @throws HubError "store-in-use"; "store-refused" when it cannot be taken
 */
export async function holdLock(database: string, empty: string): Promise<AsyncDisposable> {
  await refuseInUse(database);
  await mkdir(empty);
  await symlink(resolve(database, LOCK_FILE), join(empty, LOCK_FILE));
  try {
    const bytes = await openLevelBytes(empty, { createIfMissing: true });
    return { [Symbol.asyncDispose]: () => bytes.close() };
  } catch (error) {
    if (error instanceof HubError && error.code === "store-in-use") {
      throw new HubError("store-in-use", `another process is using ${database}`, { cause: error });
    }
    // Where nothing can be written nobody writes.
    if (/read-only file system/i.test(asError(error).message)) return nothingHeld;
    throw new HubError("store-refused", `cannot use ${database}: ${asError(error).message}`);
  }
}

const nothingHeld: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

function inUse(database: string): HubError {
  return new HubError("store-in-use", `another process is using ${database}`);
}

/** Each lock that the kernel knows of is a line with device and number of the file. */
async function isLocked(path: string): Promise<boolean> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
    const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
    const file = `${hex(major)}:${hex(minor)}:${ino}`;
    const locks = await readFile("/proc/locks", "latin1");
    return locks.split("\n").some((line) => line.split(/\s+/).includes(file));
  } catch {
    return false;
  }
}

function hex(part: bigint): string {
  return part.toString(16).padStart(2, "0");
}
