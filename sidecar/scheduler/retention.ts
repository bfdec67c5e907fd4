/**
 * Purges what has finished longer ago than instances of its kind are kept. It follows from the index
 * of finished instances, so nothing of it is stored and every start begins anew. It wakes when the
 * oldest one is due, and works in slices with pauses in between, so that clients notice nothing.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import type { Alarm, HubClock, SteadyClock } from "../foundation/clock.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Log } from "../foundation/log.ts";
import { classOf } from "../store/instance-rows.ts";
import { isShortOfSpace } from "../store/space.ts";
import type { StorageNumber } from "../store/store.ts";
import {
  addMilliseconds,
  earlierOf,
  isAfter,
  laterOf,
  nanosecondsBetween,
} from "../wire/timestamp.ts";
import type { Background } from "./background.ts";
import type { HubLog } from "./hub-log.ts";
import { importHoldName } from "./import-hold.ts";
import { ageNow, endingsOf, keepsAll, type RetentionPolicy } from "./retention-policy.ts";
import {
  type Ages,
  RetentionWalk,
  type RetentionWalkOptions,
  type Swept,
} from "./retention-walk.ts";

export interface RetentionOptions extends Omit<RetentionWalkOptions, "isClosed"> {
  readonly hub: HubLog;
  readonly clock: HubClock;
  readonly steadyClock: SteadyClock;
  readonly background: Background;
  readonly log: Log;
  readonly retention?: RetentionPolicy;
}

/** Between two slices. */
const pauseMs = 100;
/** What falls due one by one goes together. */
const sweepEveryMs = 60_000;
/** Those that are kept for the sake of their parents are looked at again after so long. */
const reconsiderMs = 60 * 60_000;
/** How full the disk is, is looked at so often: it is a figure in memory. */
const lookAtSpaceMs = 30_000;
/** Above it the disk has enough to do for clients. */
const pendingBytesMax = LIMITS.pendingBytesMax / 16;

