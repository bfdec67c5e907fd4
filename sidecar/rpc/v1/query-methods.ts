/** Finding and counting instances, and listing what is suspended. */
import { clone, create } from "@bufbuild/protobuf";
import type { InstanceState } from "../../engine/state.ts";
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { type Count, countInstances } from "../../scheduler/count.ts";
import { findByCreation, findByHold } from "../../scheduler/query.ts";
import { compileFilter } from "../../scheduler/query-filter.ts";
import type { HeldCursor } from "../../store/store.ts";
import type { HubHold } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import {
  Comparison,
  type Instance,
  InstanceFilterSchema,
  InstanceStatus,
} from "../../wire/gen/taskhub/v1/instance_pb.ts";
import {
  CountDimension,
  CountDimensionSchema,
  InstanceOrder,
  InstanceOrderSchema,
  type QueryInstancesRequest,
} from "../../wire/gen/taskhub/v1/query_pb.ts";
import { present } from "../../wire/history-event.ts";
import {
  canonicalText,
  hubIdentity,
  openInstance,
  pageTokens,
  sealInstance,
  type TokenPlace,
} from "../page-token.ts";
import type { ServiceImplementation } from "../service.ts";
import { instanceView } from "./instance-view.ts";
import { type ListedHub, suspensionPage } from "./suspension-page.ts";

/** A task hub as these methods see it. */
export interface QueryableHub extends ListedHub {
  /** Random text that identifies this creation of the hub; undefined while it does not exist. */
  readonly incarnation: string | undefined;
}

export interface QueryableHubs {
  get(taskHub: string): QueryableHub;
}

export function queryMethods(hubs: QueryableHubs): ServiceImplementation<typeof ClientService> {
  return {
    async queryInstances(request, { taskHub }) {
      const filter = compileFilter(request.filter ?? create(InstanceFilterSchema));
      const limit = pageSize(request.pageSize);
      const order = orderOf(request);
      const hub = hubs.get(taskHub);
      const tokens = pageTokens(hubIdentity(hub), "instances", String(order), filterText(request));
      const query = {
        filter,
        limit,
        view: (state: InstanceState, covering: readonly HubHold[]): Instance =>
          instanceView(state, covering, hub),
      };
      if (order === InstanceOrder.HELD_SINCE) {
        const place = tokens.open(request.pageToken);
        const page = await findByHold(hub, { ...query, after: place && heldPlace(place) });
        await hub.hubSettled();
        const nextPageToken = tokens.seal(page.next && heldTokenPlace(page.next));
        return { instances: page.found.map(({ item }) => item), nextPageToken };
      }
      const after = openInstance(tokens, request.pageToken);
      const page = await findByCreation(hub, { ...query, after });
      await hub.hubSettled();
      const nextPageToken = sealInstance(tokens, page.next);
      return { instances: page.found.map(({ item }) => item), nextPageToken };
    },

    async countInstances(request, { taskHub }) {
      const filter = compileFilter(request.filter ?? create(InstanceFilterSchema));
      const groupBy = dimensionsOf(request.groupBy);
      const hub = hubs.get(taskHub);
      const grouping = [...groupBy].sort().join();
      const tokens = pageTokens(hubIdentity(hub), "count", grouping, filterText(request));
      const after = openInstance(tokens, request.pageToken);
      const { counts, next } = await countInstances(hub, { filter, groupBy, after });
      await hub.hubSettled();
      return { counts: counts.map(countView), nextPageToken: sealInstance(tokens, next) };
    },

    async listSuspensions(request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const limit = pageSize(request.pageSize);
      const identity = hubIdentity(hub);
      const page = await suspensionPage({ hub, identity, limit }, request);
      await hub.hubSettled();
      return page;
    },
  };
}

/** @throws HubError "invalid-argument" */
function pageSize(requested: number): number {
  if (requested < 0) throw invalid("page_size is negative");
  return Math.min(requested || LIMITS.queryPageDefault, LIMITS.queryPageMax);
}

/** @throws HubError "invalid-argument" */
function orderOf({ order }: QueryInstancesRequest): InstanceOrder {
  if (InstanceOrderSchema.value[order] === undefined) throw invalid("order is unknown");
  return order === InstanceOrder.UNSPECIFIED ? InstanceOrder.CREATED : order;
}

/** @throws HubError "invalid-argument" */
function dimensionsOf(groupBy: readonly CountDimension[]): ReadonlySet<CountDimension> {
  for (const dimension of groupBy) {
    const isKnown = CountDimensionSchema.value[dimension] !== undefined;
    if (isKnown && dimension !== CountDimension.UNSPECIFIED) continue;
    throw invalid("group_by has an unknown dimension");
  }
  return new Set(groupBy);
}

/** The filter has been checked. */
function filterText({ filter = create(InstanceFilterSchema) }: FilteredRequest): string {
  const question = clone(InstanceFilterSchema, filter);
  for (const condition of question.customStatus) {
    // Nobody has looked at a value that is compared with nothing.
    if (condition.comparison <= Comparison.NOT_EXISTS) delete condition.value;
  }
  return canonicalText(InstanceFilterSchema, question);
}

type FilteredRequest = Pick<QueryInstancesRequest, "filter">;

function heldPlace({ time, number, text }: TokenPlace): HeldCursor {
  return { time, number, name: text };
}

function heldTokenPlace({ time, number, name }: HeldCursor): TokenPlace {
  return { time, number, text: name };
}

function countView({ count, status, name, version, holdName }: Count) {
  return {
    count,
    status: status ?? InstanceStatus.UNSPECIFIED,
    ...present("name", name),
    ...present("version", version),
    ...present("holdName", holdName),
  };
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
