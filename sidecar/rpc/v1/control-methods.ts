/** Events and termination, with idempotency keys and an error for what has finished. */
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import {
  RaiseEventResponseSchema,
  TerminateInstanceResponseSchema,
} from "../../wire/gen/taskhub/v1/control_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId, checkName, checkPayload } from "../validation.ts";
import { replyWith } from "./replies.ts";

export function controlMethods(hubs: TaskHubs): ServiceImplementation<typeof ClientService> {
  return {
    async raiseEvent({ instanceId, name, input, requestId }, { taskHub }) {
      checkInstanceId(instanceId, "instance_id");
      checkName("name", name);
      checkPayload("input", input);
      const reply = replyWith("RaiseEvent", requestId, RaiseEventResponseSchema, () => ({}));
      const command = { instanceId, name, input, ignoreFinished: false };
      return hubs.get(taskHub).instances.raiseEvent(command, reply);
    },

    async terminateInstance({ instanceId, output, recursive, requestId }, { taskHub }) {
      checkInstanceId(instanceId, "instance_id");
      checkPayload("output", output);
      const schema = TerminateInstanceResponseSchema;
      const reply = replyWith("TerminateInstance", requestId, schema, () => ({}));
      const command = { instanceId, output, recurse: recursive, ignoreFinished: false };
      return hubs.get(taskHub).instances.terminate(command, reply);
    },
  };
}
