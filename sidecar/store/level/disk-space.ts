/**
 * The disk below the data directory: how full it is, and a file that keeps some of it in reserve. A
 * full disk must not keep work from finishing, nor data from being deleted: LevelDB needs room for
 * both, and for being opened again.
 */
import { randomBytes } from "node:crypto";
import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Alarm, SteadyClock } from "../../foundation/clock.ts";
import { asError } from "../../foundation/errors.ts";
import type { Log } from "../../foundation/log.ts";
import type { Space, SpaceLevel } from "../space.ts";

const RESERVE_FILE = "RESERVE";

export interface DiskSpaceOptions {
  readonly directory: string;
  /** Size of the file in bytes, at most half of the disk; 0 for none. */
  readonly reserveBytes: number;
  readonly clock: SteadyClock;
  readonly log: Log;
}

interface Figures extends DiskBytes {
  /** How many more files there may be. */
  readonly freeFiles: number;
}

/** Of the whole disk. */
export interface DiskBytes {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const MIB = 1024 * 1024;

/** The file is written in such parts. What cannot be compressed takes the room that it seems to. */
const partBytes = MIB;

/** Below the smaller of the two: a share of a large disk is more than anybody needs. */
const lowBelow = { share: 0.1, bytes: 1024 * MIB } as const;
const tightBelow = { share: 0.05, bytes: 512 * MIB } as const;
const fullBelow = { share: 0.02, bytes: 128 * MIB } as const;

const lookEveryMs = { ample: 5_000, low: 5_000, tight: 1_000, full: 1_000 } as const;

/** Opening is tried again at such intervals though nothing was freed. */
const retryEveryMs = 30_000;

/** How full a disk is, reserve apart. */
export function levelOf(disk: DiskBytes): SpaceLevel {
  if (disk.freeBytes < boundOf(fullBelow, disk)) return "full";
  if (disk.freeBytes < boundOf(tightBelow, disk)) return "tight";
  return disk.freeBytes < boundOf(lowBelow, disk) ? "low" : "ample";
}

/** Looks at the disk at once, and at intervals until it is disposed. The directory must exist. */
export async function openDiskSpace(options: DiskSpaceOptions): Promise<Space> {
  const space = new DiskSpace(options);
  await space.begin();
  return space;
}

class DiskSpace implements Space {
  readonly #options: DiskSpaceOptions;
  readonly #path: string;
  #level: SpaceLevel = "ample";
  #figures: Figures | undefined;
  #reserve: "kept" | "filling" | "gone" = "gone";
  #filling: Promise<void> = Promise.resolve();
  /** Writing has failed for a lack of space, and what is in reserve is not back yet. */
  #hasRunOut = false;
  #alarm: Alarm | undefined;
  #disposed = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
    this.#path = join(options.directory, RESERVE_FILE);
  }

  get level(): SpaceLevel {
    return this.#level;
  }

  get freeBytes(): number | undefined {
    return this.#figures?.freeBytes;
  }

  async begin(): Promise<void> {
    // Whatever an earlier process kept there is kept anew.
    await this.#removeReserve();
    await this.#look();
    this.#lookLater();
  }

  async isShort(error: Error): Promise<boolean> {
    if (isAboutSpace(error)) return true;
    const figures = await this.#read();
    return figures !== undefined && figures.freeBytes < this.#reserveBytes(figures);
  }

  async makeRoom(): Promise<boolean> {
    const hadReserve = this.#reserve !== "gone";
    this.#reserve = "gone";
    this.#hasRunOut = true;
    await this.#filling;
    await this.#removeReserve();
    this.#setLevel("full");
    return hadReserve;
  }

  async changed(): Promise<void> {
    const { clock } = this.#options;
    const beganAtMs = clock.nowMs();
    const before = await this.#read();
    // Ends with more space, or after some time.
    while (clock.nowMs() - beganAtMs < retryEveryMs) {
      await new Promise<void>((resolve) => clock.after(lookEveryMs.full, resolve));
      const now = await this.#read();
      if (before === undefined || now === undefined) continue;
      if (now.freeBytes > before.freeBytes || now.freeFiles > before.freeFiles) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#alarm?.cancel();
    await this.#filling;
  }

  #lookLater(): void {
    if (this.#disposed) return;
    this.#alarm = this.#options.clock.after(lookEveryMs[this.#level], () => {
      void this.#look().then(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    const figures = await this.#read();
    if (figures === undefined) return;
    const { freeBytes } = figures;
    const wanted = this.#reserveBytes(figures);
    const tight = boundOf(tightBelow, figures);
    if (this.#reserve === "gone" && wanted > 0 && freeBytes >= wanted + tight) {
      this.#reserve = "filling";
      this.#filling = this.#fill(wanted);
    }
    // Behind a quota there seems to be space that there is not: what counts is what can be written.
    const isReserved =
      wanted === 0 || this.#reserve === "kept" || (this.#reserve === "filling" && !this.#hasRunOut);
    this.#setLevel(isReserved ? levelOf(figures) : "full");
  }

  #setLevel(level: SpaceLevel): void {
    if (level === this.#level) return;
    this.#level = level;
    const { log, directory } = this.#options;
    const fields = { directory, freeBytes: this.freeBytes };
    if (level === "ample") log.info("disk.ample", fields);
    else if (level === "low") log.warn("disk.low", fields);
    else log.error(`disk.${level}`, fields);
  }

  /** Undefined when the system does not say. */
  async #read(): Promise<Figures | undefined> {
    try {
      const { bavail, blocks, bsize, ffree } = await statfs(this.#options.directory);
      const [freeBytes, totalBytes] = [bavail * bsize, blocks * bsize];
      this.#figures = { freeBytes, totalBytes, freeFiles: ffree };
    } catch (error) {
      this.#options.log.warn("disk.unknown", { error });
      this.#figures = undefined;
    }
    return this.#figures;
  }

  #reserveBytes({ totalBytes }: Figures): number {
    return Math.min(this.#options.reserveBytes, Math.floor(totalBytes / 2));
  }

  /** Never rejects. */
  async #fill(bytes: number): Promise<void> {
    try {
      await using file = await open(this.#path, "w", 0o600);
      const part = randomBytes(partBytes);
      for (let written = 0; written < bytes; written += partBytes) {
        if (this.#reserve !== "filling" || this.#disposed) return;
        await file.write(part, 0, Math.min(partBytes, bytes - written));
      }
      await file.sync();
      if (this.#reserve !== "filling") return;
      this.#reserve = "kept";
      this.#hasRunOut = false;
    } catch (error) {
      this.#reserve = "gone";
      this.#hasRunOut ||= isAboutSpace(asError(error));
      await this.#removeReserve();
      this.#options.log.warn("disk.reserve_failed", { bytes, error: asError(error) });
    }
  }

  async #removeReserve(): Promise<void> {
    try {
      await giveUpReserve(this.#options.directory);
    } catch (error) {
      this.#options.log.warn("disk.reserve_stays", { error });
    }
  }
}

/** Removes the file that an earlier process kept, if there is one. */
export async function giveUpReserve(directory: string): Promise<void> {
  await rm(join(directory, RESERVE_FILE), { force: true });
}

function boundOf(bound: { share: number; bytes: number }, { totalBytes }: DiskBytes): number {
  return Math.min(totalBytes * bound.share, bound.bytes);
}

/** LevelDB passes on the words of the system: ENOSPC and EDQUOT. */
export function isAboutSpace(error: Error): boolean {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if (/no space left|quota exceeded|ENOSPC|EDQUOT/i.test(each.message)) return true;
  }
  return false;
}
