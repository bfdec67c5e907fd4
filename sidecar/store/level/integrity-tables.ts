/**
 * Reads LevelDB's tables as a whole, and compares each block with its checksum. LevelDB could do so
 * itself, but not through its binding: without it, a bit that flips in a key makes a row vanish, and
 * no checksum of our own can see that.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asError } from "../../foundation/errors.ts";
import { crc32c, unmasked } from "./integrity-crc32c.ts";
import { type Manifest, readManifest, VarintReader } from "./integrity-manifest.ts";
import { unsnappied } from "./integrity-snappy.ts";

const FOOTER_BYTES = 48;
const MAGIC = Buffer.from("57fb808b247547db", "hex");
/** What may stand behind a block, before its checksum: how it is compressed. */
const SNAPPY = 1;

/** Part of a table. */
interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/**
 * Everything that is wrong with the files that LevelDB's manifest names, in words. Nobody may have
 * the database open for writing meanwhile.
 */
export async function* damagedFiles(database: string): AsyncGenerator<string> {
  let manifest: Manifest;
  try {
    manifest = await readManifest(database);
  } catch (error) {
    yield `list of files cannot be read: ${asError(error).message}`;
    return;
  }
  const names = new Set(await readdir(database));
  const { logNumber } = manifest;
  if (logNumber > 0 && !names.has(`${padded(logNumber)}.log`)) {
    yield `the write-ahead log ${padded(logNumber)}.log is missing`;
  }
  for (const [number, size] of manifest.tables) {
    const name = [`${padded(number)}.ldb`, `${padded(number)}.sst`].find((each) => names.has(each));
    if (name === undefined) {
      yield `table ${padded(number)}.ldb is missing`;
      continue;
    }
    const problem = await problemOf(join(database, name), size);
    if (problem !== undefined) yield `table ${name} ${problem}`;
  }
}

async function problemOf(path: string, size: number): Promise<string | undefined> {
  try {
    const table = await readFile(path);
    if (table.length !== size) return `has ${table.length} bytes instead of ${size}`;
    return damageIn(table);
  } catch (error) {
    return `cannot be read: ${asError(error).message}`;
  }
}

function damageIn(table: Buffer): string | undefined {
  const footer = table.length - FOOTER_BYTES;
  if (footer < 0 || !table.subarray(-MAGIC.length).equals(MAGIC)) return "does not end as a table";
  try {
    const reader = new VarintReader(table, footer);
    const metaIndex = handleFrom(reader);
    const index = handleFrom(reader);
    for (const part of [metaIndex, index]) {
      const entries = entriesOf(contentsOf(table, part));
      for (const handle of entries) checkBlock(table, handle);
    }
    return undefined;
  } catch (error) {
    return asError(error).message;
  }
}

/** What the values of an index say: where blocks are. */
function* entriesOf(block: Buffer): Generator<BlockHandle> {
  const restarts = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 * (restarts + 1);
  const reader = new VarintReader(block);
  while (reader.at < end) {
    reader.number();
    const keyBytes = reader.number();
    const valueBytes = reader.number();
    reader.at += keyBytes;
    const behind = reader.at + valueBytes;
    yield handleFrom(reader);
    reader.at = behind;
  }
}

function handleFrom(reader: VarintReader): BlockHandle {
  return { offset: reader.number(), size: reader.number() };
}

function checkBlock(table: Buffer, { offset, size }: BlockHandle): void {
  const end = offset + size + 1;
  if (end + 4 > table.length) throw new Error(`has no block at ${offset}`);
  if (crc32c(table, offset, end) !== unmasked(table.readUInt32LE(end))) {
    throw new Error(`fails its checksum in the block at ${offset}`);
  }
}

function contentsOf(table: Buffer, handle: BlockHandle): Buffer {
  checkBlock(table, handle);
  const { offset, size } = handle;
  const contents = table.subarray(offset, offset + size);
  return table[offset + size] === SNAPPY ? unsnappied(contents) : contents;
}

function padded(number: number): string {
  return String(number).padStart(6, "0");
}
