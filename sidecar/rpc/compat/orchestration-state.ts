import { create } from "@bufbuild/protobuf";
import type { InstanceState } from "../../engine/state.ts";
import { shownStatus } from "../../engine/status.ts";
import { assert } from "../../foundation/assert.ts";
import {
  type GetInstanceResponse,
  GetInstanceResponseSchema,
  OrchestrationStatus,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { present, readEvent } from "../../wire/history-event.ts";

/**
 * What a reader is shown of an instance. Payloads, custom status and failure details only when they
 * were asked for; failure details only of a failed instance: SDKs assert that they are absent
 * otherwise (trap T16).
 */
export function getInstanceResponse(
  state: InstanceState,
  withPayloads: boolean,
): GetInstanceResponse {
  return create(GetInstanceResponseSchema, {
    exists: true,
    orchestrationState: {
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
    },
  });
}

function payloads(state: InstanceState) {
  return {
    ...present("input", inputOf(state)),
    ...present("customStatus", state.customStatus?.text),
    ...outcomeOf(state),
  };
}

/** The input of the current generation. */
function inputOf(state: InstanceState): string | undefined {
  const started = state.started ?? state.inbox[0];
  assert(started !== undefined, "a generation begins with ExecutionStarted");
  const { eventType } = readEvent(started);
  assert(eventType.case === "executionStarted", "a generation begins with ExecutionStarted");
  return eventType.value.input;
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
