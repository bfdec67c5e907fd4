/**
 * Everything that falls due, over all task hubs. The due index on disk is the truth; only what is
 * due within the next minute is in memory, and one alarm serves all of it (trap T20).
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Alarm, HubClock } from "../foundation/clock.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { DueCursor, DueRow, Store } from "../store/store.ts";
import { addMilliseconds, compareTimestamps, isAfter, laterOf } from "../wire/timestamp.ts";

export class TimerQueue {
  readonly #heap: DueRow[] = [];
  readonly #store: Store;
  readonly #clock: HubClock;
  readonly #fire: (row: DueRow) => void;
  #windowEnd: Timestamp | undefined;
  #cursor: DueCursor | undefined;
  #alarm: Alarm | undefined;
  #loading: Promise<void> | undefined;
  #closed = false;

  constructor(store: Store, clock: HubClock, fire: (row: DueRow) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Reads what is due and what soon will be. */
  async start(): Promise<void> {
    await this.#loadWindow();
  }

  /**
   * Fires a row when it is due. False when that is later than what is in memory: a row that is
   * durable by then is found on the disk when its time comes near.
   */
  schedule(row: DueRow): boolean {
    if (this.#windowEnd === undefined || isAfter(row.due, this.#windowEnd)) return false;
    push(this.#heap, row);
    if (this.#heap[0] === row) this.#arm();
    return true;
  }

  /** Fires everything again that is due: something that kept it from happening is over. */
  rescan(): void {
    if (this.#closed || this.#windowEnd === undefined) return;
    this.#cursor = undefined;
    const before = this.#loading ?? Promise.resolve();
    this.#load(before.then(() => this.#loadWindow()));
  }

  /** The clock was set back: what is due behind the next minute need not be in memory any more. */
  setBack(): void {
    if (this.#closed || this.#windowEnd === undefined) return;
    const before = this.#loading ?? Promise.resolve();
    this.#load(
      before.then(() => {
        const ahead = addMilliseconds(this.#clock.now(), LIMITS.timerWindowMs);
        if (this.#windowEnd === undefined || !isAfter(this.#windowEnd, ahead)) return;
        // What is in memory stays, for it may not be durable yet: what is found again fires twice.
        this.#windowEnd = ahead;
        this.#cursor = undefined;
        return this.#loadWindow();
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm?.cancel();
    await this.#loading;
  }

  #arm(): void {
    this.#alarm?.cancel();
    if (this.#closed || this.#windowEnd === undefined) return;
    const first = this.#heap[0]?.due ?? this.#windowEnd;
    const next = isAfter(first, this.#windowEnd) ? this.#windowEnd : first;
    this.#alarm = this.#clock.wakeAt(next, () => this.#wake());
  }

  #wake(): void {
    const now = this.#clock.now();
    for (let row = this.#heap[0]; row !== undefined; row = this.#heap[0]) {
      if (isAfter(row.due, now)) break;
      pop(this.#heap);
      this.#fire(row);
    }
    if (this.#windowEnd !== undefined && !isAfter(this.#windowEnd, now)) {
      if (this.#loading === undefined) this.#load(this.#loadWindow());
    } else this.#arm();
  }

  #load(work: Promise<void>): void {
    const loading = work.finally(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    this.#loading = loading;
  }

  async #loadWindow(): Promise<void> {
    // The window grows before the page is read: what becomes due within it meanwhile is scheduled,
    // not missed. It never shrinks behind the cursor: see `setBack`.
    const ahead = addMilliseconds(this.#clock.now(), LIMITS.timerWindowMs);
    const windowEnd = this.#windowEnd === undefined ? ahead : laterOf(this.#windowEnd, ahead);
    this.#windowEnd = windowEnd;
    const rows = await this.#store.readDue(this.#cursor, LIMITS.timerWindowRowsMax);
    let last: DueRow | undefined;
    for (const row of rows) {
      if (isAfter(row.due, windowEnd)) break;
      push(this.#heap, row);
      last = row;
    }
    const isWholeWindow = rows.length < LIMITS.timerWindowRowsMax || last !== rows.at(-1);
    if (isWholeWindow) this.#cursor = { due: windowEnd, number: highestNumber };
    else if (last !== undefined) {
      this.#cursor = last;
      this.#windowEnd = last.due;
    }
    this.#arm();
  }
}

const highestNumber = 2n ** 64n - 1n;

/** A binary heap, earliest first. */
function push(heap: DueRow[], row: DueRow): void {
  let at = heap.length;
  heap.push(row);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as DueRow;
    if (compareTimestamps(above.due, row.due) <= 0) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = row;
}

function pop(heap: DueRow[]): void {
  const row = heap.pop();
  if (row === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    // Ends: `at` grows to the bottom of the heap.
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && compareTimestamps(right.due, (heap[child] as DueRow).due) < 0) {
      child += 1;
    }
    const below = heap[child] as DueRow;
    if (compareTimestamps(below.due, row.due) >= 0) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = row;
}
