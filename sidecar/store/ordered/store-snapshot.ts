/** What moving a whole hub needs of a store: one moment of it, numbers in a row, import rows. */
import { fromBinary } from "@bufbuild/protobuf";
import { HubError } from "../../foundation/errors.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  GroupRecordSchema,
  HubRowSchema,
  InstanceRowSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { decodeLogRecord } from "../entry-codec.ts";
import { unseal } from "../envelope.ts";
import type { StorageNumber, Store, StoredEntry } from "../store.ts";
import type { SnapshotInstance, StoreSnapshot } from "../store-snapshot.ts";
import type { BytesSnapshot } from "./bytes.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Handle } from "./handle.ts";
import { decode, readInstances } from "./index-reader.ts";
import {
  groupSequenceOf,
  hubInstancesRange,
  hubKey,
  instanceIdOf,
  kindRange,
  logRange,
  logSequenceOf,
  numberOf,
} from "./keys.ts";
import { readHubLog } from "./log-reader.ts";

type MovingAccess = Pick<Store, "allocateNumbers" | "hasInstances" | "listImports" | "snapshot">;

/** The parts of a store that exports and imports need. */
export function movingAccess(handle: Handle, queue: CommitQueue): MovingAccess {
  return {
    async allocateNumbers(count) {
      queue.numbers.want(count);
      // The record of its group reserves them: they may be handed out once it is durable.
      await queue.whenDurable(queue.append(() => ({ appends: [], rows: [] })));
      return queue.numbers.take(count);
    },
    hasInstances: (hub) =>
      handle.read(async (bytes) => (await readInstances(bytes, hub, 1)).length > 0),
    listImports: () =>
      handle.read(async (bytes) => (await bytes.keys(kindRange("import"))).map(numberOf)),
    snapshot: () => handle.read((bytes) => openSnapshot(bytes.snapshot())),
  };
}

async function openSnapshot(bytes: BytesSnapshot): Promise<StoreSnapshot> {
  try {
    const [newest] = await bytes.rows(kindRange("group"), { limit: 1, reverse: true });
    if (newest === undefined) return new OrderedSnapshot(bytes, 0, 1n);
    const [key, value] = newest;
    const record = fromBinary(GroupRecordSchema, unseal(value, "the newest group record"));
    return new OrderedSnapshot(bytes, groupSequenceOf(key), record.nextStorageNumber);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

class OrderedSnapshot implements StoreSnapshot {
  readonly commitSequence: number;
  readonly numbersEnd: StorageNumber;
  readonly #bytes: BytesSnapshot;

  constructor(bytes: BytesSnapshot, commitSequence: number, numbersEnd: StorageNumber) {
    this.#bytes = bytes;
    this.commitSequence = commitSequence;
    this.numbersEnd = numbersEnd;
  }

  findHub(name: string): StorageNumber | undefined {
    const value = this.#bytes.get(hubKey(name));
    return value && decode(HubRowSchema, value, "the row of a task hub").number;
  }

  hubLog(number: StorageNumber) {
    return readHubLog(this.#bytes, number);
  }

  async *instances(hub: StorageNumber): AsyncGenerator<SnapshotInstance, void, undefined> {
    for await (const [key, value] of this.#bytes.each(hubInstancesRange(hub))) {
      const { number, generation } = decode(InstanceRowSchema, value, "an instance row");
      yield { instanceId: instanceIdOf(key), number, generation };
    }
  }

  async *log(instance: SnapshotInstance): AsyncGenerator<StoredEntry<Entry>, void, undefined> {
    const { number, generation } = instance;
    const what = `generation ${generation} of log ${number}`;
    let next: number | undefined;
    for await (const [key, value] of this.#bytes.each(logRange(number, generation, 0))) {
      const first = logSequenceOf(key);
      if (next !== undefined && next !== first) throw incomplete(what, next);
      next = first;
      for (const entry of decodeLogRecord(value, what).entries) {
        yield { sequence: next, entry };
        next += 1;
      }
    }
    // Nothing is collected as garbage in a snapshot: a log that an instance row names is there.
    if (next === undefined) throw incomplete(what, 1);
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }
}

function incomplete(what: string, missing: number): HubError {
  const problem = `entry ${missing} of ${what} is missing`;
  return new HubError("store-distrusted", `stored data is damaged: ${problem}`);
}
