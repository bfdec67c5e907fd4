/** What the process and the thread that watches over it have in common. */

/** Places in the shared memory: counts up as long as the event loop turns. */
export const BEAT = 0;
/** 1 while a debugger may stop the process. */
export const DEBUGGED = 1;

export interface WatchdogData {
  readonly shared: SharedArrayBuffer;
  /** How long the event loop may stand still. */
  readonly blockedMs: number;
  /** How the process ends then. */
  readonly exitCode: number;
}
