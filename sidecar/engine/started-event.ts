import { assert } from "../foundation/assert.ts";
import type { ExecutionStartedEvent } from "../wire/gen/orchestrator_service_pb.ts";
import { readEvent } from "../wire/history-event.ts";
import type { InstanceState } from "./state.ts";

/** With what the current generation of an orchestration began, whether a turn has seen it or not. */
export function startedEventOf({ started, inbox }: InstanceState): ExecutionStartedEvent {
  const stored = started ?? inbox[0];
  assert(stored !== undefined, "a generation begins with ExecutionStarted");
  const { eventType } = readEvent(stored);
  assert(eventType.case === "executionStarted", "a generation begins with ExecutionStarted");
  return eventType.value;
}