export class Retention {
  readonly #options: RetentionOptions;
  readonly #policy: RetentionPolicy;
  readonly #walks: readonly RetentionWalk[];
  #state: "off" | "waiting" | "sweeping" | "closed" = "off";
  /** There was a reason to look while a sweep was under way. */
  #again = false;
  #wasSpaceLow = false;
  #wasHeld = false;
  #sweptAt: Timestamp | undefined;
  /** The next sweep looks again at those that were kept. */
  #reconsiders = false;
  #reconsiderAlarm: Alarm | undefined;
  #alarm: { readonly at: Timestamp; readonly alarm: Alarm } | undefined;
  #spaceAlarm: Alarm | undefined;
  #pause: { readonly alarm: Alarm; readonly resolve: () => void } | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#policy = options.retention ?? keepsAll;
    const isClosed = () => this.#isClosed;
    this.#walks = endingsOf(this.#policy).map(
      (ending) => new RetentionWalk(ending, { ...options, isClosed }),
    );
  }

  /** Begins. Not before all that was going on when the last process ended has been recovered. */
  start(): void {
    if (this.#walks.length === 0 || this.#state !== "off") return;
    this.#state = "waiting";
    this.look();
  }

  /** Something may be due, or let go, that was not before. */
  look(): void {
    if (this.#state === "sweeping") this.#again = true;
    if (this.#state !== "waiting") return;
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    this.#state = "sweeping";
    this.#options.background.run(this.#sweep());
  }

  /** Called with a state that is durable. */
  finished({ status, completedAt }: InstanceState): void {
    if (this.#walks.length === 0 || completedAt === undefined) return;
    const ending = classOf(status);
    const walk = this.#walks.find((each) => each.ending === ending);
    if (walk === undefined) return;
    walk.finished(completedAt);
    if (this.#state !== "waiting") return;
    this.#watchSpace();
    this.#arm();
  }

  /** Trees or windows of the hub have changed. */
  holdsChanged(): void {
    if (this.#wasHeld && !this.#isHeld) this.look();
  }

  /** How long ago the oldest was due that is still there, in seconds. */
  get overdueSeconds(): number {
    const due = this.#nextDue();
    if (due === undefined) return 0;
    const overdueNanos = nanosecondsBetween(due, this.#options.clock.now());
    return Math.max(0, Number(overdueNanos) / 1e9);
  }

  /** The hub was deleted: nothing of it is due any more. */
  hubDeleted(): void {
    if (this.#state === "waiting") this.#arm();
    for (const alarm of [this.#spaceAlarm, this.#reconsiderAlarm]) alarm?.cancel();
    this.#spaceAlarm = undefined;
    this.#reconsiderAlarm = undefined;
  }

  /** What is under way ends behind its slice. */
  close(): void {
    this.#state = "closed";
    this.#alarm?.alarm.cancel();
    this.#spaceAlarm?.cancel();
    this.#reconsiderAlarm?.cancel();
    this.#pause?.alarm.cancel();
    this.#pause?.resolve();
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  get #isSpaceLow(): boolean {
    return isShortOfSpace(this.#options.store.space.level);
  }

  /** What was imported is looked at by somebody before anything of it goes. */
  get #isHeld(): boolean {
    return this.#options.hub.holds.some(({ hold }) => hold?.name === importHoldName);
  }

  async #sweep(): Promise<void> {
    do {
      this.#again = false;
      const { hub, clock } = this.#options;
      await this.#options.store.whenDurable(hub.position);
      const { number } = hub;
      this.#wasHeld = this.#isHeld;
      if (number === undefined || this.#wasHeld) break;
      this.#watchSpace();
      this.#sweptAt = clock.now();
      if (this.#reconsiders) for (const walk of this.#walks) walk.reconsider();
      this.#reconsiders = false;
      for (const walk of this.#walks) await this.#sweepWalk(walk, number);
      if (this.#walks.some(({ keepsSome }) => keepsSome)) this.#reconsiderLater();
    } while (this.#again && !this.#isClosed);
    if (this.#isClosed) return;
    this.#state = "waiting";
    this.#arm();
  }

  /** By steady time: a clock that is ahead for a moment would make a year of it. */
  #reconsiderLater(): void {
    if (this.#isClosed || this.#options.hub.number === undefined) return;
    this.#reconsiderAlarm ??= this.#options.steadyClock.after(reconsiderMs, () => {
      this.#reconsiderAlarm = undefined;
      this.#reconsiders = true;
      this.look();
    });
  }

  async #sweepWalk(walk: RetentionWalk, number: StorageNumber): Promise<void> {
    const { hub, log, clock } = this.#options;
    const swept: Swept = { count: 0, oldest: undefined };
    // Ends with what is not due, with the hub, or with the process.
    while (!this.#isClosed && hub.number === number && !this.#isHeld) {
      const ages = this.#agesOf(walk);
      if (ages === undefined) break;
      if (!(await walk.slice(number, ages, clock.now(), swept))) break;
      await this.#wait();
    }
    if (swept.count === 0) return;
    log.info("retention.swept", {
      taskHub: hub.name,
      status: walk.ending,
      count: swept.count,
      oldestCompletedAtSeconds: Number(swept.oldest?.seconds ?? 0n),
    });
  }

  /** Undefined: for ever. */
  #agesOf({ ending }: RetentionWalk): Ages | undefined {
    const nowMs = ageNow(this.#policy, ending, this.#isSpaceLow);
    return nowMs === undefined ? undefined : { usualMs: this.#policy.ages[ending], nowMs };
  }

  /** Leaves the disk to clients as long as they need it, unless space is what is short. */
  async #wait(): Promise<void> {
    const { store, steadyClock } = this.#options;
    do {
      if (this.#isClosed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#pause = { alarm: steadyClock.after(pauseMs, resolve), resolve };
      await promise;
      this.#pause = undefined;
    } while (store.pendingBytes > pendingBytesMax && !this.#isSpaceLow);
  }

  #arm(): void {
    const { clock } = this.#options;
    const at = this.#wakeAt();
    if (at !== undefined && this.#alarm && nanosecondsBetween(at, this.#alarm.at) === 0n) return;
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    if (at === undefined) return;
    this.#alarm = { at, alarm: clock.wakeAt(at, () => this.look()) };
  }

  /** When to sweep next; undefined: not before something happens. */
  #wakeAt(): Timestamp | undefined {
    // What a hub had that was deleted goes with it.
    if (this.#isHeld || this.#options.hub.number === undefined) return undefined;
    const next = this.#nextDue();
    // A clock that was set back would make the last sweep one of the future.
    if (next === undefined || this.#sweptAt === undefined) return next;
    if (isAfter(this.#sweptAt, this.#options.clock.now())) return next;
    return laterOf(next, addMilliseconds(this.#sweptAt, sweepEveryMs));
  }

  #nextDue(): Timestamp | undefined {
    if (this.#options.hub.number === undefined) return undefined;
    let earliest: Timestamp | undefined;
    for (const walk of this.#walks) {
      const ages = this.#agesOf(walk);
      if (walk.next === undefined || ages === undefined) continue;
      const due = addMilliseconds(walk.next, ages.nowMs);
      earliest = earliest === undefined ? due : earlierOf(earliest, due);
    }
    return earliest;
  }

  /** As long as there is a hub, and if it matters. */
  #watchSpace(): void {
    const { hub, steadyClock } = this.#options;
    if (this.#spaceAlarm !== undefined || this.#isClosed || hub.number === undefined) return;
    if (Object.keys(this.#policy.lowSpaceAges).length === 0) return;
    this.#spaceAlarm = steadyClock.after(lookAtSpaceMs, () => {
      this.#spaceAlarm = undefined;
      const isLow = this.#isSpaceLow;
      if (isLow !== this.#wasSpaceLow) this.look();
      this.#wasSpaceLow = isLow;
      this.#watchSpace();
    });
  }
}
