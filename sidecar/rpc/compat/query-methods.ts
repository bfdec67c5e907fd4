/** Finding orchestrations: by time of creation with what readers are shown, or by completion. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { certainPage, Work } from "../../scheduler/find-page.ts";
import { findByCreation, findFinished, type QueryHub } from "../../scheduler/query.ts";
import { type CompiledFilter, compileFilter } from "../../scheduler/query-filter.ts";
import {
  type InstanceQuery,
  InstanceQuerySchema,
  type OrchestrationState,
  OrchestrationStateSchema,
  OrchestrationStatus,
  OrchestrationStatusSchema,
  type TaskHubSidecarService,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { Status } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { InstanceFilterSchema, InstanceStatus } from "../../wire/gen/taskhub/v1/instance_pb.ts";
import { present } from "../../wire/history-event.ts";
import { addNanoseconds, isAfter } from "../../wire/timestamp.ts";
import { hubIdentity, openInstance, pageTokens, sealInstance } from "../page-token.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkText, checkTimestamp } from "../validation.ts";
import { orchestrationState } from "./orchestration-state.ts";

/** A task hub as these methods see it. */
export interface QueryableHub extends QueryHub {
  /** Random text that identifies this creation of the hub; undefined while it does not exist. */
  readonly incarnation: string | undefined;
}

/**
 * A page is full unless it is the last one or would be too large for a client, however many rows
 * have to be looked at for it; it has a token exactly if there is more (trap T14).
 */
export function queryMethods(hubs: {
  get(taskHub: string): QueryableHub;
}): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async queryInstances({ query = create(InstanceQuerySchema) }, { taskHub, signal }) {
      const { runtimeStatus, createdTimeFrom, createdTimeTo, instanceIdPrefix = "" } = query;
      const filter = filterOf(query);
      const hub = hubs.get(taskHub);
      const times = [textOf(createdTimeFrom), textOf(createdTimeTo)];
      const question = JSON.stringify([textOfStatuses(runtimeStatus), ...times, instanceIdPrefix]);
      const tokens = pageTokens(hubIdentity(hub), "compatible instances", question);
      const after = openInstance(tokens, query.continuationToken ?? "");
      const view = (state: Parameters<typeof orchestrationState>[0]) =>
        orchestrationState(state, query.fetchInputsAndOutputs);
      const bounds = { work: Work.until(signal), fits: roomFor(LIMITS.queryPageBytesMax) };
      const page = await certainPage(pageSize(query.maxInstanceCount), (limit) =>
        findByCreation<OrchestrationState>(hub, { filter, view, after, limit }, bounds),
      );
      await hub.hubSettled();
      return {
        orchestrationState: page.found.map(({ item }) => item),
        ...present("continuationToken", page.next && sealInstance(tokens, page.next)),
      };
    },

    async listInstanceIds(request, { taskHub, signal }) {
      const { runtimeStatus, completedTimeFrom: from, completedTimeTo: to } = request;
      checkStatuses(runtimeStatus);
      checkTimestamp("completedTimeFrom", from);
      checkTimestamp("completedTimeTo", to);
      const hub = hubs.get(taskHub);
      const question = JSON.stringify([textOfStatuses(runtimeStatus), textOf(from), textOf(to)]);
      const tokens = pageTokens(hubIdentity(hub), "finished ids", question);
      const wanted = {
        statuses: new Set(runtimeStatus.length === 0 ? ENDED.values() : endedAmong(runtimeStatus)),
        completed: { from, to: to && behind(to) },
        after: openInstance(tokens, request.lastInstanceKey ?? ""),
        work: Work.until(signal),
      };
      const page = await certainPage(pageSize(request.pageSize), (limit) =>
        findFinished(hub, { ...wanted, limit }),
      );
      await hub.hubSettled();
      return {
        instanceIds: page.found.map(({ item }) => item),
        ...present("lastInstanceKey", page.next && sealInstance(tokens, page.next)),
      };
    },
  };
}

