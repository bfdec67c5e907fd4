import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { BufferLimits } from "../engine/raise-event.ts";
import type { CustomStatusPolicy } from "../engine/turn/custom-status.ts";
import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/ids.ts";
import type { Log } from "../foundation/log.ts";
import type { Store } from "../store/store.ts";
import type { EntityBatchForm } from "../wire/entity-work-item.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Admission } from "./admission.ts";
import type { DeliveryLimits } from "./delivery-limits.ts";
import type { Figures } from "./figures.ts";
import type { IdleHeads } from "./heads.ts";
import type { HoldAgeLimits } from "./hold-ages.ts";
import type { LeaseTimes } from "./leases.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { RetentionPolicy } from "./retention-policy.ts";
import type { Slots } from "./slots.ts";
import type { StatusMetrics } from "./status-metrics.ts";

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
  /** What ready instances may take in memory while they wait for workers. */
  readonly readyBudget: MemoryBudget;
  /** For long histories that are being read. */
  readonly historySlots: Slots;
  /** Refuses what is new while the store cannot take it. */
  readonly admission: Admission;
  readonly log: Log;
  readonly holdAgeLimits: HoldAgeLimits;
  readonly bufferLimits: BufferLimits;
  /** Turns are handed out while the events that woke them are still being written. */
  readonly earlyTurns: boolean;
  readonly deliveryLimits: DeliveryLimits;
  /** How batches of entity operations are encoded. */
  readonly entityBatches: EntityBatchForm;
  readonly statusPolicy: CustomStatusPolicy;
  readonly statusMetrics: StatusMetrics;
  readonly figures: Figures;
  /** How long finished instances are kept; undefined: for ever. */
  readonly retention?: RetentionPolicy;
  /** Changes of a hub that are kept for watches that come back. */
  readonly watchedChangesMax: number;
  /** Holds that every hub has from its creation on. */
  readonly holdsAtCreation: (now: Timestamp) => readonly HubHold[];
}
