/** LevelDB as ordered bytes. No type of LevelDB's leaves this file. */
import { ClassicLevel } from "classic-level";
import { HubError } from "../../foundation/errors.ts";
import {
  type BytesSnapshot,
  type KeyRange,
  type OrderedBytes,
  type ReadOptions,
  type Row,
  snapshotClosed,
  type Write,
} from "../ordered/bytes.ts";
import { syncDirectory } from "./format-marker.ts";
import { whole } from "./integrity-pages.ts";

/**
 * LevelDB's memtable; it may replay two of them when it opens. The default of 4 MB stalls for up to
 * 0.75 s.
 */
export const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;

type Database = ClassicLevel<Uint8Array, Uint8Array>;
type LevelSnapshotHandle = ReturnType<Database["snapshot"]>;

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
    // LevelDB has renamed CURRENT and not synced that: behind a power cut the old one would lead to
    // logs that were read and deleted since, one of them with a hole where a sync had failed.
    await syncDirectory(directory);
  } catch (error) {
    await database.close().catch(() => {});
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
      return await whole(options, (read) =>
        this.#database.iterator({ gte: from, lt: to, ...read }),
      );
    } catch (error) {
      throw readError(error);
    }
  }

  async keys({ from, to }: KeyRange, options: ReadOptions = {}): Promise<readonly Uint8Array[]> {
    try {
      return await whole(options, (read) => this.#database.keys({ gte: from, lt: to, ...read }));
    } catch (error) {
      throw readError(error);
    }
  }

  sizeOf({ from, to }: KeyRange): Promise<number> {
    return this.#database.approximateSize(from, to);
  }

  compact({ from, to }: KeyRange): Promise<void> {
    return this.#database.compactRange(from, to);
  }

  snapshot(): BytesSnapshot {
    return new LevelSnapshot(this.#database, this.#database.snapshot());
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** Rows that one trip to the thread pool fetches, and their bytes. One row may have more. */
const TRIP_ROWS = 1_000;
const TRIP_BYTES = 256 * 1024;

class LevelSnapshot implements BytesSnapshot {
  readonly #database: Database;
  readonly #snapshot: LevelSnapshotHandle;
  /** Those that are open pin files of their own. */
  readonly #iterators = new Set<{ close(): Promise<void> }>();

  constructor(database: Database, snapshot: LevelSnapshotHandle) {
    this.#database = database;
    this.#snapshot = snapshot;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#database.getSync(key, { snapshot: this.#snapshot });
    } catch (error) {
      throw snapshotError(error);
    }
  }

  async rows({ from, to }: KeyRange, options: ReadOptions = {}): Promise<readonly Row[]> {
    try {
      const within = { gte: from, lt: to, snapshot: this.#snapshot };
      return await whole(options, (read) => this.#database.iterator({ ...within, ...read }));
    } catch (error) {
      throw snapshotError(error);
    }
  }

  async keys({ from, to }: KeyRange, options: ReadOptions = {}): Promise<readonly Uint8Array[]> {
    try {
      const within = { gte: from, lt: to, snapshot: this.#snapshot };
      return await whole(options, (read) => this.#database.keys({ ...within, ...read }));
    } catch (error) {
      throw snapshotError(error);
    }
  }

  async *each({ from, to }: KeyRange): AsyncGenerator<Row, void, undefined> {
    const within = { gte: from, lt: to, snapshot: this.#snapshot };
    try {
      const iterator = this.#database.iterator({ ...within, highWaterMarkBytes: TRIP_BYTES });
      this.#iterators.add(iterator);
      try {
        for (;;) {
          const rows = await iterator.nextv(TRIP_ROWS);
          if (rows.length === 0) return;
          yield* rows;
        }
      } finally {
        this.#iterators.delete(iterator);
        await iterator.close();
      }
    } catch (error) {
      throw snapshotError(error);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#iterators, (iterator) => iterator.close()));
    await this.#snapshot.close();
  }
}

/** The snapshot, or the database below it, is not open any more. */
function snapshotError(error: unknown): unknown {
  const code = codeOf(error);
  return typeof code === "string" && code.endsWith("_NOT_OPEN")
    ? snapshotClosed(error)
    : readError(error);
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
