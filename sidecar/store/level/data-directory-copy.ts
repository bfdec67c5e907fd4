/** A copy of a database to look at: opening LevelDB writes, and what is looked at must stay as it is. */
import { copyFile, mkdir, mkdtempDisposable, readdir, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { asError, HubError } from "../../foundation/errors.ts";
import { holdLock, LOCK_FILE } from "./data-directory-lock.ts";
import { isAboutSpace } from "./disk-space.ts";

/** What is left over when all is copied, so that the copy can be opened. */
const ROOM_TO_OPEN_BYTES = 64 * 1024 * 1024;

export interface DatabaseCopy extends AsyncDisposable {
  /** The copy of the database, which may be opened. */
  readonly database: string;
}

/**
 * Copies a database, with its lock held meanwhile and until the copy is disposed, which removes it.
 *
 * @param place where to put the copy; beside `directory` if not given
 * @throws HubError "store-in-use"; "store-refused" when there is no room, or no place
 */
export async function copyDatabase(
  directory: string,
  database: string,
  place = dirname(resolve(directory)),
): Promise<DatabaseCopy> {
  await using opened = new AsyncDisposableStack();
  try {
    const temporary = opened.use(await mkdtempDisposable(join(place, ".taskhub-check-")));
    opened.use(await holdLock(database, join(temporary.path, "lock")));
    const copy = join(temporary.path, "db");
    await copyFiles(database, copy, place);
    const held = opened.move();
    return { database: copy, [Symbol.asyncDispose]: () => held.disposeAsync() };
  } catch (error) {
    if (error instanceof HubError) throw error;
    if (isAboutSpace(asError(error))) throw noRoom(place);
    const reason = asError(error).message;
    const message = `cannot copy ${database} to ${place}: ${reason}; choose a place with --copy-to`;
    throw new HubError("store-refused", message, { cause: error });
  }
}

async function copyFiles(from: string, to: string, place: string): Promise<void> {
  const names = (await readdir(from)).filter((name) => name !== LOCK_FILE);
  let bytes = ROOM_TO_OPEN_BYTES;
  for (const name of names) bytes += (await stat(join(from, name))).size;
  const { bavail, bsize } = await statfs(place);
  if (bavail * bsize < bytes) throw noRoom(place, bytes);
  await mkdir(to, { mode: 0o700 });
  for (const name of names) await copyFile(join(from, name), join(to, name));
}

function noRoom(place: string, bytes?: number): HubError {
  const size = bytes === undefined ? "" : `, which takes ${bytes} bytes`;
  return new HubError(
    "store-refused",
    `there is no room in ${place} for a copy${size}: choose another place with --copy-to`,
  );
}
