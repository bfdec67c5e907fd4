/**
 * Writes what the records of a backup say: the logs as they are, but for their numbers, and all the
 * rows that follow from them. Nothing of it is found before the hub row names it; until then an
 * import row says that it is not to stay.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { evolve } from "../engine/evolve.ts";
import { evolveHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import type { InstanceState } from "../engine/state.ts";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { BackupRefused, damaged } from "../store/backup/format.ts";
import type { BackupItem } from "../store/backup/reader.ts";
import { type Renumber, renumberEntry, renumberHubEntry } from "../store/backup/renumber.ts";
import { encodeEntry, encodeHubEntry } from "../store/entry-codec.ts";
import type {
  CommitPosition,
  IndexChange,
  LogAppend,
  StorageNumber,
  Store,
} from "../store/store.ts";
import { LogRecordSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { BackupEntry } from "../wire/gen/taskhub/v1/backup_pb.ts";
import { instanceRow } from "./import-rows.ts";
import { indexChanges, indexedView } from "./index-changes.ts";

/** What the hub is called from now on. */
export interface ImportNames {
  readonly name: string;
  readonly incarnation: string;
}

export class ImportWriter {
  readonly #store: Store;
  readonly #names: ImportNames;
  #shift = 0n;
  #numbersEnd = 0n;
  /** The newest state of the hub; undefined before its log. */
  hub: HubState | undefined;
  /** Entries of all logs. */
  entries = 0;
  instances = 0;
  #life: InstanceState | undefined;
  #appends: LogAppend[] = [];
  #index: IndexChange[] = [];
  #bytes = 0;

  constructor(store: Store, names: ImportNames) {
    this.#store = store;
    this.#names = names;
  }

  /** Takes the next record. @throws BackupRefused; HubError "limit-exceeded" */
  async add(item: BackupItem): Promise<void> {
    if (item.kind === "header") {
      this.#numbersEnd = item.header.numbersEnd;
      // All numbers of the file fit in behind those that this store has used.
      this.#shift = await this.#store.allocateNumbers(this.#numbersEnd);
      return;
    }
    const { entry } = item;
    this.entries += 1;
    checked(placeOf(entry), () => {
      if (entry.instanceId === "") this.#addToHub(entry);
      else this.#addToLife(entry);
    });
    const writes = this.#appends.length + this.#index.length;
    const isFull = this.#bytes >= LIMITS.importCommitBytes;
    if (isFull || writes >= LIMITS.importCommitWritesMax) await this.flush();
  }

  /** There are no more records. */
  async end(): Promise<void> {
    checked("the last instance", () => this.#endLife());
    await this.flush();
  }

  /** Resolves when all that was taken in is durable. */
  async flush(): Promise<void> {
    const appends = this.#appends;
    const index = this.#index;
    this.#appends = [];
    this.#index = [];
    this.#bytes = 0;
    if (appends.length + index.length === 0) return;
    const position: CommitPosition = this.#store.append({ appends, index });
    await this.#store.whenDurable(position);
  }

  readonly #renumber: Renumber = (number) => {
    if (number === 0n) return 0n;
    if (number >= this.#numbersEnd) throw damaged("it mentions an impossible storage number");
    return number + this.#shift;
  };

  #addToHub({ number: old, generation, sequence, entry }: BackupEntry): void {
    const [decoded] = fromBinary(LogRecordSchema, entry).hubEntries;
    assert(decoded !== undefined, "a record of a hub holds an entry of one");
    renumberHubEntry(decoded, this.#renumber);
    if (decoded.base !== undefined) {
      decoded.base.name = this.#names.name;
      decoded.base.incarnation = this.#names.incarnation;
    }
    const number = this.#renumber(old);
    if (this.hub === undefined)
      this.#index.push({ index: "import", hub: number, isUnderWay: true });
    this.#append(number, generation, Number(sequence), encodeHubEntry(decoded));
    this.hub = evolveHub(this.hub, number, Number(sequence), decoded);
    assert(this.hub.generation === generation, "a log has the generation of its base");
    assert(!decoded.deleted, "a hub that was deleted is not exported");
  }

  #addToLife({ instanceId, number: old, generation, sequence, entry }: BackupEntry): void {
    const [decoded] = fromBinary(LogRecordSchema, entry).entries;
    assert(decoded !== undefined, "a record of an instance holds an entry of one");
    if (this.#life?.instanceId !== instanceId) this.#endLife();
    const number = this.#renumber(old);
    const isFirst = this.#life === undefined;
    assert(!isFirst || decoded.base !== undefined, "a generation begins with its base");
    renumberEntry(decoded, this.#renumber);
    // With the first of its entries, so that nothing is forgotten when the rest does not come.
    if (isFirst) this.#index.push(instanceRow(this.#hubNumber, instanceId, number, generation));
    this.#append(number, generation, Number(sequence), encodeEntry(decoded));
    this.#life = evolve(this.#life, number, Number(sequence), decoded);
    const { instanceId: id, generation: inGeneration } = this.#life;
    assert(id === instanceId && inGeneration === generation, "a log is that of its instance");
    assert(decoded.death === undefined, "a life that is over is not exported");
  }

  /** All that is to be known of the instance is: now its rows follow. */
  #endLife(): void {
    const state = this.#life;
    if (state === undefined) return;
    this.#life = undefined;
    this.instances += 1;
    const view = indexedView(state, undefined, true);
    this.#index.push(...indexChanges(this.#hubNumber, state.instanceId, undefined, view));
  }

  #append(number: StorageNumber, generation: number, sequence: number, record: Uint8Array): void {
    this.#appends.push({ number, generation, sequence, record });
    this.#bytes += record.length;
  }

  get #hubNumber(): StorageNumber {
    assert(this.hub !== undefined, "the log of a hub comes first");
    return this.hub.number;
  }
}

/** Whatever breaks when an entry is applied, it is the file that is wrong. */
function checked(place: string, apply: () => void): void {
  try {
    apply();
  } catch (error) {
    throw error instanceof BackupRefused ? error : damaged(`${place} does not fit`, error);
  }
}

function placeOf({ instanceId, sequence }: BackupEntry): string {
  const whose = instanceId === "" ? "the hub" : `instance ${JSON.stringify(instanceId)}`;
  return `entry ${sequence} of ${whose}`;
}
