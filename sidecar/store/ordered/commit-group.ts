/** What one flush makes durable: whole commits, each key at most once. */
import { crc32 } from "node:zlib";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { seal } from "../envelope.ts";
import type { CommitPosition, LogAppend } from "../store.ts";
import { keyText, type Write } from "./bytes.ts";
import type { EncodedCommit } from "./encoded-commit.ts";
import { logKey } from "./keys.ts";

/** Entries of one generation of one log that share a put. */
interface LogPut {
  readonly key: Uint8Array;
  readonly records: Uint8Array[];
  nextSequence: number;
  bytes: number;
}

export interface SealedGroup {
  readonly writes: Write[];
  readonly puts: number;
  /** CRC-32 over the values of the puts, in order. */
  readonly crc32: number;
  readonly bytes: number;
}

/** Gathers commits until its turn comes. */
export class CommitGroup {
  readonly durable: Promise<void>;
  readonly resolveDurable: () => void;
  /** The put that entries of a log join. */
  readonly #logs = new Map<string, LogPut>();
  /** In the order of their first entries. */
  readonly #puts: LogPut[] = [];
  readonly #rows = new Map<string, Write>();
  #bytes = 0;
  #lastPosition: CommitPosition = 0;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.durable = promise;
    this.resolveDurable = resolve;
  }

  /** Of the values that are to be written, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  get lastPosition(): CommitPosition {
    return this.#lastPosition;
  }

  /**
   * Whether the commit fits; an empty group takes a commit of any size, because commits are never
   * split.
   */
  hasRoomFor(commit: EncodedCommit): boolean {
    const writes = this.#puts.length + this.#rows.size;
    if (writes === 0) return true;
    return (
      writes + commit.appends.length + commit.rows.length <= LIMITS.groupWritesMax &&
      this.#bytes <= LIMITS.groupBytesMax
    );
  }

  add(commit: EncodedCommit, position: CommitPosition): void {
    for (const append of commit.appends) this.#addEntry(append);
    for (const row of commit.rows) {
      // The last write of a key wins; LevelDB would apply both, and write both to its log.
      this.#rows.set(keyText(row.key), row);
      this.#bytes += row.type === "put" ? row.value.length : 0;
    }
    this.#lastPosition = position;
  }

  seal(): SealedGroup {
    const writes: Write[] = [];
    let puts = 0;
    let crc = 0;
    let bytes = 0;
    const add = (write: Write): void => {
      writes.push(write);
      bytes += write.key.length;
      if (write.type === "del") return;
      puts += 1;
      bytes += write.value.length;
      crc = crc32(write.value, crc);
    };
    for (const { key, records } of this.#puts) {
      add({ type: "put", key, value: seal(...records) });
    }
    for (const row of this.#rows.values()) add(row);
    return { writes, puts, crc32: crc, bytes };
  }

  #addEntry({ number, generation, sequence, record }: LogAppend): void {
    const log = `${number}/${generation}`;
    const put = this.#logs.get(log);
    this.#bytes += record.length;
    if (put !== undefined) {
      const last = put.nextSequence - 1;
      assert(sequence === last + 1, `log ${log}: ${sequence} after ${last}`);
    }
    if (put === undefined || put.bytes + record.length > LIMITS.logPutBytesMax) {
      const key = logKey(number, generation, sequence);
      const { length: bytes } = record;
      const next = { key, records: [record], nextSequence: sequence + 1, bytes };
      this.#logs.set(log, next);
      this.#puts.push(next);
      return;
    }
    put.records.push(record);
    put.nextSequence += 1;
    put.bytes += record.length;
  }
}
