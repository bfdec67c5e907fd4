/**
 * Looks for instances that nothing would ever wake, and for states that cannot be: every minute, in
 * small slices, and only at what is in memory and at the rows of what is ready and due. What is
 * stranded goes on again; an instance whose state cannot be is quarantined, so that it harms nobody.
 */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import type { Log } from "../foundation/log.ts";
import type { DueRow, ReadyRow, StorageNumber, Store } from "../store/store.ts";
import { addMilliseconds, isAfter } from "../wire/timestamp.ts";
import type { Figures, StrandedWork } from "./figures.ts";
import type { Head } from "./head.ts";
import { HubProgress, type Progress } from "./hub-progress.ts";
import { LATE_MS, type Violation, violations } from "./invariants.ts";
import type { ScannedHub } from "./scanned-hub.ts";

/** How many heads are looked at between two turns of the event loop. */
const slice = 256;
const rowsOfPage = 512;
/** Rows of what is ready that one pass looks at; the next one continues there. */
const readyRowsMax = 20_000;
/** More than so many suspects are left for the next pass. */
const suspectsMax = 1_000;
/** What is wrong is looked at again after so long: it may have been in the middle of something. */
const CONFIRM_MS = 1_000;

export interface ScannerOptions {
  readonly store: Store;
  readonly clock: SteadyClock;
  readonly log: Log;
  readonly figures: Figures;
  /** All hubs that are in memory. */
  readonly hubs: () => readonly ScannedHub[];
  /** Loads an instance: what was going on in it goes on. */
  readonly recover: (hub: StorageNumber, instanceId: string) => Promise<void>;
  readonly due: (row: DueRow) => Promise<void>;
  /** Timers are being fired right now. */
  readonly isFiring: () => boolean;
  /** Takes the instance out of circulation. */
  readonly quarantine: (hub: string, instanceId: string, what: string) => Promise<void>;
  readonly everyMs?: number;
}

/** A head with something wrong, as it was seen first. */
interface Suspect {
  readonly hub: ScannedHub;
  readonly head: Head;
  readonly sequence: number | undefined;
  readonly number: StorageNumber | undefined;
}

export class Scanner {
  readonly #options: ScannerOptions;
  readonly #reported = new Set<string>();
  #progress: ReadonlyMap<string, Progress> = new Map();
  #readyCursor: StorageNumber | undefined;
  #alarm: Alarm | undefined;
  #running: Promise<void> = Promise.resolve();
  #pause: { readonly alarm: Alarm; readonly resolve: () => void } | undefined;
  #closed = false;
  passes = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /** What the last pass has seen of how hubs get on, by their name. */
  get progress(): ReadonlyMap<string, Progress> {
    return this.#progress;
  }

