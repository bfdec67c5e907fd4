/**
 * The durability contract. A store appends and reads back; it decides nothing, keeps no time and
 * knows no rule of orchestration.
 *
 * - **One road.** `append` is the only way to change anything. The order of its calls is the order
 *   of commits. A commit is all or nothing. What is appended while a flush runs joins the next
 *   group: one flush for all.
 * - **Durable** means: survives the death of the process and of the machine, on storage that
 *   honours fsync (the memory store: survives nothing, and says "durable" at once after the same
 *   turn of the event loop).
 * - **Reads see what is durable**, and nothing else. Whoever needs a newer state keeps it in memory
 *   until `durablePosition` has reached the position of the commit that made it.
 * - **A write error of any kind** is trusted by nobody: the store is closed, opened again and
 *   checked, and what had not become durable is written again. Appends are accepted and reads wait
 *   meanwhile; callers notice nothing but the time. What was decided stays decided.
 * - **Failure is final.** When opening again does not help, no position becomes durable any more:
 *   `failed` resolves, `whenDurable` of the unfinished positions stays pending, further appends are
 *   accepted and lost. Nothing may be acknowledged from then on. The owner ends the process (exit
 *   code 74).
 * - **Storage numbers** name lives of instances and task hubs. They are never used twice, also not
 *   when the commit that would have used one was lost. The top 16 bits name a partition (0 here).
 *
 * @see docs/decisions/0002-the-log-is-the-truth.md
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Entry, HubEntry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  CompletedRow,
  GarbageRow,
  HeldRow,
  InstanceAddress,
  InstanceRow,
  QueryRow,
  Snapshot,
} from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { Space } from "./space.ts";
import type { StoreSnapshot } from "./store-snapshot.ts";

export type StorageNumber = bigint;

/** Position of a commit in the order of commits; positions grow by one. */
export type CommitPosition = number;

/** One entry of one log. Sequences are dense within a log, from 1, over all its generations. */
export interface LogAppend {
  readonly number: StorageNumber;
  readonly generation: number;
  readonly sequence: number;
  /**
   * The entry, encoded with `encodeEntry` or `encodeHubEntry`. By whoever decided it, because
   * applying an entry shares its parts with a state that goes on changing.
   */
  readonly record: Uint8Array;
}

/** One row of an index, put (`row` present) or deleted (`row` absent). */
export type IndexChange =
  | { readonly index: "hub"; readonly name: string; readonly row: StorageNumber | undefined }
  | {
      readonly index: "instance";
      readonly hub: StorageNumber;
      readonly instanceId: string;
      readonly row: InstanceRow | undefined;
    }
  | {
      /** Exists exactly while the instance has something to do. */
      readonly index: "ready";
      readonly number: StorageNumber;
      readonly row: InstanceAddress | undefined;
    }
  | {
      /** At most one row an instance: its earliest due time. */
      readonly index: "due";
      readonly due: Timestamp;
      readonly number: StorageNumber;
      readonly row: InstanceAddress | undefined;
    }
  | {
      readonly index: "snapshot";
      readonly number: StorageNumber;
      readonly generation: number;
      readonly row: Snapshot | undefined;
    }
  | {
      /** Every orchestration, in the class that it is in, by time of creation. */
      readonly index: "query";
      readonly hub: StorageNumber;
      readonly instanceClass: InstanceClass;
      readonly createdAt: Timestamp;
      readonly instanceId: string;
      readonly row: QueryRow | undefined;
    }
  | {
      /** Every finished orchestration, by time of completion. */
      readonly index: "completed";
      readonly hub: StorageNumber;
      readonly completedAt: Timestamp;
      readonly instanceId: string;
      readonly row: CompletedRow | undefined;
    }
  | {
      /** Every hold of every instance that is not finished, by the time when it was placed. */
      readonly index: "held";
      readonly hub: StorageNumber;
      readonly placedAt: Timestamp;
      readonly number: StorageNumber;
      readonly name: string;
      readonly row: HeldRow | undefined;
    }
  | {
      /** Exists while the log of a hub and what is in it are being written that no hub row names. */
      readonly index: "import";
      readonly hub: StorageNumber;
      readonly isUnderWay: boolean;
    }
  /** Log ranges to delete in the background, in slices; only ever put by callers. */
  | { readonly index: "garbage"; readonly row: GarbageRow };

/** What an orchestration can be without being loaded: not finished, or how it ended. */
export type InstanceClass = "live" | "completed" | "failed" | "terminated" | "canceled";

/** What one decision changes: all of it, or nothing. */
export interface Commit {
  readonly appends: readonly LogAppend[];
  readonly index: readonly IndexChange[];
}

export interface StoredEntry<E> {
  readonly sequence: number;
  readonly entry: E;
}

export interface ReadyRow {
  readonly number: StorageNumber;
  readonly address: InstanceAddress;
}

export interface DueRow {
  readonly due: Timestamp;
  readonly number: StorageNumber;
  readonly address: InstanceAddress;
}

/** Where a page of the due index continues: behind this row. */
export type DueCursor = Pick<DueRow, "due" | "number">;

