import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { Imported } from "../../scheduler/imports.ts";
import { AdminService } from "../../wire/gen/taskhub/v1/admin_service_pb.ts";
import { mountService, type ServiceMount } from "../service.ts";

/** What these methods need of the task hubs. */
export interface MovableHubs {
  readonly exports: {
    export(name: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  };
  readonly imports: {
    begin(name: string): Promise<string>;
    add(name: string, id: string, partNumber: bigint, data: Uint8Array): Promise<void>;
    finish(name: string, id: string): Promise<Imported>;
    abort(name: string, id: string): Promise<void>;
  };
}

/** The service of administrators: a whole task hub into a file, and back. */
export function adminService({ exports, imports }: MovableHubs): ServiceMount {
  return mountService(AdminService, {
    async *exportTaskHub(_request, { taskHub, signal }) {
      for await (const data of exports.export(taskHub, signal)) yield { data };
    },

    async beginImport(_request, { taskHub }) {
      return { importId: await imports.begin(taskHub) };
    },

    async importRecords({ importId, partNumber, data }, { taskHub }) {
      if (partNumber === 0n) throw new HubError("invalid-argument", "part_number is 0");
      const max = LIMITS.backupPartBytesMax;
      if (data.length > max)
        throw new HubError("limit-exceeded", `data is larger than ${max} bytes`);
      await imports.add(taskHub, importId, partNumber, data);
      return {};
    },

    async finishImport({ importId }, { taskHub }) {
      const { instances, entries, incarnation, hold } = await imports.finish(taskHub, importId);
      return { instances: BigInt(instances), entries: BigInt(entries), incarnation, hold };
    },

    async abortImport({ importId }, { taskHub }) {
      await imports.abort(taskHub, importId);
      return {};
    },
  });
}
