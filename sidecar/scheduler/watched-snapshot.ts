import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { StoreSnapshot } from "../store/store-snapshot.ts";

export interface SnapshotWatch {
  readonly clock: SteadyClock;
  /** How long the next step may take. */
  readonly idleMs: number;
  /** What is read from the snapshot: "the export". */
  readonly what: string;
  /** It was closed because nobody went on. */
  readonly gaveUp?: () => void;
}

/** A snapshot that is closed when its owner is done with it, or does not go on. */
export class WatchedSnapshot implements AsyncDisposable {
  readonly stored: StoreSnapshot;
  readonly #watch: SnapshotWatch;
  #alarm;
  #isLate = false;

  constructor(stored: StoreSnapshot, watch: SnapshotWatch) {
    this.stored = stored;
    this.#watch = watch;
    this.#alarm = this.#deadline();
  }

  /** The next step is wanted. @throws HubError "deadline-exceeded" */
  goOn(): void {
    if (this.#isLate) {
      const { what } = this.#watch;
      throw new HubError("deadline-exceeded", `${what} was given up: nobody went on reading it`);
    }
    this.#alarm.cancel();
    this.#alarm = this.#deadline();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#alarm.cancel();
    await this.stored.close();
  }

  #deadline() {
    const { clock, idleMs, gaveUp } = this.#watch;
    return clock.after(idleMs, () => {
      this.#isLate = true;
      // Whoever reads next is told why; that closing fails is told to whoever closes again.
      this.stored.close().catch(() => {});
      gaveUp?.();
    });
  }
}
