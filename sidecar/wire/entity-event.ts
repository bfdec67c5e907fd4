/** Events of entity traffic, as histories show them and as they travel. See history-event.ts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  EntityOperationCalledEventSchema,
  EntityOperationSignaledEventSchema,
  SendEntityMessageAction,
  TaskFailureDetails,
} from "./gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "./gen/taskhub/internal/v1/state_pb.ts";
import { event, notFromAnAction, present } from "./history-event.ts";

type SentMessage = Exclude<SendEntityMessageAction["EntityMessageType"], { case: undefined }>;

/** What the history says of a message to an entity: the same as the action. */
export function entitySent(actionId: number, now: Timestamp, message: SentMessage): StoredEvent {
  return event(actionId, now, message);
}

export function entityOperationSignaled(
  now: Timestamp,
  value: MessageInitShape<typeof EntityOperationSignaledEventSchema>,
): StoredEvent {
  return event(notFromAnAction, now, { case: "entityOperationSignaled", value });
}

export function entityOperationCalled(
  now: Timestamp,
  value: MessageInitShape<typeof EntityOperationCalledEventSchema>,
): StoredEvent {
  return event(notFromAnAction, now, { case: "entityOperationCalled", value });
}

export function entityOperationCompleted(
  now: Timestamp,
  requestId: string,
  output: string | undefined,
): StoredEvent {
  const value = { requestId, ...present("output", output) };
  return event(notFromAnAction, now, { case: "entityOperationCompleted", value });
}

export function entityOperationFailed(
  now: Timestamp,
  requestId: string,
  failureDetails: TaskFailureDetails,
): StoredEvent {
  const value = { requestId, failureDetails };
  return event(notFromAnAction, now, { case: "entityOperationFailed", value });
}

export function entityLockGranted(now: Timestamp, criticalSectionId: string): StoredEvent {
  return event(notFromAnAction, now, { case: "entityLockGranted", value: { criticalSectionId } });
}
