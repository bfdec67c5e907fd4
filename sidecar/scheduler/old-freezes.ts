/** Spans of frozen time are kept only as long as an instance lives whose timers they could move. */
import { decideForgetFreezes } from "../engine/hub/hub-freezes.ts";
import type { HubClock } from "../foundation/clock.ts";
import type { Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { addMilliseconds, addNanoseconds, earlierOf } from "../wire/timestamp.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";

/** Instances that are younger may not be durable yet, and be missed on the disk. */
const settlingMs = 60_000;

export interface OldFreezesOptions {
  readonly hub: HubLog;
  readonly store: Store;
  readonly road: Road;
  readonly clock: HubClock;
}

export async function forgetOldFreezes({
  hub,
  store,
  road,
  clock,
}: OldFreezesOptions): Promise<void> {
  const { number } = hub;
  if (number === undefined || hub.state?.freezes.length === 0) return;
  const now = clock.now();
  // The clock was set back since that one was created: nobody knows which spans are younger.
  const ahead = { from: addNanoseconds(now, 1n) };
  if ((await store.readQuery(number, "live", ahead, undefined, 1)).length > 0) return;
  const recent = addMilliseconds(now, -settlingMs);
  const [row] = await store.readQuery(number, "live", {}, undefined, 1);
  const oldest = row === undefined ? recent : earlierOf(row.time, recent);
  if (hub.number !== number) return;
  road.decideHub(Cause.FREEZES_FORGOTTEN, (state, environment) =>
    decideForgetFreezes(state, oldest, environment),
  );
}
