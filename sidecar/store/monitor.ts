/** What a store tells whoever watches over it. Calls are synchronous and must cost next to nothing. */

/** One group of commits that has become durable. */
export interface Flush {
  readonly commits: number;
  /** Puts and deletions, the record of the group included. */
  readonly writes: number;
  readonly bytes: number;
  /** From handing the group to the disk until it was durable, reopening included. */
  readonly durationMs: number;
}

/** How a write error ended well. */
export interface Reopened {
  /** The group whose write had failed was on the disk all the same. */
  readonly landed: boolean;
  /** How often the store was opened before it worked. */
  readonly attempts: number;
  /** From the error until the store was open and checked. */
  readonly durationMs: number;
}

export interface StoreMonitor {
  flushed(flush: Flush): void;
  /** A write failed: nothing is acknowledged until `reopened`, or the store has failed for good. */
  writeFailed(cause: Error): void;
  reopened(outcome: Reopened): void;
}

export const silentMonitor: StoreMonitor = {
  flushed() {},
  writeFailed() {},
  reopened() {},
};
