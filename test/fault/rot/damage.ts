/** What time does to disks. */
import { open, readdir, rename, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../kill/random.ts";

export const DAMAGES = ["flip", "zero", "truncate", "swap", "delete"] as const;

export type Damage = (typeof DAMAGES)[number];

/** Each kind of file: `TASKHUB`, `.ldb`, `MANIFEST` and so on. */
export async function kindsIn(directory: string): Promise<readonly string[]> {
  return [...(await filesOf(directory)).keys()].toSorted();
}

/** Files by kind, so that each kind is hit as often as the others. */
async function filesOf(directory: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const kinds = new Map<string, string[]>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const kind = entry.name.replace(/-?\d+/, "");
    kinds.set(kind, [...(kinds.get(kind) ?? []), join(entry.parentPath, entry.name)]);
  }
  return kinds;
}

export interface DamageOptions {
  readonly directory: string;
  readonly fileKind: string;
  readonly kind: Damage;
  readonly random: Random;
}

/** Does it to one of these files at a random place, and says where. */
export async function damage(options: DamageOptions): Promise<string> {
  const { directory, fileKind, kind, random } = options;
  const kinds = await filesOf(directory);
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

/** What is in a file that was empty is damage as well. */
async function overwrite(
  path: string,
  at: number,
  length: number,
  change: (byte: number) => number,
): Promise<void> {
  await using file = await open(path, "r+");
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  const there = (await file.stat()).size === 0 ? length : bytesRead;
  const changed = bytes.subarray(0, there).map(change);
  await file.write(changed, 0, there, at);
}

export function pick<T>(among: readonly T[], random: Random): T {
  const picked = among[random.between(0, among.length - 1)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}
