/** The state as bases and snapshots store it, and back. */
import { create } from "@bufbuild/protobuf";
import { assert } from "../foundation/assert.ts";
import {
  InstanceStateSchema,
  SenderMarkSchema,
  type InstanceState as StoredState,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, present } from "../wire/history-event.ts";
import { fromStoredEntity, toStoredEntity } from "./entity/entity-state.ts";
import { type InstanceState, newState } from "./state.ts";

export function toStoredState(state: InstanceState): StoredState {
  return create(InstanceStateSchema, {
    kind: state.kind,
    instanceId: state.instanceId,
    name: state.name,
    tags: state.tags,
    ancestors: state.ancestors,
    status: state.status,
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    startPending: state.startPending,
    generation: state.generation,
    executionId: state.executionId,
    customStatusHistory: state.customStatusHistory,
    holds: state.holds,
    inbox: state.inbox,
    turnWanted: state.turnWanted,
    markers: state.markers,
    activities: [...state.activities.values()],
    timers: [...state.timers.values()],
    children: [...state.children.values()],
    entityCalls: [...state.entityCalls.values()],
    lockRequests: [...state.lockRequests.values()],
    outbox: state.outbox,
    nextMailNumber: state.nextMailNumber,
    senderMarks: Array.from(state.senderMarks, ([sender, number]) =>
      create(SenderMarkSchema, { sender, number }),
    ),
    nextWorkId: state.nextWorkId,
    rememberedRequests: state.rememberedRequests,
    turnDeliveries: state.turnDeliveries,
    historyEvents: state.historyEvents,
    historyBytes: BigInt(state.historyBytes),
    ...present("version", state.version),
    ...present("parent", state.parent),
    ...present("completedAt", state.completedAt),
    ...present("scheduledStartAt", state.scheduledStartAt),
    ...present("customStatus", state.customStatus),
    ...present("customStatusOverflow", state.customStatusOverflow),
    ...present("heldSince", state.heldSince),
    ...present("frozenSince", state.frozenSince),
    ...present("pendingTerminate", state.pendingTerminate),
    ...present("started", state.started),
    ...present("completed", state.completed),
    ...present("turnClock", state.turnClock),
    ...present("traceContext", state.traceContext),
    ...present("startFingerprint", state.startFingerprint),
    ...present("entity", state.entity && toStoredEntity(state.entity)),
  });
}

/** The parts are shared with `stored`, not copied: its owner must not use it any further. */
export function fromStoredState(
  stored: StoredState,
  number: bigint,
  sequence: number,
): InstanceState {
  assert(stored.createdAt !== undefined, "a stored state has a creation time");
  assert(stored.updatedAt !== undefined, "a stored state has an update time");
  const activities = stored.activities.filter((activity) => !activity.detached);
  const external = stored.inbox.filter(({ kind }) => kind === EventKind.eventRaised);
  return newState({
    number,
    sequence,
    kind: stored.kind,
    instanceId: stored.instanceId,
    name: stored.name,
    version: stored.version,
    tags: stored.tags,
    parent: stored.parent,
    ancestors: stored.ancestors,
    status: stored.status,
    createdAt: stored.createdAt,
    updatedAt: stored.updatedAt,
    completedAt: stored.completedAt,
    scheduledStartAt: stored.scheduledStartAt,
    startPending: stored.startPending,
    generation: stored.generation,
    executionId: stored.executionId,
    customStatus: stored.customStatus,
    customStatusHistory: stored.customStatusHistory,
    customStatusOverflow: stored.customStatusOverflow,
    holds: stored.holds,
    // The first version of this format did not say it.
    heldSince: stored.heldSince ?? stored.holds[0]?.placedAt,
    frozenSince: stored.frozenSince,
    pendingTerminate: stored.pendingTerminate,
    inbox: stored.inbox,
    turnWanted: stored.turnWanted,
    bufferedEvents: external.length,
    // In a snapshot a large event is a reference, which knows its length.
    bufferedBytes: external.reduce((sum, { event, length }) => sum + (length || event.length), 0),
    markers: stored.markers,
    started: stored.started,
    completed: stored.completed,
    activities: new Map(stored.activities.map((activity) => [activity.id, activity])),
    awaitedActivities: new Map(activities.map((activity) => [activity.taskId, activity.id])),
    timers: new Map(stored.timers.map((timer) => [timer.id, timer])),
    children: new Map(stored.children.map((child) => [child.id, child])),
    awaitedChildren: new Map(
      stored.children
        .filter((child) => !child.detached)
        .map((child) => [child.taskScheduledId, child.id]),
    ),
    entityCalls: new Map(stored.entityCalls.map((call) => [call.id, call])),
    lockRequests: new Map(stored.lockRequests.map((request) => [request.id, request])),
    entity: stored.entity && fromStoredEntity(stored.entity),
    outbox: stored.outbox,
    nextMailNumber: stored.nextMailNumber,
    senderMarks: new Map(stored.senderMarks.map((mark) => [mark.sender, mark.number])),
    nextWorkId: stored.nextWorkId,
    turnClock: stored.turnClock,
    traceContext: stored.traceContext,
    rememberedRequests: stored.rememberedRequests,
    startFingerprint: stored.startFingerprint,
    turnDeliveries: stored.turnDeliveries,
    historyEvents: stored.historyEvents,
    historyBytes: Number(stored.historyBytes),
  });
}
