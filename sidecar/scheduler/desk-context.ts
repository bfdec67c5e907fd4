import type { StatusRules } from "../engine/turn/custom-status.ts";
import type { Background } from "./background.ts";
import type { Heads } from "./heads.ts";
import type { HoldGate } from "./hold-gate.ts";
import type { Leases } from "./leases.ts";
import type { SchedulerOptions } from "./options.ts";
import type { ReadyItem } from "./ready-queue.ts";
import type { Road } from "./road.ts";

/** What the desks of turns and of activities share. */
export interface DeskContext {
  readonly hubName: string;
  readonly options: SchedulerOptions;
  readonly heads: Heads;
  readonly road: Road;
  readonly leases: Leases;
  readonly gate: HoldGate;
  /** What the custom status of an orchestration of this name has to follow. */
  readonly statusRules: (name: string) => StatusRules;
  readonly background: Background;
  /** Queues an item for the streams. */
  offer(item: ReadyItem): void;
  /** Runs something later, at once when the delay is 0; never after the hub was closed. */
  later(delayMs: number, run: () => void): void;
}
