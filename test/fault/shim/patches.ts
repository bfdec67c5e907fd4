/** Changes of our own sources that a rig needs, made while they are loaded and nowhere else. */

export interface SourcePatch {
  /** How the path of the source ends. */
  readonly file: string;
  /** Occurs in it once. */
  readonly find: string;
  readonly replace: string;
}

/** Memtables of 64 KiB instead of 16 MiB: logs rotate and tables are compacted all the time. */
export const smallMemtables: SourcePatch = {
  file: "/sidecar/store/level/level-bytes.ts",
  find: "WRITE_BUFFER_BYTES = 16 * 1024 * 1024",
  replace: "WRITE_BUFFER_BYTES = 64 * 1024",
};

/** Acknowledges what is not durable: the bug that a rig of power cuts must find. */
export const unsyncedWrites: SourcePatch = {
  file: "/sidecar/store/level/level-bytes.ts",
  find: "batch.write({ sync: true })",
  replace: "batch.write({ sync: false })",
};
