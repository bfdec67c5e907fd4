/** What the workers of T-NTH answer: functions of what the work item says, and of nothing else. */
import type { OrchestratorAction } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds } from "../../../sidecar/wire/timestamp.ts";
import { succeeded } from "../../support/entity-results.ts";
import type { Activity, Batch, ScriptedWorker, Turn } from "../../support/worker.ts";
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
    case "Locker":
      return { actions: lockAndCall(told) };
    case "Short":
      return { actions: [act.completed("short")] };
    default:
      return { actions: [] };
  }
}

type ActivityAnswer =
  Parameters<ScriptedWorker["finish"]> extends [Activity, ...infer Rest] ? Rest : never;

/** "Flaky" succeeds when its instance has been rewound. */
export function answerActivity({ request }: Activity, generation: number): ActivityAnswer {
  if (request.name === "Flaky" && generation === 1) {
    return [undefined, { failureDetails: { errorType: "Error", errorMessage: "not yet" } }];
  }
  return [`result of ${request.name} ${request.taskId}`];
}

/** An entity counts its operations. */
export function answerBatch({ request }: Batch) {
  const { entityState = "0", operationRequests } = request;
  const count = Number(entityState) + operationRequests.length;
  return { results: operationRequests.map(() => succeeded()), entityState: String(count) };
}

/** Entities that "Locker" has to itself for a while. */
export const LOCKED = ["@n@1", "@n@2"] as const;

/** A critical section, and behind it something that fails until the instance is rewound. */
function lockAndCall(told: readonly Told[]): readonly OrchestratorAction[] {
  const has = (kind: Told["case"]) => told.some((type) => type.case === kind);
  const section = { criticalSectionId: "section", parentInstanceId: "e" };
  if (!has("entityLockRequested")) {
    const lock = { ...section, lockSet: [...LOCKED] };
    return [act.entityMessage(1, { case: "entityLockRequested", value: lock })];
  }
  if (!has("entityLockGranted")) return [];
  if (!has("entityOperationCalled")) {
    const call = { requestId: "call", operation: "add", targetInstanceId: LOCKED[0] };
    return [act.entityMessage(2, { case: "entityOperationCalled", value: call })];
  }
  if (!has("entityOperationCompleted")) return [];
  if (!has("entityUnlockSent")) {
    const unlocks = LOCKED.map((targetInstanceId, at) => {
      const value = { ...section, targetInstanceId };
      return act.entityMessage(3 + at, { case: "entityUnlockSent", value });
    });
    return [...unlocks, act.scheduleTask(5, "Flaky")];
  }
  if (has("taskFailed")) return [act.failed("not yet")];
  if (has("taskCompleted")) return [act.completed("locked")];
  return has("taskScheduled") ? [] : [act.scheduleTask(5, "Flaky")];
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
