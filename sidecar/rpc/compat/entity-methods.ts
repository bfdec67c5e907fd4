/** The client half of the compatible service for entities. @see PROTOCOL.md 6.9 */
import { create, toBinary } from "@bufbuild/protobuf";
import { EmptySchema, type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { formatEntityId, parseEntityId } from "../../foundation/entity-id.ts";
import { HubError } from "../../foundation/errors.ts";
import type { Ids } from "../../foundation/ids.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { EntityFacts } from "../../scheduler/entities.ts";
import { certainPage } from "../../scheduler/find-page.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import {
  type EntityMetadata,
  EntityMetadataSchema,
  type EntityQuery,
  EntityQuerySchema,
  type SignalEntityRequest,
  type TaskHubSidecarService,
  TraceContextSchema,
} from "../../wire/gen/orchestrator_service_pb.ts";
import { present } from "../../wire/history-event.ts";
import { compareTimestamps, isAfter } from "../../wire/timestamp.ts";
import { hubIdentity, pageTokens } from "../page-token.ts";
import type { ServiceImplementation } from "../service.ts";
import { replyWith } from "../v1/replies.ts";
import {
  checkInstanceId,
  checkMessage,
  checkName,
  checkPayload,
  checkText,
  checkTimestamp,
} from "../validation.ts";

export function entityMethods(
  hubs: TaskHubs,
  ids: Ids,
): ServiceImplementation<typeof TaskHubSidecarService> {
  return {
    async signalEntity(request, { taskHub }) {
      const command = signalCommand(request, ids);
      const reply = replyWith<void, typeof EmptySchema>(
        "SignalEntity",
        request.requestId,
        EmptySchema,
        () => ({}),
      );
      await hubs.get(taskHub).entities.signal(command, reply);
      return {};
    },

    async getEntity({ instanceId, includeState }, { taskHub }) {
      const id = checkEntityId(instanceId);
      const entity = await hubs
        .get(taskHub)
        .entities.read(id, (facts) =>
          facts.entity.text === undefined ? undefined : metadataOf(facts, includeState),
        );
      return entity === undefined ? { exists: false } : { exists: true, entity };
    },

    async queryEntities({ query = create(EntityQuerySchema) }, { taskHub, signal }) {
      const { includeState, includeTransient, continuationToken = "" } = query;
      const prefix = prefixOf(query);
      const isWanted = modifiedWithin(query);
      const hub = hubs.get(taskHub);
      const tokens = pageTokens(hubIdentity(hub), "entities", questionOf(query, prefix));
      const place = tokens.open(continuationToken);
      const view = (facts: EntityFacts) => {
        const isShown = facts.entity.text !== undefined || includeTransient;
        return isShown && isWanted(facts) ? metadataOf(facts, includeState) : undefined;
      };
      const after = place && { instanceId: place.text };
      const fits = roomFor(LIMITS.queryPageBytesMax);
      const page = await certainPage(pageSize(query.pageSize), (limit) =>
        hub.entities.query({ prefix, after, limit, view, fits, signal }),
      );
      const { next } = page;
      return {
        entities: page.found.map(({ item }) => item),
        ...present(
          "continuationToken",
          next && tokens.seal({ time: noTime, number: 0n, text: next.instanceId }),
        ),
      };
    },

    // All of it in one call and never a token: .NET goes on as long as there is one (trap T14).
    async cleanEntityStorage({ removeEmptyEntities, releaseOrphanedLocks }, { taskHub, signal }) {
      const { emptyRemoved, orphansReleased } = await hubs.get(taskHub).entities.clean({
        removesEmpty: removeEmptyEntities,
        releasesOrphans: releaseOrphanedLocks,
        signal,
      });
      return { emptyEntitiesRemoved: emptyRemoved, orphanedLocksReleased: orphansReleased };
    },
  };
}

function signalCommand(request: SignalEntityRequest, ids: Ids) {
  const { name, input, scheduledTime, requestId } = request;
  const instanceId = checkEntityId(request.instanceId);
  checkName("name", name);
  checkPayload("input", input);
  checkText("requestId", requestId, LIMITS.requestIdBytesMax);
  checkTimestamp("scheduledTime", scheduledTime);
  checkMessage("parentTraceContext", TraceContextSchema, request.parentTraceContext);
  return {
    instanceId,
    // .NET reads it as a GUID wherever it comes from.
    requestId: GUID.test(requestId) ? requestId : ids.next(),
    operation: name,
    input,
    scheduledAt: scheduledTime,
  };
}

/** Both spellings that .NET takes for one. */
const GUID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** The normal spelling of an entity id. @throws HubError "invalid-argument" */
function checkEntityId(text: string): string {
  checkInstanceId(text);
  const id = parseEntityId(text);
  if (id === undefined) {
    throw invalid(`instanceId ${JSON.stringify(text)} is not an entity id: @name@key`);
  }
  checkName("the entity name in instanceId", id.name);
  // In lower case it may have become longer.
  return checkInstanceId(formatEntityId(id));
}

function metadataOf(facts: EntityFacts, withState: boolean): EntityMetadata {
  const { state, entity, waiting } = facts;
  return create(EntityMetadataSchema, {
    instanceId: state.instanceId,
    lastModifiedTime: modifiedAtOf(facts),
    backlogQueueSize: waiting,
    // The instance, not the critical section (trap T27).
    ...present("lockedBy", entity.lock?.holder?.instanceId),
    ...(withState ? present("serializedState", entity.text) : {}),
  });
}

/** One that no batch was committed of yet has been there since its creation. */
function modifiedAtOf({ state, entity }: EntityFacts): Timestamp {
  return entity.modifiedAt ?? state.createdAt;
}

function modifiedWithin({ lastModifiedFrom: from, lastModifiedTo: to }: EntityQuery) {
  checkTimestamp("lastModifiedFrom", from);
  checkTimestamp("lastModifiedTo", to);
  return (facts: EntityFacts): boolean => {
    const modifiedAt = modifiedAtOf(facts);
    if (from !== undefined && compareTimestamps(modifiedAt, from) < 0) return false;
    return to === undefined || !isAfter(modifiedAt, to);
  };
}

/** As ids begin: clients leave the @ out, and write names as they like. */
function prefixOf({ instanceIdStartsWith = "" }: EntityQuery): string {
  checkText("instanceIdStartsWith", instanceIdStartsWith, LIMITS.instanceIdBytesMax);
  const text = instanceIdStartsWith.replace(/^@?/, "@");
  const keyAt = text.indexOf("@", 1);
  const nameEnd = keyAt === -1 ? text.length : keyAt;
  return text.slice(0, nameEnd).toLowerCase() + text.slice(nameEnd);
}

/** All that a page depends on, but for its place and its size. */
function questionOf(query: EntityQuery, prefix: string): string {
  const { lastModifiedFrom, lastModifiedTo, includeState, includeTransient } = query;
  const times = [lastModifiedFrom, lastModifiedTo].map(
    (time) => time && `${time.seconds}.${time.nanos}`,
  );
  return JSON.stringify([prefix, ...times, includeState, includeTransient]);
}

function pageSize(asked = 0): number {
  return Math.min(asked <= 0 ? LIMITS.queryPageDefault : asked, LIMITS.queryPageMax);
}

/** Places of this order have no time. */
const noTime = timestampFromMs(0);

/** Counts what a page takes, until there is no room. */
function roomFor(bytesMax: number): (entity: EntityMetadata) => boolean {
  let bytes = 0;
  return (entity) => {
    bytes += toBinary(EntityMetadataSchema, entity).length;
    return bytes <= bytesMax;
  };
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
