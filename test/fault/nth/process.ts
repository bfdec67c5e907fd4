/** One process on the disk of T-NTH, as far as its store goes: its calls, and how it came to an end. */
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadOptions,
  Row,
  Write,
} from "../../../sidecar/store/ordered/bytes.ts";
import type { Store } from "../../../sidecar/store/store.ts";
import { SwitchedBytes } from "../../scheduler/kit/switched-bytes.ts";
import { type CallKind, type Faults, injectedError, undoOf } from "./faults.ts";

export interface ProcessOptions {
  readonly faults: Faults;
  /** Called with each batch once it is on the disk. */
  readonly landed: (writes: readonly Write[]) => void;
  /** Something was done that must never be done with a disk. */
  readonly misused: (what: string) => void;
}

/** Why a process is no more: by a crash, or because it does not trust its store. */
export type End = "crash" | Error;

export class NthProcess {
  readonly #options: ProcessOptions;
  end: End | undefined;
  /** Its store has been opened. */
  wasOpen = false;
  /** Calls and other steps so far. */
  steps = 0;
  #running = 0;
  #isDead = false;
  #isMending = false;
  #held: PromiseWithResolvers<void> | undefined;
  #open: OrderedBytes | undefined;
  /** What would undo the newest batch. */
  #undo: readonly Write[] = [];

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  /** Something goes on that takes no fake time. */
  get isRunning(): boolean {
    return this.#running > 0 && this.#held === undefined;
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** The bytes below the newest opening, to look at. */
  get open(): OrderedBytes {
    if (this.#open === undefined) throw new Error("nothing is open");
    return this.#open;
  }

  watch({ failed }: Store): void {
    this.wasOpen = true;
    void failed.then((cause) => {
      this.mended();
      this.endWith(cause);
    });
  }

  /** A write has failed: the store is opened again, until `mended` or for good. */
  mending(): void {
    this.#isMending = true;
    this.began();
  }

  mended(): void {
    if (!this.#isMending) return;
    this.#isMending = false;
    this.ended();
  }

  /** The first reason counts. */
  endWith(end: End): void {
    if (!this.#isDead) this.end ??= end;
  }

  kill(): void {
    this.#isDead = true;
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Five seconds are over. */
  letGo(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  began(): void {
    this.#running += 1;
  }

  ended(): void {
    this.#running -= 1;
    this.steps += 1;
  }

  /** Counts as going on until it settles. */
  async busy<T>(work: () => Promise<T>): Promise<T> {
    this.began();
    try {
      return await work();
    } finally {
      this.ended();
    }
  }

  /** A call that takes some turns of the event loop, or goes wrong. */
  async call<T>(kind: CallKind, effect: () => T | Promise<T>): Promise<T> {
    if (this.#isDead) return NEVER;
    const fate = this.#options.faults.next(kind);
    return this.busy(async () => {
      // Writes and openings take long enough for others to come meanwhile.
      const turns = kind === "write" || kind === "open" ? 4 : 2;
      for (let turn = 0; turn < turns; turn += 1) await loopTurn();
      if (this.#isDead || fate === "crash before") return this.#crash();
      if (fate === "fails" || fate === "fails for ever") throw injectedError(kind);
      if (fate === "delayed") {
        this.#held = Promise.withResolvers();
        await this.#held.promise;
      }
      if (this.#isDead) return NEVER;
      const result = await effect();
      if (fate === "takes effect and fails") throw injectedError(kind);
      if (fate === "crash after") return this.#crash();
      await loopTurn();
      return this.#isDead ? NEVER : result;
    });
  }

  /** Of a call that comes back at once: a crash takes away all that it would have led to. */
  callNow<T>(kind: CallKind, effect: () => T): T {
    if (this.#isDead) return effect();
    this.steps += 1;
    const fate = this.#options.faults.next(kind);
    if (fate === "crash before" || fate === "crash after") void this.#crash();
    else if (fate !== undefined && fate !== "delayed") throw injectedError(kind);
    return effect();
  }

  /** Takes what was opened into service. */
  handle(inner: OrderedBytes): OrderedBytes {
    this.#open = inner;
    return new CountedBytes(inner, this);
  }

  async write(inner: OrderedBytes, writes: readonly Write[]): Promise<void> {
    const undo = this.#options.faults.plan.losesOneBefore ? undoOf(inner, writes) : [];
    await inner.writeDurably(writes);
    this.#undo = undo;
    this.#options.landed(writes);
  }

  async writeFailed(inner: OrderedBytes): Promise<void> {
    this.#options.faults.failedWrites += 1;
    if (this.#options.faults.plan.losesOneBefore) await inner.writeDurably(this.#undo);
  }

  misused(what: string): void {
    if (!this.#isDead) this.#options.misused(what);
  }

  #crash(): Promise<never> {
    this.endWith("crash");
    this.#isDead = true;
    return NEVER;
  }
}

class CountedBytes implements OrderedBytes {
  readonly #inner: OrderedBytes;
  readonly #process: NthProcess;
  #state: "open" | "failed" | "closed" = "open";

  constructor(inner: OrderedBytes, process: NthProcess) {
    this.#inner = inner;
    this.#process = process;
  }

  async writeDurably(writes: readonly Write[]): Promise<void> {
    const process = this.#process;
    if (this.#state !== "open") process.misused(`a write on a handle that is ${this.#state}`);
    try {
      await process.call("write", () => process.write(this.#inner, writes));
    } catch (error) {
      if (this.#state === "open") this.#state = "failed";
      await process.writeFailed(this.#inner);
      throw error;
    }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#process.callNow("get", () => this.#opened().get(key));
  }

  rows(range: KeyRange, options?: ReadOptions): Promise<readonly Row[]> {
    return this.#process.call("rows", () => this.#opened().rows(range, options));
  }

  keys(range: KeyRange, options?: ReadOptions): Promise<readonly Uint8Array[]> {
    return this.#process.call("keys", () => this.#opened().keys(range, options));
  }

  snapshot(): BytesSnapshot {
    const process = this.#process;
    const snapshot = process.callNow("snapshot", () => this.#opened().snapshot());
    return {
      get: (key) => snapshot.get(key),
      rows: (range, options) => process.busy(() => snapshot.rows(range, options)),
      keys: (range, options) => process.busy(() => snapshot.keys(range, options)),
      each: (range) => snapshot.each(range),
      close: () => process.busy(() => snapshot.close()),
    };
  }

  close(): Promise<void> {
    return this.#process.call("close", async () => {
      this.#state = "closed";
      await this.#inner.close();
    });
  }

  /** As LevelDB: what is closed is not read any more. */
  #opened(): OrderedBytes {
    if (this.#state === "closed") throw new Error("the handle is closed");
    return this.#inner;
  }
}

/** What the harness of the scheduler waits for: the process as a whole, over all its openings. */
export class ProcessBytes extends SwitchedBytes {
  readonly #process: NthProcess;

  constructor(inner: OrderedBytes, process: NthProcess) {
    super(inner);
    this.#process = process;
  }

  override get calls(): number {
    return this.#process.steps;
  }

  override get isRunning(): boolean {
    return this.#process.isRunning;
  }
}

export function loopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const NEVER = new Promise<never>(() => {});