/** A filter with the meaning of the query. @throws HubError "invalid-argument" */
function filterOf(query: InstanceQuery): CompiledFilter {
  const { runtimeStatus, createdTimeFrom, createdTimeTo, instanceIdPrefix = "" } = query;
  checkStatuses(runtimeStatus);
  checkTimestamp("createdTimeFrom", createdTimeFrom);
  checkTimestamp("createdTimeTo", createdTimeTo);
  checkText("instanceIdPrefix", instanceIdPrefix, LIMITS.instanceIdBytesMax);
  const statuses = runtimeStatus.flatMap((status) => SHOWN.get(status) ?? []);
  const filter = create(InstanceFilterSchema, {
    statuses,
    instanceIdPrefix,
    ...present("createdFrom", createdTimeFrom),
    ...present("createdTo", createdTimeTo && behind(createdTimeTo)),
  });
  const compiled = compileFilter(filter);
  const canMatch = runtimeStatus.length === 0 || statuses.length > 0;
  return canMatch ? compiled : { ...compiled, classes: [] };
}

/** Statuses that an instance can be shown in: CONTINUED_AS_NEW is none of them. */
const SHOWN: ReadonlyMap<OrchestrationStatus, InstanceStatus> = new Map([
  [OrchestrationStatus.PENDING, InstanceStatus.PENDING],
  [OrchestrationStatus.RUNNING, InstanceStatus.RUNNING],
  [OrchestrationStatus.SUSPENDED, InstanceStatus.SUSPENDED],
  [OrchestrationStatus.COMPLETED, InstanceStatus.COMPLETED],
  [OrchestrationStatus.FAILED, InstanceStatus.FAILED],
  [OrchestrationStatus.TERMINATED, InstanceStatus.TERMINATED],
  [OrchestrationStatus.CANCELED, InstanceStatus.CANCELED],
]);

/** Statuses in which an instance can have ended. */
const ENDED: ReadonlyMap<OrchestrationStatus, Status> = new Map([
  [OrchestrationStatus.COMPLETED, Status.COMPLETED],
  [OrchestrationStatus.FAILED, Status.FAILED],
  [OrchestrationStatus.TERMINATED, Status.TERMINATED],
  [OrchestrationStatus.CANCELED, Status.CANCELED],
]);

function endedAmong(statuses: readonly OrchestrationStatus[]): Status[] {
  return statuses.flatMap((status) => ENDED.get(status) ?? []);
}

/** @throws HubError "invalid-argument" */
export function checkStatuses(statuses: readonly OrchestrationStatus[]): void {
  const max = LIMITS.selectorValuesMax;
  if (statuses.length > max) {
    throw invalid(`runtimeStatus has ${statuses.length} elements; the limit is ${max}`);
  }
  for (const status of statuses) {
    if (OrchestrationStatusSchema.value[status] === undefined) {
      throw invalid("runtimeStatus has an unknown status");
    }
  }
}

/** Bounds of the protocol are inclusive, ours are not. Undefined: everything is before it. */
function behind(time: Timestamp): Timestamp | undefined {
  const next = addNanoseconds(time, 1n);
  return isAfter(next, time) ? next : undefined;
}

/** 0 and less mean "as usual". */
function pageSize(requested: number): number {
  return requested <= 0 ? LIMITS.queryPageDefault : Math.min(requested, LIMITS.queryPageMax);
}

/** Whether one more still belongs to a page of so many bytes. */
function roomFor(bytesMax: number): (state: OrchestrationState) => boolean {
  let left = bytesMax;
  return (state) => {
    left -= toBinary(OrchestrationStateSchema, state).byteLength;
    return left >= 0;
  };
}

/** The same for the same set, in whatever order and however often they were given. */
function textOfStatuses(statuses: readonly OrchestrationStatus[]): string {
  return [...new Set(statuses)].sort((left, right) => left - right).join();
}

function textOf(time: Timestamp | undefined): string {
  return time === undefined ? "" : `${time.seconds}.${time.nanos}`;
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
