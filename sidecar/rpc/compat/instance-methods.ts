/**
 * The client half of the compatible service: creating, reading, waiting for and steering instances.
 */
import { createHash } from "node:crypto";
import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { noReply } from "../../engine/repeat.ts";
import type { StartCommand } from "../../engine/start.ts";
import { isTerminal, shownStatus } from "../../engine/status.ts";
import type { Ids } from "../../foundation/ids.ts";
import { resumeCompatibly, suspendCompatibly } from "../../scheduler/compatible-hold.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import {
  type CreateInstanceRequest,
  CreateInstanceRequestSchema,
  OrchestrationStatus,
  type TaskHubSidecarService,
  TraceContextSchema,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import {
  checkExecutionId,
  checkInstanceId,
  checkMessage,
  checkName,
  checkNewInstanceId,
  checkPayload,
  checkReason,
  checkTags,
  checkTimestamp,
  checkVersion,
} from "../validation.ts";
import { getInstanceResponse } from "./orchestration-state.ts";

export function instanceMethods(
  hubs: TaskHubs,
  ids: Ids,
): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async startInstance(request, { taskHub }) {
      const command = startCommand(request, ids);
      const instanceId = await hubs.get(taskHub).instances.start(command);
      return { instanceId };
    },

    async getInstance({ instanceId, getInputsAndOutputs }, { taskHub }) {
      checkInstanceId(instanceId);
      const response = await hubs
        .get(taskHub)
        .read(instanceId, (state) => getInstanceResponse(state, getInputsAndOutputs));
      return response ?? { exists: false };
    },

    async waitForInstanceStart({ instanceId, getInputsAndOutputs }, { taskHub, signal }) {
      checkInstanceId(instanceId);
      return hubs.get(taskHub).wait(
        instanceId,
        (state) => shownStatus(state) !== OrchestrationStatus.PENDING,
        (state) => getInstanceResponse(state, getInputsAndOutputs),
        signal,
      );
    },

    async waitForInstanceCompletion({ instanceId, getInputsAndOutputs }, { taskHub, signal }) {
      checkInstanceId(instanceId);
      return hubs
        .get(taskHub)
        .wait(
          instanceId,
          isTerminal,
          (state) => getInstanceResponse(state, getInputsAndOutputs),
          signal,
        );
    },

    async raiseEvent({ instanceId, name, input }, { taskHub }) {
      checkInstanceId(instanceId);
      checkName("name", name);
      checkPayload("input", input);
      const command = { instanceId, name, input, ignoreFinished: true };
      await hubs.get(taskHub).instances.raiseEvent(command, noReply);
      return {};
    },

    async terminateInstance({ instanceId, output, recursive }, { taskHub }) {
      checkInstanceId(instanceId);
      checkPayload("output", output);
      const command = { instanceId, output, recurse: recursive, ignoreFinished: true };
      await hubs.get(taskHub).instances.terminate(command, noReply);
      return {};
    },

    async suspendInstance({ instanceId, reason }, { taskHub }) {
      checkInstanceId(instanceId);
      checkReason(reason);
      await suspendCompatibly(hubs.get(taskHub).suspensions, instanceId, reason);
      return {};
    },

    async resumeInstance({ instanceId, reason }, { taskHub }) {
      checkInstanceId(instanceId);
      checkReason(reason);
      await resumeCompatibly(hubs.get(taskHub).suspensions, instanceId, reason);
      return {};
    },

    async *streamInstanceHistory({ instanceId, executionId, forWorkItemProcessing }, { taskHub }) {
      checkInstanceId(instanceId);
      yield* hubs.get(taskHub).history(instanceId, executionId || undefined, forWorkItemProcessing);
    },
  };
}

function startCommand(
  request: CreateInstanceRequest,
  ids: Ids,
): Omit<StartCommand, "refusedBecause"> {
  const { name, version, input, tags, orchestrationIdReusePolicy: policy } = request;
  checkName("name", name);
  checkVersion(version);
  checkPayload("input", input);
  checkTags(tags);
  checkTimestamp("scheduledStartTimestamp", request.scheduledStartTimestamp);
  checkExecutionId(request.executionId);
  checkMessage("parentTraceContext", TraceContextSchema, request.parentTraceContext);
  return {
    instanceId: request.instanceId === "" ? ids.next() : checkNewInstanceId(request.instanceId),
    name,
    version,
    input,
    tags,
    parentTraceContext: request.parentTraceContext,
    scheduledStartAt: request.scheduledStartTimestamp,
    executionId: request.executionId || undefined,
    idReusePolicy: policy && {
      replaceableStatus: policy.replaceableStatus,
      legacyAction: policy.legacyAction,
    },
    fingerprint: fingerprintOf(request),
  };
}

/** Proves that two requests are one: the client's own time of sending is among what is compared. */
function fingerprintOf(request: CreateInstanceRequest): Uint8Array | undefined {
  const { instanceId, name, version, input, requestTime } = request;
  if (instanceId === "" || requestTime === undefined) return undefined;
  const same: MessageShape<typeof CreateInstanceRequestSchema> = create(
    CreateInstanceRequestSchema,
    { instanceId, name, requestTime },
  );
  if (version !== undefined) same.version = version;
  if (input !== undefined) same.input = input;
  return createHash("sha256").update(toBinary(CreateInstanceRequestSchema, same)).digest();
}
