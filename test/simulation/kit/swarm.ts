/** What a seed enables: each run has other faults, so that rare ones come together. */
import type { SchedulerTimes } from "../../../sidecar/scheduler/options.ts";
import type { Random } from "../../model/kit/random.ts";
import type { WorkerFaults } from "../../support/worker-faults.ts";
import type { PlanLimits } from "./plan.ts";

export const troubles = [
  "crash",
  "stop",
  "disk fails",
  "disk is full",
  "disk is slow",
  "clock jumps",
  "streams are cut",
  "workers die",
] as const;

export type Trouble = (typeof troubles)[number];

export interface Swarm {
  readonly troubles: readonly Trouble[];
  /** Mean time between two troubles. */
  readonly troubleMs: number;
  /** How long troubles go on. */
  readonly chaosMs: number;
  readonly instances: number;
  readonly hubs: readonly string[];
  readonly workersPerHub: number;
  readonly workerFaults: WorkerFaults;
  readonly filters: boolean;
  readonly plans: PlanLimits;
  readonly slowestTurnMs: number;
  readonly slowestActivityMs: number;
  /** The longest that a write takes when nothing is wrong. */
  readonly diskMs: number;
  /** Replies that get lost on their way to clients and workers, in percent. */
  readonly lostReplies: number;
  readonly holds: readonly ("instance" | "tree" | "window")[];
  readonly expiry: boolean;
  readonly paced: boolean;
  readonly terminates: boolean;
  readonly purges: boolean;
  readonly restarts: boolean;
  readonly scheduled: boolean;
  readonly idleHeadBytesMax: number;
  /** Small ones make ready instances wait outside memory. */
  readonly readyBytesMax: number;
  readonly times: SchedulerTimes;
}

export function drawSwarm(random: Random): Swarm {
  const on = () => random.chance(50);
  const oneOf = <T>(...values: readonly [T, ...T[]]): T => random.pick(values) ?? values[0];
  const percent = (most: number) => (on() ? 1 + random.below(most) : 0);
  const longestTimerMs = oneOf(2_000, 30_000, 400_000, 7_200_000);
  return {
    troubles: troubles.filter(on),
    troubleMs: oneOf(2_000, 10_000, 40_000),
    chaosMs: oneOf(20_000, 120_000, 600_000),
    instances: 3 + random.below(8),
    hubs: on() ? ["default"] : ["default", "other"],
    workersPerHub: 1 + random.below(3),
    workerFaults: {
      abandons: percent(15),
      forgets: percent(8),
      dawdles: percent(5),
      repeats: percent(40),
      invents: percent(10),
      splits: percent(30),
      fails: percent(60),
      stops: percent(40),
    },
    filters: on(),
    plans: {
      longestTimerMs,
      mayRunAgain: on(),
      entities: on(),
      rewinds: on(),
      long: random.chance(6),
    },
    slowestTurnMs: oneOf(1, 100, 3_000),
    slowestActivityMs: oneOf(1, 500, 20_000),
    diskMs: oneOf(1, 4, 40, 400),
    lostReplies: percent(20),
    holds: (["instance", "tree", "window"] as const).filter(on),
    expiry: on(),
    paced: on(),
    terminates: on(),
    purges: on(),
    restarts: on(),
    scheduled: on(),
    idleHeadBytesMax: oneOf(0, 5_000, 50_000_000),
    readyBytesMax: oneOf(0, 5_000, 50_000_000),
    times: {
      turnLeaseMs: 300_000,
      graceMs: 10_000,
      pingMs: longestTimerMs > 1e6 ? 600_000 : 30_000,
    },
  };
}
