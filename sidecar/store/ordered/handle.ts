/** The open bytes of a store, which are closed and opened again after a write error. */
import { HubError, shuttingDown } from "../../foundation/errors.ts";
import type { OrderedBytes, Write } from "./bytes.ts";

export class Handle {
  #bytes: OrderedBytes;
  /** Resolves when reading may go on; rejects when the store has failed for good. */
  #reopening: PromiseWithResolvers<void> | undefined;
  #opened = 1;
  #isClosed = false;

  constructor(bytes: OrderedBytes) {
    this.#bytes = bytes;
  }

  /**
   * Reads something. Waits while the bytes are being reopened, and reads again what reopening has
   * interrupted.
   *
   * @throws HubError "store-distrusted" when what is stored cannot be read; "unavailable" when the
   *   store was closed meanwhile
   */
  async read<T>(reader: (bytes: OrderedBytes) => T | Promise<T>): Promise<T> {
    for (;;) {
      if (this.#reopening !== undefined) await this.#reopening.promise;
      const opened = this.#opened;
      try {
        return await reader(this.#bytes);
      } catch (error) {
        if (this.#isClosed) throw shuttingDown();
        if (this.#reopening === undefined && this.#opened === opened) throw error;
      }
    }
  }

  /** @see OrderedBytes.writeDurably */
  write(writes: readonly Write[]): Promise<void> {
    return this.#bytes.writeDurably(writes);
  }

  /**
   * Closes the bytes, whatever state they are in, and takes those that `open` returns. When it
   * rejects nothing is open, and it may be called again.
   */
  async reopen(open: () => Promise<OrderedBytes>): Promise<void> {
    if (this.#reopening === undefined) {
      this.#reopening = Promise.withResolvers();
      // Whoever reads hears of it; nobody has to.
      this.#reopening.promise.catch(() => {});
      // Closing says again that writing has failed; all that counts is what opening finds.
      await this.#bytes.close().catch(() => {});
    }
    this.#bytes = await open();
    this.#opened += 1;
    this.#reopening.resolve();
    this.#reopening = undefined;
  }

  /** Ends what waits for reopening. */
  giveUp(cause: Error): void {
    const message = `the store could not be opened again: ${cause.message}`;
    this.#reopening?.reject(new HubError("store-distrusted", message, { cause }));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#bytes.close();
  }
}
