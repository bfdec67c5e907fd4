/** What the workers of T-NTH answer: functions of what the work item says, and of nothing else. */
import type { OrchestratorAction } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds } from "../../../sidecar/wire/timestamp.ts";
import type { Activity, Turn } from "../../support/worker.ts";
import * as act from "../../support/worker-actions.ts";

export interface TurnAnswer {
  readonly actions: readonly OrchestratorAction[];
  readonly customStatus?: string;
}

/** How long the timer of the first generation of "Main" takes. */
export const TIMER_MS = 30_000;

/** What the first turn of "Main" schedules, all of it or nothing. */
export const FIRST_ACTIONS = [
  "taskScheduled",
  "taskScheduled",
  "timerCreated",
  "subOrchestrationInstanceCreated",
] as const;

export function answerTurn({ request }: Turn): TurnAnswer {
  const told = [...request.pastEvents, ...request.newEvents].map(({ eventType }) => eventType);
  const start = told.find((type) => type.case === "executionStarted")?.value;
  switch (start?.name) {
    case "Main":
      return start.input === "0" ? gather(told, request) : finish(told, start.input ?? "");
    case "Child":
      return { actions: [act.completed("from the child")] };
    case "Short":
      return { actions: [act.completed("short")] };
    default:
      return { actions: [] };
  }
}

export function answerActivity({ request }: Activity): string {
  return `result of ${request.name} ${request.taskId}`;
}

type Told = Turn["request"]["pastEvents"][number]["eventType"];

/** The first generation: everything that can come to an instance, then on as new. */
function gather(told: readonly Told[], request: Turn["request"]): TurnAnswer {
  if (!told.some((type) => type.case === "taskScheduled")) {
    const now = request.newEvents[0]?.timestamp;
    if (now === undefined) throw new Error("a turn begins with its time");
    const actions = [
      act.scheduleTask(1),
      act.scheduleTask(2),
      act.createTimer(3, addMilliseconds(now, TIMER_MS)),
      act.startChild(4, "c"),
    ];
    return { actions, customStatus: '"gathering"' };
  }
  const gathered = gatheredOf(told);
  if (!gathered.includes("event Next1")) return { actions: [], customStatus: '"gathering"' };
  return { actions: [act.continueAsNew(JSON.stringify(gathered))], customStatus: '"gathered"' };
}

function finish(told: readonly Told[], input: string): TurnAnswer {
  if (!told.some((type) => type.case === "taskScheduled")) {
    return { actions: [act.scheduleTask(1, "Again")], customStatus: '"finishing"' };
  }
  const gathered = gatheredOf(told);
  if (!gathered.includes("event Finish1")) return { actions: [], customStatus: '"finishing"' };
  const result = JSON.stringify([...JSON.parse(input), ...gathered]);
  return { actions: [act.completed(result)], customStatus: '"finished"' };
}

/** In an order of its own: what comes first may differ from run to run. */
function gatheredOf(told: readonly Told[]): string[] {
  const gathered = told.flatMap((type) => {
    switch (type.case) {
      case "taskCompleted":
        return [`activity ${type.value.taskScheduledId}: ${type.value.result}`];
      case "timerFired":
        return [`timer ${type.value.timerId}`];
      case "subOrchestrationInstanceCompleted":
        return [`child: ${type.value.result}`];
      case "eventRaised":
        return [`event ${type.value.name}${type.value.input ?? ""}`];
      default:
        return [];
    }
  });
  return gathered.sort();
}