  /** Looks every minute from now on. Not before everything has been recovered. */
  start(): void {
    if (this.#closed) return;
    const { clock, everyMs = 60_000 } = this.#options;
    this.#alarm = clock.after(everyMs, () => {
      this.#running = this.scan().then(() => this.start());
    });
  }

  /** Resolves when nothing is being looked at any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm?.cancel();
    this.#pause?.alarm.cancel();
    this.#pause?.resolve();
    await this.#running;
  }

  /** One pass over everything. */
  async scan(): Promise<void> {
    const suspects = await this.#lookAtHeads();
    const ready = await this.#lookAtReady();
    const due = await this.#lookAtDue();
    if (suspects.length + ready.length + due.length > 0) {
      await this.#wait(CONFIRM_MS);
      await this.#settleHeads(suspects);
      await this.#settleReady(ready);
      await this.#settleDue(due);
    }
    this.passes += 1;
  }

  async #lookAtHeads(): Promise<readonly Suspect[]> {
    const suspects: Suspect[] = [];
    const progress = new Map<string, Progress>();
    for (const hub of this.#options.hubs()) {
      const seen = new HubProgress(hub);
      const queued: Suspect[] = [];
      let inSlice = 0;
      for (const head of hub.heads()) {
        if (this.#closed) return [];
        const suspect = suspectOf(hub, head);
        seen.look(head);
        if (violations(head, hub.surroundings(head, undefined)).length > 0) suspects.push(suspect);
        else if (isQueued(head)) queued.push(suspect);
        inSlice += 1;
        if (inSlice < slice) continue;
        inSlice = 0;
        await nextLoopTurn();
      }
      suspects.push(...lostItems(hub, queued));
      progress.set(hub.name, seen.result());
      await nextLoopTurn();
    }
    this.#progress = progress;
    return suspects.slice(0, suspectsMax);
  }

  /** Rows of what is ready that nobody takes care of. */
  async #lookAtReady(): Promise<readonly ReadyRow[]> {
    const { store } = this.#options;
    const found: ReadyRow[] = [];
    for (let seen = 0; seen < readyRowsMax && !this.#closed; seen += rowsOfPage) {
      const rows = await store.readReady(this.#readyCursor, rowsOfPage);
      const hubs = this.#byNumber();
      for (const row of rows) {
        if (hubs.get(row.address.hub)?.isTakenCareOf(row) === false) found.push(row);
      }
      this.#readyCursor = rows.length < rowsOfPage ? undefined : rows.at(-1)?.number;
      if (this.#readyCursor === undefined) break;
      await nextLoopTurn();
    }
    return found.slice(0, suspectsMax);
  }

  /** Rows of what should have fired long ago. */
  async #lookAtDue(): Promise<readonly DueRow[]> {
    if (this.#options.isFiring()) return [];
    const rows = await this.#options.store.readDue(undefined, suspectsMax);
    const hubs = this.#byNumber();
    return rows.filter((row) => {
      const hub = hubs.get(row.address.hub);
      if (hub === undefined || hub.isPerhapsFrozen(row)) return false;
      return !isAfter(row.due, addMilliseconds(hub.now, -LATE_MS));
    });
  }

  async #settleHeads(suspects: readonly Suspect[]): Promise<void> {
    const queued = new Map(this.#options.hubs().map((hub) => [hub, hub.queuedWork()]));
    const toQuarantine: { readonly suspect: Suspect; readonly violation: Violation }[] = [];
    for (const suspect of suspects) {
      const { hub, head, number, sequence } = suspect;
      if (hub.peek(head.instanceId) !== head || head.state?.number !== number) continue;
      const found = violations(head, hub.surroundings(head, queued.get(hub)));
      // Whatever has gone on since is not stranded; what cannot be stays wrong while it goes on.
      const hasGoneOn = head.state?.sequence !== sequence;
      const stranded = hasGoneOn ? [] : found.filter(({ invariant }) => invariant === "driver");
      for (const { stranded: work = "turn" } of stranded) {
        this.#strandedIn(hub.name, head.instanceId, work);
      }
      if (stranded.length > 0) hub.repair(head, stranded);
      const violation = found.find(({ invariant }) => invariant !== "driver");
      if (violation !== undefined) toQuarantine.push({ suspect, violation });
    }
    for (const { suspect, violation } of toQuarantine) {
      await this.#violated(suspect.hub.name, suspect.head.instanceId, violation);
    }
  }

  async #settleReady(rows: readonly ReadyRow[]): Promise<void> {
    const { store, recover } = this.#options;
    for (const { number, address } of rows) {
      if (this.#closed) return;
      const [row] = await store.readReady(number - 1n, 1);
      const hub = this.#byNumber().get(address.hub);
      if (row?.number !== number || hub === undefined || hub.isTakenCareOf(row)) continue;
      await recover(address.hub, address.instanceId);
      const head = hub.peek(address.instanceId);
      if (head?.state?.number === number && head.indexed?.ready) {
        this.#strandedIn(hub.name, address.instanceId, "ready_row");
        continue;
      }
      const [still] = await store.readReady(number - 1n, 1);
      if (still?.number !== number) continue;
      const what = "a ready row without an instance that is ready";
      await this.#violated(hub.name, address.instanceId, { invariant: "index", what });
    }
  }

  async #settleDue(rows: readonly DueRow[]): Promise<void> {
    const { store, due, isFiring } = this.#options;
    if (rows.length === 0 || isFiring()) return;
    const now = new Set((await store.readDue(undefined, suspectsMax)).map(keyOf));
    for (const row of rows) {
      const hub = this.#byNumber().get(row.address.hub);
      if (!now.has(keyOf(row)) || hub === undefined || hub.isPerhapsFrozen(row)) continue;
      this.#strandedIn(hub.name, row.address.instanceId, "due_row");
      await due(row);
    }
  }

  #strandedIn(taskHub: string, instanceId: string, work: StrandedWork): void {
    const { figures, log } = this.#options;
    figures.stranded[work] += 1;
    log.error("instance.stranded", { taskHub, instanceId, work });
  }

  /** Said and counted once for each instance: it stays as it is. */
  async #violated(hub: string, instanceId: string, violation: Violation): Promise<void> {
    const { figures, log, quarantine } = this.#options;
    const { invariant, what } = violation;
    const key = `${invariant} ${hub.length} ${hub} ${instanceId}`;
    if (this.#reported.has(key)) return;
    if (this.#reported.size >= suspectsMax) this.#reported.clear();
    this.#reported.add(key);
    if (invariant !== "driver") figures.violations[invariant] += 1;
    log.error("instance.invariant_violated", { taskHub: hub, instanceId, invariant, what });
    await quarantine(hub, instanceId, what);
  }

  #byNumber(): ReadonlyMap<StorageNumber | undefined, ScannedHub> {
    return new Map(this.#options.hubs().map((hub) => [hub.number, hub]));
  }

  /** Ends early when the scanner is closed. */
  async #wait(ms: number): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = { alarm: this.#options.clock.after(ms, resolve), resolve };
    await promise;
    this.#pause = undefined;
  }
}

function suspectOf(hub: ScannedHub, head: Head): Suspect {
  return { hub, head, number: head.state?.number, sequence: head.state?.sequence };
}

function isQueued({ turn, activities }: Head): boolean {
  if (turn === "queued") return true;
  for (const place of activities.values()) if (place === "queued") return true;
  return false;
}

/** What is said to be queued and is not. One look at the queue serves all of them. */
function lostItems(hub: ScannedHub, suspects: readonly Suspect[]): readonly Suspect[] {
  if (suspects.length === 0) return [];
  const queued = hub.queuedWork();
  return suspects.filter(({ head }) => violations(head, hub.surroundings(head, queued)).length > 0);
}

function keyOf({ number, due }: DueRow): string {
  return `${number} ${due.seconds} ${due.nanos}`;
}
