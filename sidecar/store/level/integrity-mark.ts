/**
 * How far was acknowledged, in a small file beside the database. A write-ahead log that lost its end
 * looks like one that never had it: nothing in the database can tell. The mark can.
 *
 * It is written behind each group that is durable, without waiting and without a flush of its own:
 * after a kill it is right but for the last moment, after a power loss it may be older. It is never
 * ahead of what was durable, so it never accuses a store that lost nothing.
 */
import { close, open, write } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { HubError } from "../../foundation/errors.ts";
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../ordered/bytes.ts";
import { groupSequenceOf, isGroupKey } from "../ordered/keys.ts";

export const MARK_FILE = "ACKNOWLEDGED";

// Made once: one is used for each group.
const closeFile = promisify(close);
const openFile = promisify(open);
const writeFile = promisify(write);

const MARK_BYTES = 26;

const MARK = /^(\d{16}) ([0-9a-f]{8})\n$/;

/**
 * The newest group that was acknowledged; undefined when there is no mark that can be believed: a
 * power loss may leave half of one.
 *
 * @throws HubError "store-distrusted" when there is what nobody has ever written there
 */
export async function readMark(directory: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, MARK_FILE), "latin1");
  } catch {
    return undefined;
  }
  if (text.length > MARK_BYTES) {
    throw new HubError(
      "store-distrusted",
      `stored data is damaged: ${join(directory, MARK_FILE)} is another file than it was, and others ` +
        "may be too; restore a backup",
    );
  }
  const [, digits = "", checksum] = MARK.exec(text) ?? [];
  return checksumOf(digits) === checksum ? Number(digits) : undefined;
}

/** Bytes that leave a mark in `directory` of each group that they have made durable. */
export function markedBytes(bytes: OrderedBytes, directory: string): OrderedBytes {
  return new MarkedBytes(bytes, directory);
}

class MarkedBytes implements OrderedBytes {
  readonly #inner: OrderedBytes;
  readonly #path: string;
  /** A bare number: a store that is dropped without being closed must not end the process. */
  #file: number | undefined;
  #durable = 0;
  #marked = 0;
  #marking: Promise<void> | undefined;

  constructor(inner: OrderedBytes, directory: string) {
    this.#inner = inner;
    this.#path = join(directory, MARK_FILE);
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    await this.#inner.writeDurably(writes);
    const last = writes.at(-1);
    if (last === undefined || !isGroupKey(last.key)) return;
    this.#durable = groupSequenceOf(last.key);
    this.#marking ??= this.#mark();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#inner.rows(range, options);
  }

  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    return this.#inner.keys(range, options);
  }

  async sizeOf(range: KeyRange): Promise<number> {
    return (await this.#inner.sizeOf?.(range)) ?? 0;
  }

  async compact(range: KeyRange): Promise<void> {
    await this.#inner.compact?.(range);
  }

  snapshot(): BytesSnapshot {
    return this.#inner.snapshot();
  }

  async close(): Promise<void> {
    await this.#marking;
    const file = this.#file;
    this.#file = undefined;
    // A disk that fails may fail here too, and the database keeps its lock until it is closed.
    if (file !== undefined) await closeFile(file).catch(() => {});
    await this.#inner.close();
  }

  /** Never rejects: without a mark less is noticed, and nothing else is different. */
  async #mark(): Promise<void> {
    try {
      this.#file ??= await openMark(this.#path);
      while (this.#marked < this.#durable) {
        const sequence = this.#durable;
        await writeFile(this.#file, Buffer.from(textOf(sequence)), 0, MARK_BYTES, 0);
        this.#marked = sequence;
      }
    } catch {
      // The next group tries again.
    }
    this.#marking = undefined;
  }
}

/** Written in place, so that it never needs room. */
async function openMark(path: string): Promise<number> {
  try {
    return await openFile(path, "r+", 0o600);
  } catch {
    return await openFile(path, "w+", 0o600);
  }
}

function textOf(sequence: number): string {
  const digits = String(sequence).padStart(16, "0");
  return `${digits} ${checksumOf(digits)}\n`;
}

function checksumOf(digits: string): string {
  return crc32(digits).toString(16).padStart(8, "0");
}
