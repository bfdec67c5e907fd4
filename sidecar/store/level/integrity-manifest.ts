/**
 * What LevelDB's manifest says that there has to be. LevelDB reads it when it opens and refuses what
 * it cannot read; here it is read to know which files count: others may be left from a crash.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c, unmasked } from "./integrity-crc32c.ts";

export interface Manifest {
  /** Size in bytes of each table, by file number. */
  readonly tables: ReadonlyMap<number, number>;
  /** The oldest write-ahead log that will be replayed. */
  readonly logNumber: number;
}

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const FULL = 1;
const FIRST = 2;
const LAST = 4;

/** @throws Error when it cannot be read */
export async function readManifest(database: string): Promise<Manifest> {
  const name = (await readFile(join(database, "CURRENT"), "utf8")).trimEnd();
  if (!/^MANIFEST-\d+$/.test(name)) throw new Error("CURRENT names no manifest");
  return foldEdits(recordsOf(await readFile(join(database, name))));
}

/**
 * The records of a file in LevelDB's log format, up to the first that is damaged: whether that is the
 * end or a reason to refuse is LevelDB's to say.
 */
function* recordsOf(bytes: Buffer): Generator<Buffer> {
  let parts: Buffer[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    const end = at + HEADER_BYTES + bytes.readUInt16LE(at + 4);
    if (end > bytes.length) return;
    if (crc32c(bytes, at + 6, end) !== unmasked(bytes.readUInt32LE(at))) return;
    const type = bytes[at + 6];
    if (type === FULL || type === FIRST) parts = [];
    parts.push(bytes.subarray(at + HEADER_BYTES, end));
    if (type === FULL || type === LAST) yield Buffer.concat(parts);
    at = end;
  }
}

function foldEdits(records: Iterable<Buffer>): Manifest {
  const tables = new Map<number, number>();
  let logNumber = 0;
  for (const record of records) {
    const reader = new VarintReader(record);
    while (!reader.done) {
      switch (reader.number()) {
        case 1: // comparator
          reader.skipText();
          break;
        case 2:
          logNumber = reader.number();
          break;
        case 3: // next file number
        case 4: // last sequence
        case 9: // previous log
          reader.number();
          break;
        case 5: // where compaction of a level goes on
          reader.number();
          reader.skipText();
          break;
        case 6:
          reader.number();
          tables.delete(reader.number());
          break;
        case 7: {
          reader.number();
          const table = reader.number();
          tables.set(table, reader.number());
          reader.skipText();
          reader.skipText();
          break;
        }
        default:
          throw new Error("an edit of an unknown kind");
      }
    }
  }
  return { tables, logNumber };
}

/** Numbers of variable length, least significant part first. */
export class VarintReader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at];
      if (byte === undefined || factor > 2 ** 56) throw new Error("a number without an end");
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  skipText(): void {
    // Two steps: the number moves the place that the text is counted from.
    const length = this.number();
    this.at += length;
  }
}
