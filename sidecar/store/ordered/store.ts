/** The store over anything that keeps bytes in order: LevelDB, or a sorted map in memory. */
import { assert } from "../../foundation/assert.ts";
import { systemSteadyClock } from "../../foundation/clock.ts";
import { endlessSpace } from "../space.ts";
import type { Store } from "../store.ts";
import type { OrderedBytes } from "./bytes.ts";
import { CommitQueue, type CommitQueueOptions } from "./commit-queue.ts";
import { DeadSpace } from "./dead-space.ts";
import { encodeCommit } from "./encoded-commit.ts";
import { GarbageCollector } from "./garbage.ts";
import { Handle } from "./handle.ts";
import {
  findInstance,
  listHubs,
  readDue,
  readIds,
  readReady,
  readSnapshot,
} from "./index-reader.ts";
import { readHubLog, readInstanceLog } from "./log-reader.ts";
import { queryIndexes } from "./query-index-reader.ts";
import { movingAccess } from "./store-snapshot.ts";

/** Takes over `bytes`: closing the store closes it. Background deletion begins at once. */
export function createOrderedStore(bytes: OrderedBytes, options: CommitQueueOptions): Store {
  const { space = endlessSpace } = options;
  const handle = new Handle(bytes);
  const queue = new CommitQueue(handle, options);
  const { clock = systemSteadyClock } = options;
  const deadSpace = new DeadSpace(handle, queue, { clock, space });
  const garbage = new GarbageCollector(handle, queue, deadSpace);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    await garbage.stop();
    await deadSpace.stop();
    await queue.drained();
    try {
      await handle.close();
    } finally {
      await space[Symbol.asyncDispose]();
    }
  }

  return {
    append(commit) {
      assert(closing === undefined, "append to a store that was closed");
      const position = queue.append(() => encodeCommit(commit));
      for (const change of commit.index) {
        if (change.index === "garbage") garbage.notice(change.row.number, position);
        else if (change.index !== "import" && change.row === undefined) {
          deadSpace.rowDeleted(change.index);
        }
      }
      return position;
    },
    whenDurable: (position) => queue.whenDurable(position),
    get durablePosition() {
      return queue.durablePosition;
    },
    get pendingBytes() {
      return queue.pendingBytes;
    },
    get isClosed() {
      return closing !== undefined;
    },
    space,
    failed: queue.failed,
    allocateNumber: () => queue.numbers.allocate(),
    listHubs: () => handle.read(listHubs),
    // Point reads are synchronous underneath: one takes a few microseconds, a tenth of a trip to
    // the thread pool, whose four threads the flush and the range reads need as well.
    findInstance: (hub, instanceId) => handle.read((open) => findInstance(open, hub, instanceId)),
    readIds: (...page) => handle.read((open) => readIds(open, ...page)),
    readSnapshot: (number, generation) =>
      handle.read((open) => readSnapshot(open, number, generation)),
    readLog: (number, generation, fromSequence, limit) =>
      handle.read((open) => readInstanceLog(open, number, generation, fromSequence, limit)),
    readHubLog: (number) => handle.read((open) => readHubLog(open, number)),
    readReady: (after, limit) => handle.read((open) => readReady(open, after, limit)),
    readDue: (after, limit) => handle.read((open) => readDue(open, after, limit)),
    readQuery: (...query) => handle.read((open) => queryIndexes(open).readQuery(...query)),
    readCompleted: (...query) => handle.read((open) => queryIndexes(open).readCompleted(...query)),
    readHeld: (...query) => handle.read((open) => queryIndexes(open).readHeld(...query)),
    ...movingAccess(handle, queue),
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}
