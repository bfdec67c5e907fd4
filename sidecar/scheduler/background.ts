/**
 * Work that is not awaited where it is started. Its owner awaits it before it closes what the work
 * uses. A failure is nobody's answer: it surfaces as an unhandled rejection and ends the process.
 */
export class Background {
  readonly #running = new Set<Promise<void>>();

  /** Nothing runs now. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  run(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  /** Resolves when nothing runs any more, also what was started meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
