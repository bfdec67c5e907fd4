/**
 * Continue-as-new starts a generation: its base copies in everything still needed, so that nothing
 * refers to the old one, whose log becomes garbage in the same commit.
 *
 * @see PROTOCOL.md 4.11
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import type {
  CompleteOrchestrationAction,
  HistoryEvent,
} from "../../wire/gen/orchestrator_service_pb.ts";
import {
  type Activity,
  MarkerSchema,
  Status,
  type StoredEvent,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  copyEvent,
  EventKind,
  executionStarted,
  present,
  storeEvent,
} from "../../wire/history-event.ts";
import { isTime } from "../../wire/timestamp.ts";
import { type Decision, newEntry } from "../decision.ts";
import { leaveAll } from "../entity/leave.ts";
import { startedEventOf } from "../started-event.ts";
import { type InstanceState, newState } from "../state.ts";
import { toStoredState } from "../stored-state.ts";
import type { ActionScope } from "./actions.ts";

/** `scope.entry` holds what the other actions of the turn did; the base takes it over. */
export function continueAsNew(
  scope: ActionScope,
  completion: CompleteOrchestrationAction,
  consumed: number,
): Decision {
  const { state, environment } = scope;
  const executionId = environment.ids.next();
  const version = completion.newVersion ?? state.version;
  const tags = { ...state.tags, ...completion.tags };
  const old = startedEventOf(state);
  const started = executionStarted(environment.now, {
    name: state.name,
    tags,
    orchestrationInstance: { instanceId: state.instanceId, executionId },
    ...present("version", version),
    ...present("input", completion.result),
    ...present("parentInstance", old.parentInstance),
    ...present("parentTraceContext", old.parentTraceContext),
  });
  const inbox = [
    started,
    ...completion.carryoverEvents
      .filter((event) => event.eventType.case === "eventRaised")
      .map((event) => carriedOver(event, environment.now)),
    ...scope.toSelf,
    // Only external events belong to the instance; results are tied to the generation that asked
    // (trap T7).
    ...state.inbox
      .slice(consumed)
      .filter((event) => event.kind === EventKind.eventRaised)
      .map(copyEvent),
  ];
  leaveAll(state, scope.entry);
  const entry = newEntry(environment);
  entry.base = toStoredState(nextGeneration(scope, { executionId, version, tags, inbox }));
  const { mailSent, customStatus, customStatusForgotten, customStatusOverflow } = scope.entry;
  entry.mailSent = mailSent;
  // Applied on top of the base, so that a change is said in one place, whatever entry makes it.
  entry.customStatusForgotten = customStatusForgotten;
  if (customStatus !== undefined) entry.customStatus = customStatus;
  if (customStatusOverflow !== undefined) entry.customStatusOverflow = customStatusOverflow;
  return { kind: "append", entry };
}

function nextGeneration(
  scope: ActionScope,
  changed: Pick<InstanceState, "executionId" | "version" | "tags" | "inbox">,
): InstanceState {
  const { state, entry, environment } = scope;
  const activities = [...state.activities.values(), ...entry.activitiesAdded].map((activity) =>
    fireAndForget(activity, activity.scheduled ?? entry.history[activity.historyIndex]),
  );
  return newState({
    kind: state.kind,
    instanceId: state.instanceId,
    name: state.name,
    parent: state.parent,
    ancestors: state.ancestors,
    status: Status.RUNNING,
    createdAt: state.createdAt,
    updatedAt: environment.now,
    generation: state.generation + 1,
    customStatus: state.customStatus,
    customStatusHistory: [...state.customStatusHistory],
    customStatusOverflow: state.customStatusOverflow,
    holds: state.holds,
    heldSince: state.heldSince,
    frozenSince: state.frozenSince,
    pendingTerminate: state.pendingTerminate ?? entry.pendingTerminate,
    markers: state.markers.map(({ event }) => {
      assert(event !== undefined, "a marker has its event");
      return create(MarkerSchema, { event: copyEvent(event), behindExecutionStarted: true });
    }),
    activities: new Map(activities.map((activity) => [activity.id, activity])),
    outbox: state.outbox,
    nextMailNumber: state.nextMailNumber,
    senderMarks: state.senderMarks,
    nextWorkId: activities.reduce(
      (next, { id }) => (id >= next ? id + 1n : next),
      state.nextWorkId,
    ),
    turnClock: entry.turn?.clock,
    rememberedRequests: state.rememberedRequests,
    startFingerprint: state.startFingerprint,
    ...changed,
  });
}

/** Activities of an earlier generation still run; nobody waits for their results. */
function fireAndForget(activity: Activity, scheduled: StoredEvent | undefined): Activity {
  assert(scheduled !== undefined, "an activity has its TaskScheduled event");
  return { ...activity, scheduled: copyEvent(scheduled), historyIndex: 0, detached: true };
}

/**
 * Some SDKs leave the time out; every event must have one (trap T11), and no event id of an action
 * (trap T1).
 */
function carriedOver(event: HistoryEvent, now: Timestamp): StoredEvent {
  const { timestamp = now } = event;
  return storeEvent({ ...event, eventId: -1, timestamp: isTime(timestamp) ? timestamp : now });
}
