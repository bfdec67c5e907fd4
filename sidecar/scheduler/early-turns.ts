import type { Head } from "./head.ts";

/** Turns whose events are not durable yet, gathered until all that came with them is decided too. */
export class EarlyTurns {
  readonly #heads = new Set<Head>();
  readonly #consider: (head: Head) => void;
  #isClosed = false;

  constructor(consider: (head: Head) => void) {
    this.#consider = consider;
  }

  add(head: Head): void {
    // Behind everything that this turn of the event loop has read: one turn takes it all.
    this.#heads.add(head);
    if (this.#heads.size > 1) return;
    setImmediate(() => {
      if (this.#isClosed) return;
      const heads = [...this.#heads];
      this.#heads.clear();
      for (const head of heads) this.#consider(head);
    });
  }

  close(): void {
    this.#isClosed = true;
  }
}
