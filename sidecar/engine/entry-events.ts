import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  EntityItem,
  StoredEvent,
  InstanceState as StoredState,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";

/**
 * All events whose bytes an entry carries and that a state may still need later, in one fixed
 * order: the position here is the second half of a reference (sequence, index) in a snapshot. The
 * order is part of the stored format.
 */
export function eventsOf(entry: Entry): readonly StoredEvent[] {
  // No spread into `push`: an entry may have more events than a call may have arguments.
  const { base, turn, inboxAdded, history, markersAdded, mailSent, entity } = entry;
  return [
    ...(base === undefined ? [] : eventsOfState(base)),
    ...(turn?.started === undefined ? [] : [turn.started]),
    ...inboxAdded,
    ...history,
    ...markersAdded.flatMap(({ event }) => event ?? []),
    ...mailSent.flatMap((mail) => eventsOfMail(mail.body)),
    ...eventsOfStep(entity),
  ];
}

/** All events that a stored state carries or refers to, in one fixed order. */
export function eventsOfState(state: StoredState): readonly StoredEvent[] {
  return [
    ...state.inbox,
    ...state.markers.flatMap(({ event }) => event ?? []),
    ...(state.started === undefined ? [] : [state.started]),
    ...(state.completed === undefined ? [] : [state.completed]),
    ...state.activities.flatMap(({ scheduled }) => scheduled ?? []),
    ...state.outbox.flatMap((mail) => eventsOfMail(mail.body)),
    ...eventsOfEntity(state.entity),
  ];
}

function eventsOfEntity(entity: StoredState["entity"]): readonly StoredEvent[] {
  if (entity === undefined) return [];
  return [
    ...entity.queue.flatMap(eventsOfItem),
    ...entity.scheduled.flatMap(({ operation }) => operation?.event ?? []),
  ];
}

function eventsOfStep(step: Entry["entity"]): readonly StoredEvent[] {
  if (step === undefined) return [];
  return [
    ...step.inserted.flatMap(eventsOfItem),
    ...step.queued.flatMap(eventsOfItem),
    ...step.scheduled.flatMap(({ operation }) => operation?.event ?? []),
  ];
}

function eventsOfItem({ item }: EntityItem): readonly StoredEvent[] {
  return item.case === "operation" && item.value.event !== undefined ? [item.value.event] : [];
}

function eventsOfMail(body: StoredState["outbox"][number]["body"]): readonly StoredEvent[] {
  switch (body.case) {
    case "startChild":
    case "rewindChild":
      return body.value.started === undefined ? [] : [body.value.started];
    case "childResult":
    case "raisedEvent":
    case "entityAnswer":
      return body.value.event === undefined ? [] : [body.value.event];
    case "entityOperation":
      return body.value.operation?.event === undefined ? [] : [body.value.operation.event];
    default:
      return [];
  }
}
