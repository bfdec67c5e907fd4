/** A worker's actions, as scenarios write them: `1 activity Pay input=5`. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type HistoryEvent,
  HistoryEventSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { present } from "../../sidecar/wire/history-event.ts";
import { ScenarioArguments } from "./scenario-arguments.ts";

type ActionType = NonNullable<
  MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"]
>;

/** `carryover` lines belong to the completion that stands before them. */
export function parseActions(lines: readonly string[]): readonly OrchestratorAction[] {
  const actions: OrchestratorAction[] = [];
  for (const line of lines) {
    const given = new ScenarioArguments(line);
    const first = given.word("action id");
    if (first === "carryover") carryOver(actions.at(-1), given);
    else actions.push(parseAction(Number(first), given));
    given.end();
  }
  return actions;
}

function parseAction(id: number, given: ScenarioArguments): OrchestratorAction {
  const orchestratorActionType = actionType(given.word("kind of action"), given);
  return create(OrchestratorActionSchema, { id, orchestratorActionType });
}

function actionType(kind: string, given: ScenarioArguments): ActionType {
  switch (kind) {
    case "activity":
      return { case: "scheduleTask", value: { name: given.word("name"), ...work(given) } };
    case "child": {
      const name = given.word("name");
      const instanceId = given.text("id") ?? "";
      return { case: "createSubOrchestration", value: { name, instanceId, ...work(given) } };
    }
    case "timer":
      return { case: "createTimer", value: present("fireAt", given.time("at")) };
    case "event":
      return sendEvent(given);
    case "terminate":
      return {
        case: "terminateOrchestration",
        value: {
          instanceId: given.word("instance"),
          recurse: given.flag("recurse"),
          ...present("reason", given.text("reason")),
        },
      };
    case "complete":
      return complete(given);
    case "entity":
      return { case: "sendEntityMessage", value: {} };
    case "rewind":
      return { case: "rewindOrchestration", value: {} };
    case "unknown":
      return { case: undefined };
    default:
      throw new Error(`no such action: ${kind}`);
  }
}

function work(given: ScenarioArguments) {
  return {
    tags: given.map("tags"),
    ...present("version", given.text("version")),
    ...present("input", given.text("input")),
    ...present("parentTraceContext", given.trace("trace")),
  };
}

function sendEvent(given: ScenarioArguments): ActionType {
  const instance = {
    instanceId: given.word("instance"),
    ...present("executionId", given.text("execution")),
  };
  const name = given.word("event name");
  return { case: "sendEvent", value: { instance, name, ...present("data", given.text("data")) } };
}

function complete(given: ScenarioArguments): ActionType {
  const status = given.word("status");
  const orchestrationStatus =
    OrchestrationStatus[status as keyof typeof OrchestrationStatus] ?? Number(status);
  const value = {
    orchestrationStatus,
    tags: given.map("tags"),
    ...present("result", given.text("result")),
    ...present("details", given.text("details")),
    ...present("newVersion", given.text("version")),
    ...present("failureDetails", given.failure("failure")),
  };
  return { case: "completeOrchestration", value };
}

function carryOver(action: OrchestratorAction | undefined, given: ScenarioArguments): void {
  const type = action?.orchestratorActionType;
  if (type?.case !== "completeOrchestration") throw new Error("carryover follows a completion");
  type.value.carryoverEvents.push(carriedEvent(given));
}

function carriedEvent(given: ScenarioArguments): HistoryEvent {
  return create(HistoryEventSchema, {
    eventId: given.number("event-id") ?? -1,
    ...present("timestamp", given.time("at")),
    eventType: {
      case: "eventRaised",
      value: { name: given.word("event name"), ...present("input", given.text("input")) },
    },
  });
}
