/**
 * Holds that last: logged once when they cross an age, and ended when they cross the longest that
 * this server allows. The oldest hold that has not crossed is all that an alarm is needed for, so
 * nothing is polled and a million suspended instances cost nothing.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { decideAgeMark, markOf } from "../engine/hub/age-marks.ts";
import { heldSince } from "../engine/hub/covers.ts";
import type { Alarm, HubClock } from "../foundation/clock.ts";
import type { Log } from "../foundation/log.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Hold,
  HoldAge,
  HoldScope,
  type TreeOrigin,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { addMilliseconds, addNanoseconds, compareTimestamps, isAfter } from "../wire/timestamp.ts";
import type { Background } from "./background.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";

/** Ages in milliseconds since a hold was placed; undefined: never. */
export interface HoldAgeLimits {
  readonly warnMs: number | undefined;
  readonly criticalMs: number | undefined;
  readonly maxMs: number | undefined;
  readonly maxAction: "resume" | "terminate" | "keep";
}

export const noHoldAgeLimits: HoldAgeLimits = {
  warnMs: undefined,
  criticalMs: undefined,
  maxMs: undefined,
  maxAction: "keep",
};

/** A hold, and what it is on. */
export interface AgedHold {
  readonly hold: Hold;
  /** Empty for a window. */
  readonly instanceId: string;
  /** The root of its tree; only of a tree hold. */
  readonly origin: TreeOrigin | undefined;
  /** Since when it holds: a window may have been placed long before it begins. */
  readonly since: Timestamp;
}

export interface HoldAgesOptions {
  readonly hub: HubLog;
  readonly store: Store;
  readonly road: Road;
  readonly clock: HubClock;
  readonly background: Background;
  readonly log: Log;
  readonly limits: HoldAgeLimits;
  /** Ends a hold that has lasted as long as this server allows. */
  readonly end: (aged: AgedHold, action: "resume" | "terminate") => Promise<void>;
}

/** Rows of the index that are read at once. */
const page = 200;

export class HoldAges {
  readonly #watches: readonly AgeWatch[];

