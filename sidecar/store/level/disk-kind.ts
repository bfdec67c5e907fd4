/** Disks that a store must not be on. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { HubError } from "../../foundation/errors.ts";

/**
 * File systems that other machines change as well. Neither their locks nor their flushes are those
 * that LevelDB relies on.
 */
const NETWORK_DISKS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB 2"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
]);

/** What the system says of the disk below a path. */
export type DiskKind = (path: string) => Promise<{ readonly type: number }>;

/**
 * Refuses a directory, or what it will be created in, on a network disk.
 *
 * @throws HubError "store-refused"
 */
export async function refuseNetworkDisk(
  directory: string,
  diskKind: DiskKind = statfs,
): Promise<void> {
  const type = await typeBelow(directory, diskKind);
  const name = type === undefined ? undefined : NETWORK_DISKS.get(type >>> 0);
  if (name === undefined) return;
  throw new HubError(
    "store-refused",
    `${directory} is on a network disk (${name}), whose locks and flushes cannot be relied on: ` +
      "choose a directory on a local disk",
  );
}

async function typeBelow(path: string, diskKind: DiskKind): Promise<number | undefined> {
  try {
    return (await diskKind(path)).type;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const parent = dirname(path);
    return isMissing && parent !== path ? typeBelow(parent, diskKind) : undefined;
  }
}
