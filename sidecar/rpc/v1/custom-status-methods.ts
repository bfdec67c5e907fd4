/** Reading the custom status of an instance, and its revisions. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../../engine/state.ts";
import { instanceStatusOf } from "../../scheduler/instance-status.ts";
import type { TaskHub } from "../../scheduler/task-hub.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import type {
  GetCustomStatusResponseSchema,
  ListCustomStatusRevisionsResponseSchema,
} from "../../wire/gen/taskhub/v1/custom_status_pb.ts";
import { present } from "../../wire/history-event.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId } from "../validation.ts";
import { found } from "./found.ts";
import { customStatusView, holdsView, revisionView } from "./instance-view.ts";

export function customStatusMethods(hubs: TaskHubs): ServiceImplementation<typeof ClientService> {
  return {
    async getCustomStatus({ instanceId, afterRevision }, { taskHub }) {
      checkInstanceId(instanceId, "instance_id");
      const hub = hubs.get(taskHub);
      const answer = await hub.read(instanceId, (state) =>
        customStatusAnswer(state, afterRevision, hub),
      );
      // Trees and windows are rows of the hub, which may be ahead of the disk as well.
      await hub.hubSettled();
      return found(answer, instanceId);
    },

    async listCustomStatusRevisions({ instanceId }, { taskHub }) {
      checkInstanceId(instanceId, "instance_id");
      const hub = hubs.get(taskHub);
      const answer = await hub.read(instanceId, (state) => revisionsAnswer(state, hub.now()));
      return found(answer, instanceId);
    },
  };
}

function customStatusAnswer(
  state: InstanceState,
  afterRevision: bigint | undefined,
  hub: TaskHub,
): MessageInitShape<typeof GetCustomStatusResponseSchema> {
  const revision = state.customStatus?.revision ?? 0n;
  // An id that was purged and used again counts from 1: an unknown revision is not the newest.
  const notChanged = revision !== 0n && afterRevision === revision;
  return {
    notChanged,
    revision,
    status: instanceStatusOf(state),
    holds: holdsView(state, hub.holdsOn(state), hub),
    ...present("customStatus", notChanged ? undefined : customStatusView(state, hub.now())),
  };
}

function revisionsAnswer(
  { customStatus, customStatusHistory }: InstanceState,
  now: Timestamp,
): MessageInitShape<typeof ListCustomStatusRevisionsResponseSchema> {
  const kept = customStatus === undefined ? [] : [...customStatusHistory, customStatus];
  return { revisions: kept.map((status) => revisionView(status, now)) };
}
