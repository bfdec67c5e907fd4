/** What is measured: orchestrations of a few shapes, at several numbers in flight. */
import type { StoreKind } from "./options.ts";

/** The shape of one orchestration. */
export interface Workload {
  readonly name: string;
  readonly kind: "sequence" | "fan-out";
  readonly activities: number;
}

export const FIVE_ACTIVITIES: Workload = { name: "5 activities", kind: "sequence", activities: 5 };

const WORKLOADS: readonly Workload[] = [
  { name: "1 activity", kind: "sequence", activities: 1 },
  FIVE_ACTIVITIES,
  { name: "50 activities", kind: "sequence", activities: 50 },
  { name: "fan-out 1×100", kind: "fan-out", activities: 100 },
];

/** One row of the result. */
export interface BenchCase {
  readonly name: string;
  readonly workload: Workload;
  readonly store: StoreKind;
  /** Instances that are in the directory before the sidecar starts: they sleep. */
  readonly storedInstances: number;
  /** Orchestrations that the client has started and not yet seen completed, at any time. */
  readonly inFlight: number;
  readonly times: CaseTimes;
}

export interface CaseTimes {
  /** Load before the measurement. */
  readonly warmUpMs: number;
  /** Aimed at; the measurement is a number of orchestrations, all of them to their end. */
  readonly measureMs: number;
  /** No orchestration is started after this time. */
  readonly startUntilMs: number;
}

/** How many stored instances the cost must not depend on. */
const STORED_INSTANCES = [1_000, 10_000, 100_000, 1_000_000] as const;

/** Each is three events of the history, which goes to the worker with every turn. */
const LONG_SEQUENCES = [3, 33, 333, 3_333] as const;

const FULL: CaseTimes = { warmUpMs: 6_000, measureMs: 4_500, startUntilMs: 10_000 };
const QUICK: CaseTimes = { warmUpMs: 700, measureMs: 1_000, startUntilMs: 2_000 };

/** All cases of a run, in order. */
export function benchCases(options: {
  readonly quick: boolean;
  readonly only?: string | undefined;
}) {
  const cases = options.quick ? quickCases() : fullCases();
  const { only } = options;
  return only === undefined ? cases : cases.filter(({ name }) => name.includes(only));
}

/** The case of the CPU profile: the first one whose name contains the text, if there is a text. */
export function profileCase(only = `${FIVE_ACTIVITIES.name}, 64 in flight, level`): BenchCase {
  const chosen = fullCases().find(({ name }) => name.includes(only));
  if (chosen === undefined) throw new Error(`there is no case "${only}"`);
  return { ...chosen, times: { ...FULL, warmUpMs: 8_000, measureMs: 10_000 } };
}

function fullCases(): BenchCase[] {
  const levels = [1, 16, 64, 256, 1_024];
  const durable = WORKLOADS.flatMap((workload) =>
    levels.map((inFlight) => benchCase(workload, inFlight, "level", FULL)),
  );
  const volatile = levels.map((inFlight) => benchCase(FIVE_ACTIVITIES, inFlight, "memory", FULL));
  const crowded = STORED_INSTANCES.map((stored) => ({
    ...benchCase(FIVE_ACTIVITIES, 64, "level", FULL),
    name: `5 activities, 64 in flight, level, ${stored} stored`,
    storedInstances: stored,
  }));
  const long = LONG_SEQUENCES.map((activities) => {
    const workload: Workload = {
      name: `${activities} activities`,
      kind: "sequence",
      activities,
    };
    return benchCase(workload, 1, "level", FULL);
  });
  return [...durable, ...volatile, ...crowded, ...long];
}

function quickCases(): BenchCase[] {
  const durable = WORKLOADS.map((workload) => benchCase(workload, 64, "level", QUICK));
  return [
    benchCase(FIVE_ACTIVITIES, 1, "level", QUICK),
    ...durable,
    benchCase(FIVE_ACTIVITIES, 64, "memory", QUICK),
  ];
}

function benchCase(
  workload: Workload,
  inFlight: number,
  store: StoreKind,
  times: CaseTimes,
): BenchCase {
  const name = `${workload.name}, ${inFlight} in flight, ${store}`;
  return { name, workload, store, inFlight, times, storedInstances: 0 };
}
