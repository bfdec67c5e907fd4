/**
 * Watches the event loop: how late it is, whether it is too late for new work, and whether it still
 * turns at all.
 */
import { url as debuggerUrl } from "node:inspector";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { EXIT } from "./exit-codes.ts";
import { BEAT, DEBUGGED, type WatchdogData } from "./watchdog-data.ts";

/** How late the event loop was in one stretch of time, in seconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>;

const resolutionMs = 10;

/** Figures are those of the last whole stretch. */
const stretchMs = 5_000;

/** Above it the loop is late. */
const lateSeconds = 0.2;

/** Not ready after so many late stretches in a row, and ready again after as many that are not. */
const stretchesToTurn = 2;

/** Whether a loop is too late for new work: it turns slowly, not at every spike. */
export class LateLoop {
  #late = false;
  #against = 0;

  get isLate(): boolean {
    return this.#late;
  }

  /** Takes in one stretch. True when it makes a difference. */
  add({ p99 }: Pick<LoopDelay, "p99">): boolean {
    if (p99 > lateSeconds === this.#late) {
      this.#against = 0;
      return false;
    }
    this.#against += 1;
    if (this.#against < stretchesToTurn) return false;
    this.#late = !this.#late;
    this.#against = 0;
    return true;
  }
}

export interface LoopWatchOptions {
  /** The loop has become too late for new work, or is no longer. */
  readonly turned: (isLate: boolean, delay: LoopDelay) => void;
}

/** Watches how late the loop is until it is disposed. Keeps no process alive. */
export class LoopWatch implements Disposable {
  readonly #histogram: DelayHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #late = new LateLoop();
  readonly #timer: NodeJS.Timeout;
  #delay: LoopDelay | undefined;

  constructor({ turned }: LoopWatchOptions) {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#delay = read(this.#histogram);
      this.#histogram.reset();
      if (this.#late.add(this.#delay)) turned(this.#late.isLate, this.#delay);
    }, stretchMs).unref();
  }

  /** Of the last whole stretch; before the first one ends, so far. */
  get delay(): LoopDelay {
    return this.#delay ?? read(this.#histogram);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}

/**
 * Ends the process when the event loop has been blocked for so long, with exit code 70 and one line
 * on stderr. Until it is disposed; keeps no process alive, and lets debuggers take their time.
 */
export function guardLoop(blockedMs: number): Disposable {
  const shared = new SharedArrayBuffer(8);
  const beats = new Int32Array(shared);
  const beat = () => {
    Atomics.add(beats, BEAT, 1);
    Atomics.store(beats, DEBUGGED, debuggerUrl() === undefined ? 0 : 1);
  };
  const timer = setInterval(beat, Math.min(1_000, Math.max(5, blockedMs / 20))).unref();
  const workerData: WatchdogData = { shared, blockedMs, exitCode: EXIT.internal };
  // The thread has nothing to do with flags and variables that are meant for the process.
  const worker = new Worker(new URL("./watchdog-worker.ts", import.meta.url), {
    workerData,
    execArgv: [],
    env: {},
    name: "watchdog",
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  worker.unref();
  // Without it the process goes on as it would without being watched.
  worker.on("error", () => {});
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      void worker.terminate();
    },
  };
}

function read(histogram: DelayHistogram): LoopDelay {
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  // What is measured is the time between two ticks: what lies between them anyway is not late.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000);
  return {
    p50: seconds(histogram.percentile(50)),
    p99: seconds(histogram.percentile(99)),
    max: seconds(histogram.max),
  };
}