/** Times at `from` or later and before `to`; without one of them there is no bound on that side. */
export interface TimeRange {
  readonly from?: Timestamp | undefined;
  readonly to?: Timestamp | undefined;
}

/** A place in an order by time, then by the bytes of the instance id. */
export interface InstanceCursor {
  readonly time: Timestamp;
  readonly instanceId: string;
}

/** A place in the order of holds: by time of placing, storage number, bytes of the name. */
export interface HeldCursor {
  readonly time: Timestamp;
  readonly number: StorageNumber;
  readonly name: string;
}

/** A row of the query index: `time` is that of creation. */
export interface QueryIndexRow extends InstanceCursor {
  readonly row: QueryRow;
}

/** A row of the index of finished instances: `time` is that of completion. */
export interface CompletedIndexRow extends InstanceCursor {
  readonly row: CompletedRow;
}

/** A row of the index of holds: `time` is that of placing. */
export interface HeldIndexRow extends HeldCursor {
  readonly row: HeldRow;
}

/** The row of an instance or entity, by its id. */
export interface IdRow {
  readonly instanceId: string;
  readonly number: StorageNumber;
}

/** The indexes that queries read, in pages: rows behind `after`, in order, at most `limit`. */
export interface QueryIndexes {
  /** Orchestrations of one class by time of creation, then by instance id. */
  readQuery(
    hub: StorageNumber,
    instanceClass: InstanceClass,
    created: TimeRange,
    after: InstanceCursor | undefined,
    limit: number,
  ): Promise<readonly QueryIndexRow[]>;

  /** Finished orchestrations by time of completion, then by instance id. */
  readCompleted(
    hub: StorageNumber,
    completed: TimeRange,
    after: InstanceCursor | undefined,
    limit: number,
  ): Promise<readonly CompletedIndexRow[]>;

  /** Holds of instances by time of placing, then by storage number and name. */
  readHeld(
    hub: StorageNumber,
    placed: TimeRange,
    after: HeldCursor | undefined,
    limit: number,
  ): Promise<readonly HeldIndexRow[]>;
}

export interface Store extends AsyncDisposable, QueryIndexes {
  /**
   * Adds one commit to the road and returns its position. Synchronous; index rows are encoded
   * before it returns, so the caller may go on to change what they were made from.
   */
  append(commit: Commit): CommitPosition;

  /**
   * Resolves when everything up to `position` is durable. Never rejects; see "Failure is final".
   */
  whenDurable(position: CommitPosition): Promise<void>;

  /**
   * The newest position that is durable; 0 when nothing was appended since the store was opened.
   */
  readonly durablePosition: CommitPosition;

  /** Bytes of commits that are not durable yet, roughly. */
  readonly pendingBytes: number;

  /** It was disposed, or is being: nothing may be appended any more. */
  readonly isClosed: boolean;

  /** What it may still fill. */
  readonly space: Pick<Space, "level" | "freeBytes">;

  /** Resolves with the cause when the store can no longer be trusted. Never rejects. */
  readonly failed: Promise<Error>;

  /** A storage number that was never used and never will be again. */
  allocateNumber(): StorageNumber;

  /** All task hubs, by name. */
  listHubs(): Promise<readonly { readonly name: string; readonly number: StorageNumber }[]>;

  findInstance(hub: StorageNumber, instanceId: string): Promise<InstanceRow | undefined>;

  /**
   * Instances and entities whose ids begin with `prefix`, by the bytes of their ids, behind the id
   * `after`, at most `limit`.
   */
  readIds(
    hub: StorageNumber,
    prefix: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly IdRow[]>;

  readSnapshot(number: StorageNumber, generation: number): Promise<Snapshot | undefined>;

  /**
   * The entries of one generation from `fromSequence` on, in order: all of them, or at most the
   * first `limit`.
   *
   * @throws HubError "store-distrusted" when a value fails its checksum or a sequence is missing
   */
  readLog(
    number: StorageNumber,
    generation: number,
    fromSequence: number,
    limit?: number,
  ): Promise<readonly StoredEntry<Entry>[]>;

  /** The entries of a hub's log in its newest generation, in order. */
  readHubLog(number: StorageNumber): Promise<readonly StoredEntry<HubEntry>[]>;

  /** Ready rows behind `after`, by storage number. */
  readReady(after: StorageNumber | undefined, limit: number): Promise<readonly ReadyRow[]>;

  /** Due rows behind `after`, earliest first. */
  readDue(after: DueCursor | undefined, limit: number): Promise<readonly DueRow[]>;

  /**
   * The first of so many storage numbers in a row, all of them as `allocateNumber` gives them.
   *
   * @throws HubError "limit-exceeded" when there are not so many left
   */
  allocateNumbers(count: bigint): Promise<StorageNumber>;

  /** Whether a hub has an instance or entity. */
  hasInstances(hub: StorageNumber): Promise<boolean>;

  /** Hubs with an import row: in this run, or in one that ended before the import did. */
  listImports(): Promise<readonly StorageNumber[]>;

  /** All that is durable, as of a moment after the call. Whoever asks for it closes it. */
  snapshot(): Promise<StoreSnapshot>;

  /** Flushes what was appended and closes. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
}
