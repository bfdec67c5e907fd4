/**
 * Answers of entities in the older encoding: external events that are named by what was asked.
 *
 * @see PROTOCOL.md 6.8
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { TaskFailureDetails } from "../../wire/gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { eventRaised } from "../../wire/history-event.ts";

export function legacyCompleted(
  now: Timestamp,
  requestId: string,
  output: string | undefined,
): StoredEvent {
  return eventRaised(now, guidText(requestId), JSON.stringify({ result: output ?? null }));
}

export function legacyFailed(
  now: Timestamp,
  requestId: string,
  failure: TaskFailureDetails,
): StoredEvent {
  const answer = {
    result: failure.errorMessage,
    exceptionType: failure.errorType,
    failureDetails: legacyFailure(failure),
  };
  return eventRaised(now, guidText(requestId), JSON.stringify(answer));
}

export function legacyLockGranted(now: Timestamp, criticalSectionId: string): StoredEvent {
  const answer = { result: "Lock Acquisition Completed" };
  return eventRaised(now, guidText(criticalSectionId), JSON.stringify(answer));
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
