/**
 * The only source of time, order and chance in a simulation: events at virtual times, those of the
 * same time in an order that the seed draws, and a trace of all that happened. No real time passes.
 */
import { createHash } from "node:crypto";
import type { Random } from "../model/kit/random.ts";

interface LoopEvent {
  readonly atMs: number;
  /** Drawn: who of the same time comes first. */
  readonly turn: number;
  readonly ordinal: number;
  readonly label: string;
  run: (() => void) | undefined;
}

/** Lines that a failing run prints. */
const LAST_LINES = 80;

export class SimulatedLoop {
  readonly #random: Random;
  readonly #heap: LoopEvent[] = [];
  readonly #hash = createHash("sha256");
  readonly #lines: string[] = [];
  #nowMs = 0;
  #scheduled = 0;
  #steps = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have run. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs something later, never within this call. Returns what cancels it. */
  after(delayMs: number, label: string, run: () => void): () => void {
    this.#scheduled += 1;
    const event: LoopEvent = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      turn: this.#random.below(2 ** 30),
      ordinal: this.#scheduled,
      label,
      run,
    };
    push(this.#heap, event);
    return () => {
      event.run = undefined;
    };
  }

  sleep(delayMs: number, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, label, resolve);
    });
  }

  /** Notes something; the hash of all notes tells two runs apart. */
  trace(line: string): void {
    const dated = `${this.#nowMs.toFixed(3)} ${line}`;
    this.#hash.update(dated).update("\n");
    this.#lines.push(dated);
    if (this.#lines.length > 2 * LAST_LINES) this.#lines.splice(0, LAST_LINES);
  }

  get lastLines(): readonly string[] {
    return this.#lines.slice(-LAST_LINES);
  }

  /** Hash of everything noted so far. */
  get traceHash(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Runs the next event and all that follows from it without time passing. False: there is none. */
  async step(): Promise<boolean> {
    for (;;) {
      const event = pop(this.#heap);
      if (event === undefined) return false;
      if (event.run === undefined) continue;
      this.#nowMs = event.atMs;
      this.#steps += 1;
      this.#hash.update(`${event.atMs} ${event.label}\n`);
      event.run();
      // All microtasks run before the next turn of the event loop, in the order of their making.
      await nextTurnOfTheLoop();
      return true;
    }
  }
}

function nextTurnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(left: LoopEvent, right: LoopEvent): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs;
  if (left.turn !== right.turn) return left.turn < right.turn;
  return left.ordinal < right.ordinal;
}

function push(heap: LoopEvent[], event: LoopEvent): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: LoopEvent[]): LoopEvent | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  // Ends: `at` grows to the bottom of the heap.
  for (;;) {
    let child = at * 2 + 1;
    const right = heap[child + 1];
    const left = heap[child];
    if (left === undefined) break;
    let below = left;
    if (right !== undefined && isBefore(right, left)) {
      child += 1;
      below = right;
    }
    if (!isBefore(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return first;
}
