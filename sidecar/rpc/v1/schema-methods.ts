/** Contracts of custom statuses. */
import { create } from "@bufbuild/protobuf";
import { HubError } from "../../foundation/errors.ts";
import { compileSchema } from "../../foundation/json-schema.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { StatusSchema } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import {
  type CustomStatusSchema,
  CustomStatusSchemaSchema,
  DeleteCustomStatusSchemaResponseSchema,
  PutCustomStatusSchemaResponseSchema,
  SchemaMode,
} from "../../wire/gen/taskhub/v1/custom_status_pb.ts";
import { present } from "../../wire/history-event.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkName } from "../validation.ts";
import { invalid } from "./hold-requests.ts";
import { replyWith } from "./replies.ts";

export function schemaMethods(hubs: TaskHubs): ServiceImplementation<typeof ClientService> {
  return {
    async putCustomStatusSchema({ name, schema, mode, requestId }, { taskHub }) {
      checkName("name", name);
      compileSchema(schema);
      const command = { name, schema, warnOnly: isWarnOnly(mode) };
      const answer = (put: StatusSchema) => ({ schema: schemaView(put) });
      const type = PutCustomStatusSchemaResponseSchema;
      const reply = replyWith("PutCustomStatusSchema", requestId, type, answer);
      return hubs.get(taskHub).schemas.put(command, reply);
    },

    async getCustomStatusSchema({ name }, { taskHub }) {
      const hub = hubs.get(taskHub);
      checkName("name", name);
      const schema = hub.state?.schemas.get(name);
      await hub.hubSettled();
      if (schema === undefined) {
        const quoted = JSON.stringify(name);
        throw new HubError("instance-not-found", `orchestration ${quoted} has no schema`);
      }
      return { schema: schemaView(schema) };
    },

    async listCustomStatusSchemas(_request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const schemas = [...(hub.state?.schemas.values() ?? [])];
      await hub.hubSettled();
      schemas.sort((left, right) => (left.name < right.name ? -1 : 1));
      return { schemas: schemas.map(schemaView) };
    },

    async deleteCustomStatusSchema({ name, requestId }, { taskHub }) {
      checkName("name", name);
      const answer = (deleted: boolean) => ({ deleted });
      const type = DeleteCustomStatusSchemaResponseSchema;
      const reply = replyWith("DeleteCustomStatusSchema", requestId, type, answer);
      return hubs.get(taskHub).schemas.delete(name, reply);
    },
  };
}

function isWarnOnly(mode: SchemaMode): boolean {
  switch (mode) {
    case SchemaMode.UNSPECIFIED:
    case SchemaMode.REJECT:
      return false;
    case SchemaMode.WARN:
      return true;
    default:
      throw invalid(`mode ${mode} does not exist`);
  }
}

function schemaView({ name, schema, warnOnly, updatedAt }: StatusSchema): CustomStatusSchema {
  const mode = warnOnly ? SchemaMode.WARN : SchemaMode.REJECT;
  return create(CustomStatusSchemaSchema, {
    name,
    schema,
    mode,
    ...present("updatedAt", updatedAt),
  });
}
