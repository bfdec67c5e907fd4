import { create } from "@bufbuild/protobuf";
import { startedEventOf } from "../../engine/started-event.ts";
import type { InstanceState } from "../../engine/state.ts";
import { shownStatus } from "../../engine/status.ts";
import { assert } from "../../foundation/assert.ts";
import {
  type GetInstanceResponse,
  GetInstanceResponseSchema,
  type OrchestrationState,
  OrchestrationStateSchema,
  OrchestrationStatus,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { present, readEvent } from "../../wire/history-event.ts";

/**
 * The answer with the state of an instance. It is never cut: with the largest input and output there
 * may be it has a little more than 4 MiB, which a client takes that has set its own limit so, and
 * others can ask without payloads.
 */
export function getInstanceResponse(
  state: InstanceState,
  withPayloads: boolean,
): GetInstanceResponse {
  return create(GetInstanceResponseSchema, {
    exists: true,
    orchestrationState: orchestrationState(state, withPayloads),
  });
}

/**
 * What a reader is shown of an instance. Payloads, custom status and failure details only when they
 * were asked for; failure details only of a failed instance: SDKs assert that they are absent
 * otherwise (trap T16).
 */
export function orchestrationState(
  state: InstanceState,
  withPayloads: boolean,
): OrchestrationState {
  return create(OrchestrationStateSchema, {
    instanceId: state.instanceId,
    name: state.name,
    orchestrationStatus: shownStatus(state),
    createdTimestamp: state.createdAt,
    lastUpdatedTimestamp: state.updatedAt,
    executionId: state.executionId,
    tags: state.tags,
    ...present("version", state.version),
    ...present("scheduledStartTimestamp", state.scheduledStartAt),
    ...present("completedTimestamp", state.completedAt),
    ...present("parentInstanceId", state.parent?.instanceId),
    ...(withPayloads ? payloads(state) : {}),
  });
}

function payloads(state: InstanceState) {
  return {
    ...present("input", startedEventOf(state).input),
    ...present("customStatus", state.customStatus?.text),
    ...outcomeOf(state),
  };
}

function outcomeOf(state: InstanceState) {
  if (state.completed === undefined) return {};
  const { eventType } = readEvent(state.completed);
  assert(eventType.case === "executionCompleted", "a stored event is of its kind");
  const { result, failureDetails, orchestrationStatus } = eventType.value;
  return {
    ...present("output", result),
    ...(orchestrationStatus === OrchestrationStatus.FAILED
      ? present("failureDetails", failureDetails)
      : {}),
  };
}
