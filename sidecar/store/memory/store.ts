/** The store that survives nothing: for tests, and for trying things out. */

import { type StoreMonitor, silentMonitor } from "../monitor.ts";
import type { OrderedBytes } from "../ordered/bytes.ts";
import type { CommitQueueOptions } from "../ordered/commit-queue.ts";
import { NO_GROUPS } from "../ordered/group-records.ts";
import { createOrderedStore } from "../ordered/store.ts";
import type { Store } from "../store.ts";
import { SortedBytes } from "./sorted-bytes.ts";

export interface MemoryStoreOptions {
  /**
   * When a group of commits becomes durable: calls back once, at once or later. By default one
   * macrotask later.
   */
  readonly schedule?: CommitQueueOptions["schedule"];
  readonly monitor?: StoreMonitor;
  /** Puts something between the store and its bytes: failing writes, for example. */
  readonly wrap?: (bytes: OrderedBytes) => OrderedBytes;
}

/**
 * Group records are written here as everywhere, but there is no log of LevelDB's whose holes they
 * would show.
 */
const TRAIL_BYTES = 64 * 1024;

/** All of the store's own road (queue, groups, codec, checksums) on a map in memory. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const { schedule, monitor = silentMonitor, wrap = (bytes) => bytes } = options;
  const queue = { recovered: NO_GROUPS, trailBytes: TRAIL_BYTES, monitor };
  return createOrderedStore(
    wrap(new SortedBytes()),
    schedule === undefined ? queue : { ...queue, schedule },
  );
}
