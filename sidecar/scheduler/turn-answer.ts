import { toBinary } from "@bufbuild/protobuf";
import type { TurnAnswer } from "../engine/turn/complete.ts";
import { LIMITS } from "../foundation/limits.ts";
import {
  type OrchestrationTraceContext,
  OrchestrationTraceContextSchema,
  type OrchestratorResponse,
  OrchestratorResponseSchema,
} from "../wire/gen/orchestrator_service_pb.ts";
import { isTime } from "../wire/timestamp.ts";
import type { TurnLease } from "./leases.ts";

/**
 * Keeps one part of a chunked answer until the last one comes. Beyond what a turn may have nothing
 * is kept but the count: the answer fails the instance all the same, and memory stays bounded.
 */
export function keepPart(lease: TurnLease, part: OrchestratorResponse, index: number): void {
  const bytes = toBinary(OrchestratorResponseSchema, part).length;
  const known = lease.chunks.get(index);
  const others = lease.chunkBytes - (known?.bytes ?? 0);
  lease.chunkBytes = others + bytes;
  const isTooMuch = lease.chunkBytes > LIMITS.actionsPerTurnBytesMax;
  if (!isTooMuch) lease.chunks.set(index, { part, bytes });
}

/**
 * Joins the parts of a chunked answer: actions in chunk order, the trace context from the first,
 * the custom status from the last. An answer of one piece has no other parts.
 *
 * @see PROTOCOL.md 4.12
 */
export function joinAnswer(
  lease: TurnLease,
  last: OrchestratorResponse,
  lastIndex: number,
): TurnAnswer {
  const earlier = [...lease.chunks].filter(([index]) => index !== lastIndex);
  earlier.sort(([left], [right]) => left - right);
  const parts = [...earlier.map(([, { part }]) => part), last];
  const actions = parts.flatMap((part) => part.actions);
  const traceContext = parts.find(
    (part) => part.orchestrationTraceContext !== undefined,
  )?.orchestrationTraceContext;
  const { started, clock, taken } = lease.begun;
  return {
    started,
    clock,
    taken: taken.length,
    actions,
    chunkBytes: lease.chunkBytes,
    customStatus: last.customStatus,
    // Chunks after the first say 0 here; it means something only in an answer of one piece.
    eventsProcessed: parts.length > 1 || lastIndex > 0 ? undefined : last.numEventsProcessed,
    traceContext: traceContext && encodeTraceContext(traceContext),
  };
}

/** A start that is no time would make the next turn unreadable for SDKs that convert it. */
function encodeTraceContext(context: OrchestrationTraceContext): Uint8Array {
  const { spanStartTime, ...rest } = context;
  const isReadable = spanStartTime === undefined || isTime(spanStartTime);
  return toBinary(OrchestrationTraceContextSchema, isReadable ? context : rest);
}
