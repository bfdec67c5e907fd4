/** LevelDB as ordered bytes. No type of LevelDB's leaves this file. */
import { ClassicLevel } from "classic-level";
import { HubError } from "../../foundation/errors.ts";
import type { KeyRange, OrderedBytes, ReadOptions, Row, Write } from "../ordered/bytes.ts";

/**
 * LevelDB's memtable; it may replay two of them when it opens. The default of 4 MB stalls for up to
 * 0.75 s.
 */
export const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;

type Database = ClassicLevel<Uint8Array, Uint8Array>;

export interface OpenLevelOptions {
  readonly createIfMissing: boolean;
}

/**
 * Opens the database and with it takes its lock.
 *
 * @throws HubError "store-in-use" when another process has it, "store-distrusted" when it is
 * damaged
 */
export async function openLevelBytes(
  directory: string,
  { createIfMissing }: OpenLevelOptions,
): Promise<OrderedBytes> {
  const database: Database = new ClassicLevel(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    createIfMissing,
    // Blocks that are not compressed come back with flipped bits and no error (RELIABILITY.md, S6).
    compression: true,
    writeBufferSize: WRITE_BUFFER_BYTES,
    maxFileSize: WRITE_BUFFER_BYTES,
  });
  try {
    await database.open();
  } catch (error) {
    throw openError(directory, error);
  }
  return new LevelBytes(database);
}

class LevelBytes implements OrderedBytes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * A chained batch costs half of what an array of operations does, which is copied twice on its
   * way.
   */
  async writeDurably(writes: readonly Write[]): Promise<void> {
    const batch = this.#database.batch();
    for (const write of writes) {
      if (write.type === "put") batch.put(write.key, write.value);
      else batch.del(write.key);
    }
    await batch.write({ sync: true });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#database.getSync(key);
    } catch (error) {
      throw readError(error);
    }
  }

  async rows({ from, to }: KeyRange, options: ReadOptions = {}): Promise<readonly Row[]> {
    try {
      return await this.#database.iterator({ gte: from, lt: to, ...options }).all();
    } catch (error) {
      throw readError(error);
    }
  }

  async keys({ from, to }: KeyRange, options: ReadOptions = {}): Promise<readonly Uint8Array[]> {
    try {
      return await this.#database.keys({ gte: from, lt: to, ...options }).all();
    } catch (error) {
      throw readError(error);
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

function openError(directory: string, error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  if (codeOf(cause) === "LEVEL_LOCKED") {
    return new HubError("store-in-use", `another process is using ${directory}`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(error);
  return new HubError("store-distrusted", `cannot open the data in ${directory}: ${reason}`, {
    cause: error,
  });
}

/** Damaged blocks and blocks that cannot be read; everything else is a bug of the caller. */
function readError(error: unknown): unknown {
  const code = codeOf(error);
  if (code !== "LEVEL_CORRUPTION" && code !== "LEVEL_IO_ERROR") return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new HubError("store-distrusted", `stored data cannot be read: ${reason}`, {
    cause: error,
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
