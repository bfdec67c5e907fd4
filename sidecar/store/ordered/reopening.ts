/**
 * What happens after a write error of any kind. The handle below is not used again: after a full
 * disk LevelDB goes on to acknowledge writes that it then loses (RELIABILITY.md, section 0.1). It is
 * closed, opened anew and checked; the newest record of a group says whether the group whose write
 * failed is on the disk.
 *
 * @see docs/decisions/0012-reopening.md
 */
import type { SteadyClock } from "../../foundation/clock.ts";
import { asError, HubError } from "../../foundation/errors.ts";
import type { StoreMonitor } from "../monitor.ts";
import type { Space } from "../space.ts";
import type { OrderedBytes } from "./bytes.ts";
import { recoverGroups } from "./group-records.ts";
import type { Handle } from "./handle.ts";

export interface ReopeningOptions {
  /**
   * Opens the same bytes again and checks them as at the start of the process.
   *
   * @throws HubError "store-distrusted" when they cannot be trusted any more
   */
  readonly open: () => Promise<OrderedBytes>;
  readonly clock: SteadyClock;
}

/** A second write error within so much time is one too many, unless the disk is full. */
const secondErrorMs = 60_000;

/** Space that ran out again so soon was not there. */
const shortAgainMs = 1_000;

export class Reopening {
  readonly #handle: Handle;
  readonly #options: ReopeningOptions;
  readonly #space: Space;
  readonly #monitor: StoreMonitor;
  #lastErrorAtMs = Number.NEGATIVE_INFINITY;
  #lastShortAtMs = Number.NEGATIVE_INFINITY;

  constructor(handle: Handle, options: ReopeningOptions, space: Space, monitor: StoreMonitor) {
    this.#handle = handle;
    this.#options = options;
    this.#space = space;
    this.#monitor = monitor;
  }

  /**
   * Makes the handle good again. Resolves with whether the group of this sequence, whose write has
   * failed, is on the disk; if it is not, it has to be written again.
   *
   * @throws what makes the store one that cannot be trusted
   */
  async landed(cause: Error, sequence: number): Promise<boolean> {
    const space = this.#space;
    const { clock } = this.#options;
    const failedAtMs = clock.nowMs();
    this.#monitor.writeFailed(cause);
    const isSecond = failedAtMs - this.#lastErrorAtMs < secondErrorMs;
    if (await space.isShort(cause)) {
      const isAgain = failedAtMs - this.#lastShortAtMs < shortAgainMs;
      // Opening may work where writing does not: without more room that would go on and on.
      if (!(await space.makeRoom()) && isAgain) await space.changed();
      this.#lastShortAtMs = clock.nowMs();
    } else if (isSecond) throw cause;
    else this.#lastErrorAtMs = failedAtMs;
    for (let attempts = 1; ; attempts += 1) {
      const newest = await this.#reopen();
      if (newest !== undefined) {
        if (newest !== sequence && newest !== sequence - 1) throw lost(sequence, newest);
        const landed = newest === sequence;
        this.#monitor.reopened({ landed, attempts, durationMs: clock.nowMs() - failedAtMs });
        return landed;
      }
      // The first error may have had another reason: what is in reserve may still be there.
      if (!(await space.makeRoom())) await space.changed();
    }
  }

  /** The newest group on the disk; undefined when there is no room to open it. */
  async #reopen(): Promise<number | undefined> {
    const { open } = this.#options;
    let newest = 0;
    try {
      await this.#handle.reopen(async () => {
        const bytes = await open();
        try {
          newest = (await recoverGroups(bytes)).newest;
        } catch (error) {
          await bytes.close();
          throw error;
        }
        return bytes;
      });
    } catch (error) {
      if (await this.#space.isShort(asError(error))) return undefined;
      throw error;
    }
    return newest;
  }
}

function lost(sequence: number, newest: number): HubError {
  return new HubError(
    "store-distrusted",
    `after a write error the newest commit group is ${newest}, though ${sequence - 1} was ` +
      "acknowledged: restore a backup",
  );
}
