/** What task hubs are opened with, and what is taken where nothing is said. */
import { type BufferLimits, defaultBufferLimits } from "../engine/raise-event.ts";
import { type CustomStatusPolicy, defaultStatusPolicy } from "../engine/turn/custom-status.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type Log, silentLog } from "../foundation/log.ts";
import type { EntityBatchForm } from "../wire/entity-work-item.ts";
import { Admission } from "./admission.ts";
import { bootHold } from "./boot-hold.ts";
import { type DeliveryLimits, noDeliveryLimits } from "./delivery-limits.ts";
import { Figures } from "./figures.ts";
import { IdleHeads } from "./heads.ts";
import { type HoldAgeLimits, noHoldAgeLimits } from "./hold-ages.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { SchedulerOptions } from "./options.ts";
import { Slots } from "./slots.ts";
import { StatusMetrics } from "./status-metrics.ts";

export interface TaskHubsOptions
  extends Omit<
    SchedulerOptions,
    | "idleHeads"
    | "readyBudget"
    | "historySlots"
    | "admission"
    | "log"
    | "holdAgeLimits"
    | "bufferLimits"
    | "earlyTurns"
    | "deliveryLimits"
    | "entityBatches"
    | "statusPolicy"
    | "statusMetrics"
    | "figures"
    | "holdsAtCreation"
    | "watchedChangesMax"
  > {
  /** Instances that nobody uses are kept in memory up to this many bytes. */
  readonly idleHeadBytesMax?: number;
  /** Instances that wait for workers are kept in memory up to this many bytes. */
  readonly readyBytesMax?: number;
  readonly log?: Log;
  readonly holdAgeLimits?: HoldAgeLimits;
  readonly bufferLimits?: BufferLimits;
  /** Turns are handed out while the events that woke them are still being written. */
  readonly earlyTurns?: boolean;
  readonly deliveryLimits?: DeliveryLimits;
  readonly entityBatches?: EntityBatchForm;
  readonly statusPolicy?: CustomStatusPolicy;
  readonly statusMetrics?: StatusMetrics;
  readonly figures?: Figures;
  /** Changes of a hub that are kept for watches that come back. */
  readonly watchedChangesMax?: number;
  /** Every hub is held by the window "boot" from now on, also one that is created later. */
  readonly suspended?: boolean;
}

/** The options that all hubs share, with the budgets that they share. */
export function schedulerOptions({
  idleHeadBytesMax = LIMITS.idleHeadBytesMax,
  readyBytesMax = LIMITS.readyBytesMax,
  log = silentLog,
  holdAgeLimits = noHoldAgeLimits,
  bufferLimits = defaultBufferLimits,
  earlyTurns = false,
  deliveryLimits = noDeliveryLimits,
  entityBatches = "v2",
  statusPolicy = defaultStatusPolicy,
  statusMetrics = new StatusMetrics(log),
  figures = new Figures(log),
  watchedChangesMax = LIMITS.watchedChangesMax,
  suspended = false,
  ...options
}: TaskHubsOptions): SchedulerOptions {
  return {
    ...options,
    log,
    holdAgeLimits,
    bufferLimits,
    earlyTurns,
    deliveryLimits,
    entityBatches,
    statusPolicy,
    statusMetrics,
    figures,
    watchedChangesMax,
    idleHeads: new IdleHeads(idleHeadBytesMax),
    readyBudget: new MemoryBudget(readyBytesMax),
    historySlots: new Slots(LIMITS.historyStreamsMax),
    admission: new Admission(options.store),
    holdsAtCreation: (now) => (suspended ? [bootHold(now)] : []),
  };
}
