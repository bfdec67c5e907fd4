/**
 * A disk on which writing takes time: what a process has written and what is durable differ, and a
 * crash comes in between. It fails when it is told to.
 */
import { createHash } from "node:crypto";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import type {
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../../sidecar/store/ordered/bytes.ts";
import type { Space } from "../../sidecar/store/space.ts";
import type { Random } from "../model/kit/random.ts";
import type { SimulatedLoop } from "./simulated-loop.ts";

/** How the disk behaves from now on. */
export interface DiskFaults {
  /** In so many of 1,000 writes it fails. */
  errorPermille: number;
  /** A write that fails or is cut off by a crash is on the disk all the same, in percent. */
  landsAllTheSame: number;
  /** The longest that a write and a read of a range take. */
  slowestMs: number;
}

export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly isFull: boolean;

  constructor(isFull: boolean) {
    super(isFull ? "no space left on the simulated disk" : "the simulated disk has failed");
    this.isFull = isFull;
  }
}

export interface DiskOptions {
  readonly loop: SimulatedLoop;
  readonly random: Random;
  readonly landed: (writes: readonly Write[]) => void;
}

export class SimulatedDisk {
  readonly durable = new SortedBytes();
  readonly faults: DiskFaults = { errorPermille: 0, landsAllTheSame: 50, slowestMs: 4 };
  readonly options: DiskOptions;
  writes = 0;
  errors = 0;
  /** Writes for which there was no space. */
  refusals = 0;
  #roomAgain: PromiseWithResolvers<void> | undefined;
  #mounted: SimulatedBytes | undefined;

  constructor(options: DiskOptions) {
    this.options = options;
  }

  get isFull(): boolean {
    return this.#roomAgain !== undefined;
  }

  fill(): void {
    this.#roomAgain ??= Promise.withResolvers();
  }

  empty(): void {
    this.#roomAgain?.resolve();
    this.#roomAgain = undefined;
  }

  /** What the store knows of it. */
  space(): Space {
    return {
      level: "ample",
      freeBytes: undefined,
      isShort: async (error) => error instanceof DiskError && error.isFull,
      makeRoom: async () => {
        await this.options.loop.sleep(500, "making room");
        return true;
      },
      changed: () => this.#roomAgain?.promise ?? Promise.resolve(),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  mount(): SimulatedBytes {
    this.#mounted = new SimulatedBytes(this);
    return this.#mounted;
  }

  /** The machine is gone: of what was not durable nothing is left, or by chance all of it. */
  crash(): void {
    this.#mounted?.crash();
    this.#mounted = undefined;
  }

  /** All or nothing, in no time: what this returns is durable. */
  land(writes: readonly Write[]): void {
    this.writes += 1;
    void this.durable.writeDurably(writes);
    this.options.landed(writes);
  }

  async hash(): Promise<string> {
    const hash = createHash("sha256");
    const all = { from: Buffer.of(0), to: Buffer.of(255) };
    for (const [key, value] of await this.durable.rows(all)) {
      hash.update(`${key.length} ${value.length} `).update(key).update(value);
    }
    return hash.digest("hex");
  }
}

export class SimulatedBytes implements OrderedBytes {
  readonly #disk: SimulatedDisk;
  #inFlight: readonly Write[] | undefined;
  #state: "open" | "failed" | "closed" | "dead" = "open";

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
  }

  writeDurably(writes: readonly Write[]): Promise<void> {
    const { options, faults } = this.#disk;
    const { loop, random } = options;
    if (this.#state === "dead") return NEVER;
    if (this.#inFlight !== undefined) throw new Error("two writes at once");
    if (this.#state !== "open") throw new Error(`a write on a handle that is ${this.#state}`);
    this.#inFlight = writes;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    loop.after(tenths(random, faults.slowestMs), "write", () => {
      if (this.#state === "dead") return;
      this.#inFlight = undefined;
      const isError = random.below(1_000) < faults.errorPermille;
      if (!isError && !this.#disk.isFull) {
        this.#disk.land(writes);
        resolve();
        return;
      }
      this.#state = "failed";
      if (this.#disk.isFull) this.#disk.refusals += 1;
      else this.#disk.errors += 1;
      loop.trace(`the disk ${this.#disk.isFull ? "is full" : "fails"}`);
      if (!this.#disk.isFull && random.chance(faults.landsAllTheSame)) this.#disk.land(writes);
      reject(new DiskError(this.#disk.isFull));
    });
    return promise;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#state === "closed") throw new Error("the handle is closed");
    return this.#disk.durable.get(key);
  }

  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#read(this.#disk.durable.rows(range, options));
  }

  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    return this.#read(this.#disk.durable.keys(range, options));
  }

  snapshot() {
    return this.#disk.durable.snapshot();
  }

  async close(): Promise<void> {
    if (this.#state !== "dead") this.#state = "closed";
  }

  crash(): void {
    const { options, faults } = this.#disk;
    const writes = this.#inFlight;
    this.#state = "dead";
    this.#inFlight = undefined;
    if (writes !== undefined && options.random.chance(faults.landsAllTheSame)) {
      this.#disk.land(writes);
    }
  }

  /** What the disk says now is told later; reads overtake each other. */
  #read<T>(read: Promise<T>): Promise<T> {
    const { options, faults } = this.#disk;
    if (this.#state === "dead") return NEVER;
    if (this.#state === "closed") throw new Error("the handle is closed");
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    options.loop.after(tenths(options.random, faults.slowestMs), "read", () => {
      if (this.#state === "dead") return;
      if (this.#state === "closed") reject(new Error("the handle was closed while it was read"));
      else resolve(read);
    });
    return promise;
  }
}

const NEVER = new Promise<never>(() => {});

function tenths(random: Random, slowestMs: number): number {
  return random.below(slowestMs * 10 + 1) / 10;
}
