/**
 * Exports: a whole hub as the bytes of a file, as it is at one moment, while it goes on. Nothing is
 * read before somebody takes what was read before.
 */
import { create } from "@bufbuild/protobuf";
import { evolveHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { BACKUP_FORMAT, BackupWriter } from "../store/backup/format.ts";
import { encodeEntry, encodeHubEntry } from "../store/entry-codec.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import type { StoreSnapshot } from "../store/store-snapshot.ts";
import { type BackupEntry, BackupHeaderSchema } from "../wire/gen/taskhub/v1/backup_pb.ts";
import { Slot } from "./slots.ts";
import { WatchedSnapshot } from "./watched-snapshot.ts";

export interface ExportsOptions {
  readonly store: Store;
  readonly hubClock: HubClock;
  readonly steadyClock: SteadyClock;
}

type Entry = Pick<BackupEntry, "instanceId" | "number" | "generation" | "sequence" | "entry">;

export class Exports {
  readonly #options: ExportsOptions;
  #open = 0;

  constructor(options: ExportsOptions) {
    this.#options = options;
  }

  /** Snapshots that are open: each keeps the disk from giving back what was deleted since. */
  get open(): number {
    return this.#open;
  }

  /**
   * The file of a hub in chunks of at most 256 KiB.
   *
   * @throws HubError "instance-not-found" when there is no such hub, "limit-exceeded" when too many
   * exports are under way, "deadline-exceeded" when nobody takes the next chunk for too long,
   * "unavailable" when the store was opened again meanwhile
   */
  async *export(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#open >= LIMITS.exportsMax) {
      throw new HubError("limit-exceeded", `${LIMITS.exportsMax} exports are under way already`);
    }
    this.#open += 1;
    using slot = new Slot(() => {
      this.#open -= 1;
    });
    // Whoever does not go on keeps no place from others: what it has open is closed.
    await using snapshot = await this.#snapshot(() => slot[Symbol.dispose]());
    yield* this.#chunks(name, snapshot, signal);
  }

  async *#chunks(
    name: string,
    snapshot: WatchedSnapshot,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let chunk: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.#file(name, snapshot)) {
      for (let rest = piece; rest.length > 0; ) {
        const part = rest.subarray(0, LIMITS.backupPartBytesMax - bytes);
        rest = rest.subarray(part.length);
        chunk.push(part);
        bytes += part.length;
        if (bytes < LIMITS.backupPartBytesMax) continue;
        signal.throwIfAborted();
        yield Buffer.concat(chunk);
        snapshot.goOn();
        chunk = [];
        bytes = 0;
      }
    }
    if (bytes > 0) yield Buffer.concat(chunk);
  }

  async *#file(name: string, { stored }: WatchedSnapshot): AsyncGenerator<Uint8Array> {
    const number = stored.findHub(name);
    if (number === undefined) throw noHub(name);
    const { entries, state } = await hubEntries(stored, number);
    const header = create(BackupHeaderSchema, {
      format: BACKUP_FORMAT,
      taskHub: name,
      incarnation: state.incarnation,
      exportedAt: this.#options.hubClock.now(),
      commitSequence: BigInt(stored.commitSequence),
      numbersEnd: stored.numbersEnd,
    });
    const writer = new BackupWriter(header);
    yield writer.begin();
    for (const value of entries) yield writer.add({ case: "entry", value });
    let instances = 0;
    for await (const instance of stored.instances(number)) {
      instances += 1;
      const { instanceId, number, generation } = instance;
      for await (const { sequence, entry } of stored.log(instance)) {
        const key = { instanceId, number, generation, sequence: BigInt(sequence) };
        yield writer.add({ case: "entry", value: { ...key, entry: encodeEntry(entry) } });
      }
    }
    yield writer.end(instances);
  }

  async #snapshot(gaveUp: () => void): Promise<WatchedSnapshot> {
    const { store, steadyClock } = this.#options;
    return new WatchedSnapshot(await store.snapshot(), {
      clock: steadyClock,
      idleMs: LIMITS.exportIdleMs,
      what: "the export",
      gaveUp,
    });
  }
}

async function hubEntries(
  stored: StoreSnapshot,
  number: StorageNumber,
): Promise<{ readonly entries: readonly Entry[]; readonly state: HubState }> {
  const entries: Entry[] = [];
  let state: HubState | undefined;
  for (const { sequence, entry } of await stored.hubLog(number)) {
    // Encoded before it is applied, which shares its parts.
    const encoded = encodeHubEntry(entry);
    state = evolveHub(state, number, sequence, entry);
    const { generation } = state;
    const key = { instanceId: "", number, generation, sequence: BigInt(sequence) };
    entries.push({ ...key, entry: encoded });
  }
  if (state === undefined) throw new HubError("store-distrusted", `hub ${number} has no log`);
  return { entries, state };
}

function noHub(name: string): HubError {
  return new HubError("instance-not-found", `task hub ${JSON.stringify(name)} does not exist`);
}