  constructor(options: HoldAgesOptions) {
    const { warnMs, criticalMs, maxMs, maxAction } = options.limits;
    const report = (level: "warn" | "error", age: string) => (aged: AgedHold) => {
      options.log[level]("suspension.lasting", { taskHub: options.hub.name, age, ...facts(aged) });
      return Promise.resolve();
    };
    const reportMax = report("error", "max");
    const end = async (aged: AgedHold) => {
      await reportMax(aged);
      if (maxAction !== "keep") await options.end(aged, maxAction);
    };
    const watches = [
      { age: HoldAge.WARN, limitMs: warnMs, crossed: report("warn", "warn") },
      { age: HoldAge.CRITICAL, limitMs: criticalMs, crossed: report("error", "critical") },
      { age: HoldAge.MAX, limitMs: maxMs, crossed: end },
    ];
    this.#watches = watches.flatMap(({ age, limitMs, crossed }) =>
      limitMs === undefined ? [] : [new AgeWatch(options, age, limitMs, crossed)],
    );
  }

  /** Something may be held that was not before, or the process has begun. */
  look(): void {
    for (const watch of this.#watches) watch.look();
  }

  /** The hub was deleted: there is nothing to wait for. */
  hubDeleted(): void {
    for (const watch of this.#watches) watch.hubDeleted();
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }
}

/** One age. */
class AgeWatch {
  readonly #options: HoldAgesOptions;
  readonly #age: HoldAge;
  readonly #limitMs: number;
  readonly #crossed: (aged: AgedHold) => Promise<void>;
  /** Something was placed while the holds were being looked at. */
  #again = false;
  #state: "idle" | "looking" | "waiting" | "closed" = "idle";
  /** For a hold that has held since then. */
  #alarm: { readonly since: Timestamp; readonly alarm: Alarm } | undefined;

  constructor(
    options: HoldAgesOptions,
    age: HoldAge,
    limitMs: number,
    crossed: (aged: AgedHold) => Promise<void>,
  ) {
    this.#options = options;
    this.#age = age;
    this.#limitMs = limitMs;
    this.#crossed = crossed;
  }

  /**
   * Newer holds cross later: while an alarm is set for one there is nothing to look for, unless the
   * clock was set back since that one was placed.
   */
  look(): void {
    const { clock } = this.#options;
    if (this.#alarm !== undefined && isAfter(this.#alarm.since, clock.now())) this.#stopWaiting();
    if (this.#state === "looking") this.#again = true;
    if (this.#state !== "idle" || this.#options.hub.state === undefined) return;
    this.#state = "looking";
    this.#again = false;
    this.#options.background.run(this.#work());
  }

  hubDeleted(): void {
    this.#stopWaiting();
  }

  close(): void {
    this.#stopWaiting();
    this.#state = "closed";
  }

  #stopWaiting(): void {
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    if (this.#state === "waiting") this.#state = "idle";
  }

  async #work(): Promise<void> {
    const { clock, hub } = this.#options;
    const mark = hub.state && markOf(hub.state, this.#age);
    if (mark !== undefined && isAfter(mark, clock.now())) {
      // The clock was set back: what is placed now has crossed nothing. What had is said once more.
      this.#mark(addMilliseconds(clock.now(), -this.#limitMs));
    }
    // Ends with the first hold that has not crossed, or when all have.
    while (!this.#isClosed) {
      const found = await this.#oldest();
      const horizon = addMilliseconds(clock.now(), -this.#limitMs);
      const crossing = found.filter(({ since }) => !isAfter(since, horizon));
      for (const aged of crossing) if (!this.#isClosed) await this.#crossed(aged);
      const last = crossing.at(-1)?.since;
      if (last === undefined || found.length > crossing.length) {
        this.#mark(last);
        this.#waitFor(found[crossing.length]);
        return;
      }
      this.#mark(last);
    }
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #waitFor(next: AgedHold | undefined): void {
    if (this.#isClosed) return;
    if (next === undefined || this.#options.hub.state === undefined) {
      this.#state = "idle";
      if (this.#again) this.look();
      return;
    }
    this.#state = "waiting";
    const crossesAt = addMilliseconds(next.since, this.#limitMs);
    const alarm = this.#options.clock.wakeAt(crossesAt, () => {
      this.#stopWaiting();
      this.look();
    });
    this.#alarm = { since: next.since, alarm };
  }

  #mark(placedThrough: Timestamp | undefined): void {
    const { road, hub } = this.#options;
    if (hub.state === undefined || placedThrough === undefined || this.#isClosed) return;
    road.decideHub(Cause.HOLD_AGE, (state, environment) =>
      decideAgeMark(state, this.#age, placedThrough, environment),
    );
  }

  /** The oldest holds that have not crossed, of every scope: some of them, and none is left out. */
  async #oldest(): Promise<readonly AgedHold[]> {
    const { hub } = this.#options;
    const { state } = hub;
    if (state === undefined) return [];
    const mark = markOf(state, this.#age);
    const { rows, through } = await this.#oldestRows(state.number, mark);
    const ofHub = state.holds.flatMap((hubHold): AgedHold[] => {
      const { hold, origin } = hubHold;
      const since = heldSince(hubHold);
      if (hold === undefined || since === undefined) return [];
      if (mark !== undefined && !isAfter(since, mark)) return [];
      if (through !== undefined && isAfter(since, through)) return [];
      return [{ hold, origin, instanceId: origin?.instanceId ?? "", since }];
    });
    return [...rows, ...ofHub].sort((left, right) => compareTimestamps(left.since, right.since));
  }

  /** A page of rows, with all that were placed at the same time as its last one. */
  async #oldestRows(number: StorageNumber, mark: Timestamp | undefined) {
    const { store } = this.#options;
    const from = mark && addNanoseconds(mark, 1n);
    const found = [...(await store.readHeld(number, { from }, undefined, page))];
    const through = found.length < page ? undefined : found.at(-1)?.time;
    if (through !== undefined) {
      const same = { from: through, to: addNanoseconds(through, 1n) };
      // Ends with the last hold of that time.
      for (;;) {
        const more = await store.readHeld(number, same, found.at(-1), page);
        found.push(...more);
        if (more.length < page) break;
      }
    }
    const rows = found.flatMap(({ row, time }): AgedHold[] =>
      row.hold === undefined
        ? []
        : [{ hold: row.hold, origin: undefined, instanceId: row.instanceId, since: time }],
    );
    return { rows, through };
  }
}

function facts({ hold, instanceId }: AgedHold) {
  const { name, scope, requestedBy, reason } = hold;
  return {
    hold: name,
    scope: scopeNames[scope],
    instanceId,
    requestedBy,
    reason,
    placedAtSeconds: Number(hold.placedAt?.seconds ?? 0n),
  };
}

const scopeNames: Readonly<Record<HoldScope, string>> = {
  [HoldScope.UNSPECIFIED]: "",
  [HoldScope.INSTANCE]: "instance",
  [HoldScope.TREE]: "tree",
  [HoldScope.SELECTOR]: "selector",
};
