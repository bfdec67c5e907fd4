/**
 * Answers of entities in the older encoding: external events that are named by what was asked.
 *
 * @see PROTOCOL.md 6.8
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { TaskFailureDetails } from "../../wire/gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, eventRaised } from "../../wire/history-event.ts";

export function legacyCompleted(
  now: Timestamp,
  requestId: string,
  output: string | undefined,
): StoredEvent {
  return answerEvent(now, requestId, "entityOperationCompleted", { result: output ?? null });
}

export function legacyFailed(
  now: Timestamp,
  requestId: string,
  failure: TaskFailureDetails,
): StoredEvent {
  return answerEvent(now, requestId, "entityOperationFailed", {
    result: failure.errorMessage,
    exceptionType: failure.errorType,
    failureDetails: legacyFailure(failure),
  });
}

export function legacyLockGranted(now: Timestamp, criticalSectionId: string): StoredEvent {
  const answer = { result: "Lock Acquisition Completed" };
  return answerEvent(now, criticalSectionId, "entityLockGranted", answer);
}

/**
 * Its kind says what it is, not how it is written: an external event would go on to the next
 * generation, which did not ask (trap T7).
 */
function answerEvent(
  now: Timestamp,
  name: string,
  kind: keyof typeof EventKind,
  answer: object,
): StoredEvent {
  const event = eventRaised(now, guidText(name), JSON.stringify(answer));
  event.kind = EventKind[kind];
  return event;
}

interface LegacyFailure {
  readonly ErrorType: string;
  readonly ErrorMessage: string;
  readonly StackTrace: string | null;
  readonly InnerFailure: LegacyFailure | null;
  readonly IsNonRetriable: boolean;
}

function legacyFailure(failure: TaskFailureDetails): LegacyFailure {
  const { errorType, errorMessage, stackTrace, innerFailure, isNonRetriable } = failure;
  return {
    ErrorType: errorType,
    ErrorMessage: errorMessage,
    StackTrace: stackTrace ?? null,
    InnerFailure: innerFailure === undefined ? null : legacyFailure(innerFailure),
    IsNonRetriable: isNonRetriable,
  };
}

/** The form in which .NET names the event that it waits for. Other texts stay as they are. */
function guidText(id: string): string {
  const digits = id.replaceAll("-", "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) return id;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
