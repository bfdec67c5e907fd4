/** What the shim has written down: how much of which file is durable, and what became of names. */

export interface Trace {
  /** Bytes of a file, by its inode number, that a sync has covered. Missing: none ever. */
  readonly syncedBytes: ReadonlyMap<bigint, number>;
  /**
   * Bytes of a file that a sync did not make durable, and that no later sync will: Linux takes pages
   * that could not be written for clean ones.
   */
  readonly forgottenBytes: ReadonlyMap<bigint, ByteRange>;
  /** Names that changed, oldest first. */
  readonly nameChanges: readonly NameChange[];
  /** How many of them a sync of their directory has made durable: the oldest ones. */
  readonly durableNameChanges: number;
  /** The last faults, oldest first: "kill sync before db/000005.log". */
  readonly faults: readonly string[];
}

export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface NameChange {
  readonly path: string;
  /** Whether the file was made: one that was synced has its name for good. */
  readonly created?: boolean;
  /** Where the file came from; undefined when it was deleted, or made. */
  readonly from: string | undefined;
  /** Second name of what was deleted or replaced, in the trash; undefined when there was nothing. */
  readonly kept: string | undefined;
}

const faultActions: ReadonlySet<string> = new Set(["kill", "eio"]);

/** Reads the trace of one process, or of several on the same files. */
export function parseTrace(text: string): Trace {
  const syncedBytes = new Map<bigint, number>();
  const forgottenBytes = new Map<bigint, ByteRange>();
  const nameChanges: NameChange[] = [];
  const faults: string[] = [];
  let durableNameChanges = 0;
  let earlierNameChanges = 0;
  for (const line of text.split("\n")) {
    const [kind = "", ...fields] = line.split("\t");
    const field = (at: number): string => fields[at] ?? "";
    if (kind === "begin") {
      earlierNameChanges = nameChanges.length;
    } else if (kind === "sync") {
      const node = BigInt(field(0));
      // Two threads may sync one file at a time, and the shorter sync may come back last.
      syncedBytes.set(node, Math.max(Number(field(1)), syncedBytes.get(node) ?? 0));
    } else if (kind === "failed-sync") {
      const node = BigInt(field(0));
      forgottenBytes.set(node, { from: syncedBytes.get(node) ?? 0, to: Number(field(1)) });
    } else if (kind === "emptied") {
      syncedBytes.set(BigInt(field(0)), 0);
      forgottenBytes.delete(BigInt(field(0)));
    } else if (kind === "directory") {
      durableNameChanges = Math.max(durableNameChanges, earlierNameChanges + Number(field(0)));
    } else if (kind === "rename") {
      nameChanges.push({ path: field(3), from: field(2), kept: keptName(field(1)) });
    } else if (kind === "created") {
      nameChanges.push({ path: field(1), created: true, from: undefined, kept: undefined });
    } else if (kind === "unlink") {
      nameChanges.push({ path: field(2), from: undefined, kept: keptName(field(1)) });
    } else if (faultActions.has(kind)) {
      faults.push([kind, ...fields].join(" "));
    }
  }
  return { syncedBytes, forgottenBytes, nameChanges, durableNameChanges, faults };
}

function keptName(name: string): string | undefined {
  return name.endsWith(".-1") ? undefined : name;
}
