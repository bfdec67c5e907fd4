/** Directories of LevelDB stores, and what tests do to them while no store has them open. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { ClassicLevel } from "classic-level";

/** A digest of all names and contents below a directory. */
export async function digestOf(directory: string): Promise<string> {
  const digest = createHash("sha256");
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = files.map((file) => ({ file, path: join(file.parentPath, file.name) }));
  for (const { file, path } of paths.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    digest.update(`${relative(directory, path)}\n`);
    if (file.isFile()) digest.update(await readFile(path));
  }
  return digest.digest("hex");
}

/** Changes one row with LevelDB's own tools, behind the store's back; undefined deletes it. */
export async function tamper(
  directory: string,
  key: Uint8Array,
  change: (value: Buffer) => Buffer | undefined,
): Promise<void> {
  const database = new ClassicLevel<Buffer, Buffer>(join(directory, "db"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  await database.open();
  const value = await database.get(Buffer.from(key));
  if (value === undefined) throw new Error("there is no such row");
  const changed = change(value);
  if (changed === undefined) await database.del(Buffer.from(key), { sync: true });
  else await database.put(Buffer.from(key), changed, { sync: true });
  await database.close();
}

/** The write-ahead log that LevelDB will replay when it opens. */
export async function writeAheadLogOf(directory: string): Promise<string> {
  const names = await readdir(join(directory, "db"));
  const newest = names
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new Error("there is no write-ahead log");
  return join(directory, "db", newest);
}
