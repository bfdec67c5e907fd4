/**
 * What a disk may hold after the power went: what was synced, and anything of the rest. Names
 * change in their order, so those that no sync of the directory covers are undone from the newest
 * on; the bytes of a file that no sync of it covers may be missing, cut, or be zeros.
 */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Random } from "../kill/random.ts";
import type { NameChange, Trace } from "../shim/trace.ts";

/** What a disk writes wholly or not at all: a page, or a sector of it. */
const units = [4096, 512] as const;

const isDiary = /\/LOG(\.old)?$/;

export interface CrashOptions {
  /** The data directory of the process that was killed. Stays as it is. */
  readonly crashed: string;
  /** Where the image is made. */
  readonly image: string;
  readonly trace: Trace;
  /** Where the second names of deleted files are. */
  readonly trash: string;
  /** How long each file was when the process began: that much was durable then. */
  readonly baseline: ReadonlyMap<bigint, number>;
  readonly random: Random;
}

export interface CrashFacts {
  /** What was written, and is not in the image. */
  readonly lostBytes: number;
  readonly undoneNameChanges: number;
  /** Files that neither a sync nor one of their directory covered, and that are not in the image. */
  readonly vanishedFiles: number;
  /** Zeros in files: one page or sector that was not synced, or what a failed sync has forgotten. */
  readonly zeroedRanges: number;
  /** Names of the files with zeros, below the directory. */
  readonly zeroedFiles: readonly string[];
}

/** Makes an image that is one of those that could be left. */
export async function makeCrashImage(options: CrashOptions): Promise<CrashFacts> {
  const { crashed, image, trace, random } = options;
  const kept = keptNameChanges(trace, random);
  const names = await namesOf(crashed);
  const undone = trace.nameChanges.slice(kept).toReversed();
  const facts = {
    lostBytes: 0,
    undoneNameChanges: undone.length,
    vanishedFiles: 0,
    zeroedRanges: 0,
    zeroedFiles: [] as string[],
  };
  for (const change of undone) {
    if (change.created !== true) undo(change, names, options.trash);
    else if (await vanishes(change, names, trace)) facts.vanishedFiles += 1;
  }
  await mkdir(image, { recursive: true, mode: 0o700 });
  for (const path of [...names.keys()].toSorted()) {
    const source = names.get(path) ?? path;
    const zeroedBefore = facts.zeroedRanges;
    const bytes = await survivingBytes(source, options, facts);
    const name = relative(crashed, path);
    if (facts.zeroedRanges > zeroedBefore) facts.zeroedFiles.push(name);
    const target = join(image, name);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(target, bytes, { mode: 0o600 });
  }
  return facts;
}

/** All files below a directory with their sizes: the baseline of the next process. */
export async function sizesIn(directory: string): Promise<Map<bigint, number>> {
  const sizes = new Map<bigint, number>();
  for (const path of (await namesOf(directory)).keys()) {
    const { ino, size } = await stat(path, { bigint: true });
    sizes.set(ino, Number(size));
  }
  return sizes;
}

/** Mostly all of them, or only those that had to: what is in between is rarer on a real disk. */
function keptNameChanges({ nameChanges, durableNameChanges }: Trace, random: Random): number {
  const all = nameChanges.length;
  return random.oneOf([all, durableNameChanges, random.between(durableNameChanges, all)]);
}

/** Each name in the image, and where its file is now. */
async function namesOf(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(files.map(({ parentPath, name }) => join(parentPath, name)).map((p) => [p, p]));
}

function undo({ path, from, kept }: NameChange, names: Map<string, string>, trash: string): void {
  const now = names.get(path);
  if (from !== undefined && now !== undefined) names.set(from, now);
  if (kept === undefined) names.delete(path);
  else names.set(path, join(trash, kept));
}

/** Takes away the name of a file that was made, unless a sync has covered the file. */
async function vanishes(
  { path }: NameChange,
  names: Map<string, string>,
  trace: Trace,
): Promise<boolean> {
  const source = names.get(path);
  if (source === undefined) return false;
  const { ino } = await stat(source, { bigint: true });
  if (trace.syncedBytes.has(ino)) return false;
  return names.delete(path);
}

interface Counted {
  lostBytes: number;
  zeroedRanges: number;
}

async function survivingBytes(
  source: string,
  { trace, baseline, random }: CrashOptions,
  facts: Counted,
): Promise<Buffer> {
  const bytes = await readFile(source);
  const { ino } = await stat(source, { bigint: true });
  const synced = Math.min(bytes.length, trace.syncedBytes.get(ino) ?? baseline.get(ino) ?? 0);
  const unsynced = bytes.length - synced;
  // Drawn in any case, so that what one file is like decides nothing for the next.
  const [survives, more, zeroes, page] = [0, 0, 0, 0].map(() => random.between(0, 999_999));
  const further = (survives ?? 0) < 700_000 ? (more ?? 0) % (unsynced + 1) : unsynced;
  const length = synced + ((survives ?? 0) < 400_000 ? 0 : further);
  facts.lostBytes += bytes.length - length;
  const image = bytes.subarray(0, length);
  const forgotten = trace.forgottenBytes.get(ino);
  if (forgotten !== undefined && forgotten.from < length) {
    image.fill(0, forgotten.from, Math.min(length, forgotten.to));
    facts.zeroedRanges += 1;
    return image;
  }
  // One range at most, so that an image which is refused has one reason; LevelDB's diary is no data.
  const mayZero = facts.zeroedRanges === 0 && length > synced && !isDiary.test(source);
  if (!mayZero || (zeroes ?? 0) >= 600_000) return image;
  const unit = units[(page ?? 0) % 2] ?? units[0];
  const first = Math.floor(synced / unit);
  const count = Math.floor((length - 1) / unit) - first + 1;
  const begin = (first + (Math.floor((page ?? 0) / 2) % count)) * unit;
  image.fill(0, Math.max(synced, begin), Math.min(length, begin + unit));
  facts.zeroedRanges += 1;
  return image;
}
