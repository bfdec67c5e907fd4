import { create } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import {
  type TaskFailureDetails,
  TaskFailureDetailsSchema,
} from "./gen/orchestrator_service_pb.ts";

/**
 * A failure that the sidecar reports and that may be over next time: SDK retry policies apply to
 * it.
 */
export function failureDetails(errorType: string, errorMessage: string): TaskFailureDetails {
  return create(TaskFailureDetailsSchema, { errorType, errorMessage });
}

/** A failure that the same work would meet again: SDK retry policies give up on it. */
export function permanentFailure(errorType: string, errorMessage: string): TaskFailureDetails {
  return create(TaskFailureDetailsSchema, { errorType, errorMessage, isNonRetriable: true });
}

/** Inner failures, and levels of a property, that are kept. */
const depthMax = 32;

/**
 * A failure that can be read wherever it is carried. Decoders stop at a depth of about 100, and a
 * history nests a failure deeper than the answer that brought it: one that a worker could send and
 * nobody could read again would stop its instance for ever.
 */
export function readableFailure(details: TaskFailureDetails): TaskFailureDetails {
  if (!isTooDeep(details, depthMax)) return details;
  return cutAt(details, depthMax);
}

function isTooDeep(details: TaskFailureDetails, levels: number): boolean {
  if (levels === 0) return true;
  if (Object.values(details.properties).some((value) => isDeepValue(value, depthMax))) return true;
  return details.innerFailure !== undefined && isTooDeep(details.innerFailure, levels - 1);
}

function cutAt(details: TaskFailureDetails, levels: number): TaskFailureDetails {
  const { innerFailure, properties, ...rest } = details;
  const kept = Object.entries(properties).filter(([, value]) => !isDeepValue(value, depthMax));
  const cut: TaskFailureDetails = { ...rest, properties: Object.fromEntries(kept) };
  if (innerFailure !== undefined && levels > 1) cut.innerFailure = cutAt(innerFailure, levels - 1);
  return cut;
}

function isDeepValue({ kind }: Value, levels: number): boolean {
  if (levels === 0) return true;
  switch (kind.case) {
    case "listValue":
      return kind.value.values.some((value) => isDeepValue(value, levels - 1));
    case "structValue":
      return Object.values(kind.value.fields).some((value) => isDeepValue(value, levels - 1));
    default:
      return false;
  }
}
