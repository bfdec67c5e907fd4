/** One import: parts of a file in their order, each taken in once. */
import { HubError } from "../foundation/errors.ts";
import { BackupRefused } from "../store/backup/format.ts";
import { BackupReader } from "../store/backup/reader.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import { abandoned } from "./import-rows.ts";
import { type ImportNames, ImportWriter } from "./import-writer.ts";

export class HubImport {
  readonly id: string;
  readonly names: ImportNames;
  readonly #store: Store;
  readonly #reader = new BackupReader();
  readonly #writer: ImportWriter;
  #parts = 0n;

  constructor(id: string, store: Store, names: ImportNames) {
    this.id = id;
    this.names = names;
    this.#store = store;
    this.#writer = new ImportWriter(store, names);
  }

  /** Storage number of the new hub, once anything of it was read. */
  get number(): StorageNumber | undefined {
    return this.#writer.hub?.number;
  }

  /**
   * Resolves when the part is durable. One that was taken in before is not taken in again.
   *
   * @throws HubError "failed-precondition" when a part is missing, "invalid-argument" when the file
   * is damaged: only the latter is an end
   */
  async add(partNumber: bigint, data: Uint8Array): Promise<void> {
    if (partNumber <= this.#parts) return;
    const next = this.#parts + 1n;
    if (partNumber !== next) {
      throw new HubError("failed-precondition", `part ${next} is missing`);
    }
    await refusing(async () => {
      for (const item of this.#reader.push(data)) await this.#writer.add(item);
      await this.#writer.flush();
    });
    this.#parts = next;
  }

  /** Resolves when all is durable, and the file is known to be whole. @throws HubError */
  async end() {
    return refusing(async () => {
      this.#reader.end();
      await this.#writer.end();
      const { hub, entries, instances } = this.#writer;
      if (hub === undefined) throw new HubError("invalid-argument", "the backup holds no hub");
      return { hub, entries, instances };
    });
  }

  /** What was written goes away in the background. */
  abandon(): void {
    const { number } = this;
    if (number !== undefined) this.#store.append(abandoned(number));
  }
}

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackupRefused)) throw error;
    throw new HubError("invalid-argument", `${error.message}; nothing was imported`, {
      cause: error,
    });
  }
}
