/** A file that comes into being whole, or not at all, and never in the place of another one. */
import { randomUUID } from "node:crypto";
import { access, link, open, rename, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EXIT, ExitError } from "../../exit-codes.ts";

/**
 * Lets `fill` write a file that only its user may read. It has its name when it is complete and
 * durable; until then it stands beside it, under a name that ends with `.partial`.
 *
 * @throws ExitError 3 when there is such a file already, 74 when it cannot be written; whatever
 * `fill` throws
 */
export async function createWhole(
  file: string,
  workingDirectory: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const path = resolve(workingDirectory, file);
  if (await exists(path)) throw isThere(file);
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`;
  const handle = await writing(file, () => open(partial, "wx", 0o600));
  try {
    try {
      await fill((bytes) => writing(file, () => handle.writeFile(bytes)));
      await writing(file, () => handle.sync());
    } finally {
      await handle.close();
    }
    await writing(file, () => giveName(partial, path, file));
    await writing(file, () => syncDirectory(dirname(path)));
  } finally {
    await unlink(partial).catch(ignoreMissing);
  }
}

/** Renaming would put it in the place of a file that has come meanwhile; linking refuses that. */
async function giveName(partial: string, path: string, file: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST" || (await exists(path))) throw isThere(file);
    // Not every file system has links.
    await rename(partial, path);
  }
}

async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ExitError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ExitError(EXIT.storeDistrusted, `${file}: ${reason}`, { cause: error });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function isThere(file: string): ExitError {
  return new ExitError(EXIT.failedPrecondition, `${file} exists already; it was not changed`);
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
