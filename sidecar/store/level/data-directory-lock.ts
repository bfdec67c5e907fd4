/**
 * Whether another process has a database, found out without opening it: LevelDB begins a new diary
 * before it asks for the lock, and opening the lock file ourselves and closing it again would drop
 * our own lock.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { HubError } from "../../foundation/errors.ts";

const LOCK_FILE = "LOCK";

/**
 * Refuses a database whose lock somebody has, this process included, as far as the system tells.
 * LevelDB's own lock decides; this is only there to leave everything as it is.
 *
 * @throws HubError "store-in-use"
 */
export async function refuseInUse(database: string): Promise<void> {
  if (await isLocked(join(database, LOCK_FILE))) throw inUse(database);
}

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
