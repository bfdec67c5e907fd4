import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/ids.ts";
import type { Store } from "../store/store.ts";
import type { IdleHeads } from "./heads.ts";
import type { LeaseTimes } from "./leases.ts";

export interface SchedulerTimes extends LeaseTimes {
  /** A stream that was silent this long gets a ping. */
  readonly pingMs: number;
}

export const defaultTimes: SchedulerTimes = {
  turnLeaseMs: 5 * 60_000,
  graceMs: 10_000,
  // A quarter of the 120 s of silence after which .NET and Python reconnect.
  pingMs: 30_000,
};

export interface SchedulerOptions {
  readonly store: Store;
  readonly hubClock: HubClock;
  readonly steadyClock: SteadyClock;
  readonly ids: Ids;
  readonly times: SchedulerTimes;
  readonly idleHeads: IdleHeads;
}
