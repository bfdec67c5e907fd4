/**
 * What a directory was before its upgrade is kept in it, so that the version before can go on from
 * there. Tables are never written again, so that a second name for each is copy enough: it takes room
 * only as LevelDB replaces them.
 */
import { constants } from "node:fs";
import { access, copyFile, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DATABASE_DIRECTORY } from "./data-directory.ts";
import { holdLock, LOCK_FILE } from "./data-directory-lock.ts";
import { type FormatMarker, MARKER_FILE, syncDirectory } from "./format-marker.ts";
import { MARK_FILE } from "./integrity-mark.ts";

/**
 * Keeps a copy of a directory before it is brought up to date. One that is there already stays as it
 * is: the upgrade was interrupted, and the database may be half of it.
 *
 * @returns the path of the copy, a complete data directory
 * @throws HubError "store-in-use"
 */
export async function keepFormer(
  directory: string,
  { format }: Pick<FormatMarker, "format">,
): Promise<string> {
  const kept = join(directory, `former-format-${format}`);
  if (await isThere(join(kept, MARKER_FILE))) return kept;
  const unfinished = `${kept}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await copyDatabase(join(directory, DATABASE_DIRECTORY), unfinished);
  for (const name of [MARKER_FILE, MARK_FILE]) {
    if (await isThere(join(directory, name))) {
      await copyDurably(join(directory, name), join(unfinished, name));
    }
  }
  await syncDirectory(unfinished);
  await rename(unfinished, kept);
  await syncDirectory(directory);
  return kept;
}

async function copyDatabase(from: string, unfinished: string): Promise<void> {
  const lock = join(unfinished, "lock");
  const to = join(unfinished, DATABASE_DIRECTORY);
  await mkdir(to, { mode: 0o700 });
  {
    await using _held = await holdLock(from, lock);
    for (const name of await readdir(from)) {
      if (name === LOCK_FILE) continue;
      const pair = [join(from, name), join(to, name)] as const;
      if (/\.(ldb|sst)$/.test(name)) await linkOrCopy(...pair);
      else await copyDurably(...pair);
    }
  }
  await rm(lock, { recursive: true });
  await syncDirectory(to);
}

/** Not every file system gives a file a second name. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyDurably(from, to));
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  await using file = await open(to, "r+");
  await file.sync();
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
