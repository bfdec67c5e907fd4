/** What the sidecar is to reach, and what it does in a run. */
import type { BenchRun, Calibration, CaseResult, PageResult } from "./results.ts";
import { type Column, shown } from "./table.ts";

interface Goal {
  readonly goal: string;
  readonly atMost: number;
  readonly figure: number | undefined;
}

/** Calls that somebody waits for when one activity runs alone: a start, three answers, a wait. */
const CALLS_OF_ONE_ACTIVITY = 5;

export const goalColumns: readonly Column<Goal>[] = [
  { title: "goal", text: ({ goal }) => goal },
  { title: "at most", text: ({ atMost }) => shown(atMost) },
  { title: "here", text: ({ figure }) => shown(figure) },
  {
    title: "reached",
    text: ({ figure, atMost }) => (figure === undefined ? "" : figure <= atMost ? "yes" : "no"),
  },
];

/** Goals without a figure were not measured in this run. */
export function goalsOf({ calibration, cases, pages = [] }: BenchRun): readonly Goal[] {
  const five = (inFlight: number) => find(cases, "5 activities", inFlight, 0);
  const few = find(cases, "5 activities", 64, 1_000);
  const many = find(cases, "5 activities", 64, 1_000_000);
  return [
    {
      goal: "keys written for a step, indexes included (5 activities, 64 in flight)",
      atMost: 2,
      figure: quotient(five(64)?.stored?.putsPerOrchestration, five(64)?.stepsPerOrchestration),
    },
    ...[1, 16, 64, 256, 1_024].map((inFlight) => ({
      goal: `sidecar CPU of a step, in units of two bare calls and two streamed messages (5 activities, ${shown(inFlight)} in flight)`,
      atMost: 1.3,
      figure: quotient(
        five(inFlight)?.cpu?.sidecarUsPerStep,
        bareStepUs(calibration, calibration.bareCall.cpuUs),
      ),
    })),
    {
      goal: "the same with 1 in flight, in units of bare calls that come one at a time as well",
      atMost: 1.3,
      figure: quotient(
        five(1)?.cpu?.sidecarUsPerStep,
        bareStepUs(calibration, calibration.bareCall.cpuUsAlone),
      ),
    },
    {
      goal: "CPU beside 1,000,000 stored instances, in relation to 1,000",
      atMost: 1.2,
      figure: quotient(many?.cpu?.sidecarUs, few?.cpu?.sidecarUs),
    },
    {
      goal: "CPU of a page of 100 out of 1,000,000 stored instances, in relation to 1,000",
      atMost: 1.2,
      figure: quotient(firstPageUs(pages, 1_000_000), firstPageUs(pages, 1_000)),
    },
    {
      goal: "p50 of one activity with 1 in flight, in units of one fdatasync and the calls it needs",
      atMost: 2.5,
      figure: quotient(
        milliseconds(find(cases, "1 activity", 1, 0)),
        calibration.fdatasyncUs + CALLS_OF_ONE_ACTIVITY * calibration.sidecarCall.p50Us,
      ),
    },
  ];
}

function firstPageUs(pages: readonly PageResult[], stored: number): number | undefined {
  const page = pages.find(({ storedInstances, walks }) => storedInstances === stored && !walks);
  return page?.sidecarUs;
}

function bareStepUs(
  { streamedMessageCpuUs }: Calibration,
  callUs: number | undefined,
): number | undefined {
  if (callUs === undefined || streamedMessageCpuUs === undefined) return undefined;
  return 2 * callUs + 2 * streamedMessageCpuUs;
}

function milliseconds(result: CaseResult | undefined): number | undefined {
  return result && result.p50Ms * 1_000;
}

function find(
  cases: readonly CaseResult[],
  workload: string,
  inFlight: number,
  stored: number,
): CaseResult | undefined {
  return cases.find(
    (result) =>
      result.workload === workload &&
      result.inFlight === inFlight &&
      result.store === "level" &&
      (result.storedInstances ?? 0) === stored,
  );
}

function quotient(value: number | undefined, unit: number | undefined): number | undefined {
  return value === undefined || unit === undefined ? undefined : value / unit;
}
