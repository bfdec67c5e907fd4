/** The space that a store may still fill. */

/**
 * What may go on. "low": everything, but somebody should make room. "tight": new instances and events
 * are refused. "full": only what finishes work or gives space back goes on.
 */
export type SpaceLevel = "ample" | "low" | "tight" | "full";

/** Whether something is refused because of it. */
export function isShortOfSpace(level: SpaceLevel): boolean {
  return level === "tight" || level === "full";
}

export interface Space extends AsyncDisposable {
  readonly level: SpaceLevel;
  /** Bytes that may still be written, without what is kept in reserve; undefined: nobody knows. */
  readonly freeBytes: number | undefined;
  /** Whether this error comes from a lack of space rather than from anything else. */
  isShort(error: Error): Promise<boolean>;
  /** Gives up what is kept in reserve for this moment. False when there is nothing left to give up. */
  makeRoom(): Promise<boolean>;
  /** Resolves when it is worth trying again. */
  changed(): Promise<void>;
}

/** As if there were always room. */
export const endlessSpace: Space = {
  level: "ample",
  freeBytes: undefined,
  isShort: async () => false,
  makeRoom: async () => false,
  changed: async () => {},
  [Symbol.asyncDispose]: async () => {},
};
