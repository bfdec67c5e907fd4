/** What time does to disks. */
import { open, readdir, rename, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../kill/random.ts";

export const DAMAGES = ["flip", "zero", "truncate", "swap", "delete"] as const;

export type Damage = (typeof DAMAGES)[number];

/** Files by kind, so that each kind is hit as often as the others. */
async function filesOf(directory: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const kinds = new Map<string, string[]>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const kind = entry.name.replace(/\d+/, "");
    kinds.set(kind, [...(kinds.get(kind) ?? []), join(entry.parentPath, entry.name)]);
  }
  return kinds;
}

/** Does it at a random place, and says where. */
export async function damage(directory: string, kind: Damage, random: Random): Promise<string> {
  const kinds = await filesOf(directory);
  const fileKind = pick([...kinds.keys()].toSorted(), random);
  const path = pick((kinds.get(fileKind) ?? []).toSorted(), random);
  const { size } = await stat(path);
  const at = size === 0 ? 0 : random.between(0, size - 1);
  switch (kind) {
    case "flip":
      await overwrite(path, at, 1, (byte) => byte ^ (1 << random.between(0, 7)));
      break;
    case "zero":
      await overwrite(path, at, 512, () => 0);
      break;
    case "truncate":
      await truncate(path, at);
      break;
    case "delete":
      await rm(path);
      break;
    case "swap": {
      const all = [...kinds.values()].flat().filter((each) => each !== path);
      const other = pick(all.toSorted(), random);
      await rename(path, `${path}.aside`);
      await rename(other, path);
      await rename(`${path}.aside`, other);
      return `${kind} ${path} ${other}`;
    }
  }
  return `${kind} ${path} at ${at} of ${size}`;
}

async function overwrite(
  path: string,
  at: number,
  length: number,
  change: (byte: number) => number,
): Promise<void> {
  await using file = await open(path, "r+");
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  const changed = bytes.subarray(0, bytesRead).map(change);
  await file.write(changed, 0, bytesRead, at);
}

function pick<T>(among: readonly T[], random: Random): T {
  const picked = among[random.between(0, among.length - 1)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}
