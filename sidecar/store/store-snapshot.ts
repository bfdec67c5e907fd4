/** A store as it was at one moment, for whoever copies a whole hub while writes go on. */
import type { Entry, HubEntry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { StorageNumber, StoredEntry } from "./store.ts";

/** An instance of the hub, and the generation of its log that counts. */
export interface SnapshotInstance {
  readonly instanceId: string;
  readonly number: StorageNumber;
  readonly generation: number;
}

/**
 * What was durable at one moment. It pins what the disk could give back: whoever has it closes it.
 * Reading it after that throws HubError "unavailable", and so it does when the store was closed or
 * opened again; "store-distrusted" when what is stored cannot be read.
 */
export interface StoreSnapshot {
  /** Sequence of the newest commit group; 0 when there is none. */
  readonly commitSequence: number;
  /** Storage numbers that were in use are below this one. */
  readonly numbersEnd: StorageNumber;

  /** Storage number of a hub; undefined when there is none of this name. */
  findHub(name: string): StorageNumber | undefined;

  /** The newest generation of a hub's log. */
  hubLog(number: StorageNumber): Promise<readonly StoredEntry<HubEntry>[]>;

  /** The instances and entities of a hub, by the bytes of their ids. */
  instances(hub: StorageNumber): AsyncGenerator<SnapshotInstance, void, undefined>;

  /** One generation of an instance's log, in order, without a gap. */
  log(instance: SnapshotInstance): AsyncGenerator<StoredEntry<Entry>, void, undefined>;

  /** Idempotent. */
  close(): Promise<void>;
}
