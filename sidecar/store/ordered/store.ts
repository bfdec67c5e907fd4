/** The store over anything that keeps bytes in order: LevelDB, or a sorted map in memory. */
import { assert } from "../../foundation/assert.ts";
import type { Store } from "../store.ts";
import type { OrderedBytes } from "./bytes.ts";
import { CommitQueue, type CommitQueueOptions } from "./commit-queue.ts";
import { encodeCommit } from "./encoded-commit.ts";
import { GarbageCollector } from "./garbage.ts";
import { findInstance, listHubs, readDue, readReady, readSnapshot } from "./index-reader.ts";
import { readHubLog, readInstanceLog } from "./log-reader.ts";
import { queryIndexes } from "./query-index-reader.ts";

/** Takes over `bytes`: closing the store closes it. Background deletion begins at once. */
export function createOrderedStore(bytes: OrderedBytes, options: CommitQueueOptions): Store {
  const queue = new CommitQueue(bytes, options);
  const garbage = new GarbageCollector(bytes, queue);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    await garbage.stop();
    await queue.drained();
    await bytes.close();
  }

  return {
    append(commit) {
      assert(closing === undefined, "append to a store that was closed");
      const position = queue.append(() => encodeCommit(commit));
      for (const change of commit.index) {
        if (change.index === "garbage") garbage.notice(change.row.number, position);
      }
      return position;
    },
    whenDurable: (position) => queue.whenDurable(position),
    get durablePosition() {
      return queue.durablePosition;
    },
    failed: queue.failed,
    allocateNumber: () => queue.numbers.allocate(),
    listHubs: () => listHubs(bytes),
    // Point reads are synchronous underneath: one takes a few microseconds, a tenth of a trip to
    // the thread pool, whose four threads the flush and the range reads need as well.
    findInstance: async (hub, instanceId) => findInstance(bytes, hub, instanceId),
    readSnapshot: async (number, generation) => readSnapshot(bytes, number, generation),
    readLog: (number, generation, fromSequence, limit) =>
      readInstanceLog(bytes, number, generation, fromSequence, limit),
    readHubLog: (number) => readHubLog(bytes, number),
    readReady: (after, limit) => readReady(bytes, after, limit),
    readDue: (after, limit) => readDue(bytes, after, limit),
    ...queryIndexes(bytes),
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}
