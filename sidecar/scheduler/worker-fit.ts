/**
 * What fits into one message to a worker. Most SDKs keep gRPC's limit for what they receive, and a
 * larger message ends their stream, again and again (trap T34).
 */
import type { InstanceState } from "../engine/state.ts";
import { LIMITS } from "../foundation/limits.ts";
import { eventFieldBytes, eventFieldsBytes } from "../wire/work-item-bytes.ts";
import type { WorkerSoftware } from "./work-filter.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** What a work item takes in one message, in bytes: never less than it turns out to be. */
export interface MessageSize {
  readonly bytes: number;
  /** Without the history, of a turn: a worker that streams histories needs no more. */
  readonly withoutHistory?: number;
}

type Worker = Pick<WorkerStream, "messageBytesMax" | "streamsHistory">;

/** The largest message that a worker takes, by what its connection says of its software. */
export function messageBytesMaxOf({ library, userAgent }: WorkerSoftware): number {
  // The JavaScript SDK sets no limit; all others leave gRPC's (PROTOCOL.md 9.1).
  const isJavaScript = /(^|\s)grpc-node-js\//.test(`${library} ${userAgent}`);
  return isJavaScript ? LIMITS.largeWorkItemBytesMax : LIMITS.workItemBytesMax;
}

/** Whether one message of so many bytes can be sent to the worker. */
export function fitsWorker(worker: Pick<Worker, "messageBytesMax">, bytes: number): boolean {
  return bytes <= worker.messageBytesMax;
}

/** Whether the worker can be sent the item, with its history or without. */
export function suitsWorker(worker: Worker, { bytes, withoutHistory }: MessageSize): boolean {
  if (fitsWorker(worker, bytes)) return true;
  return (
    worker.streamsHistory && withoutHistory !== undefined && fitsWorker(worker, withoutHistory)
  );
}

/** Items of one class suit the same workers. That most items are of is the empty text. */
export function sizeClassOf({ bytes, withoutHistory = bytes }: MessageSize): string {
  if (bytes <= LIMITS.workItemBytesMax) return "";
  return [bytes, withoutHistory].map(limitClassOf).join();
}

/** What the next turn takes, with the first event that waits: it can be handed out with fewer than all. */
export function turnSize({
  inbox,
  instanceId,
  traceContext,
  historyEvents,
  historyBytes,
}: InstanceState): Required<MessageSize> {
  const texts = Buffer.byteLength(instanceId) + (traceContext?.length ?? 0);
  const withoutHistory = envelopeBytes + texts + eventFieldBytes(inbox[0]?.event.length ?? 0);
  return {
    withoutHistory,
    bytes: withoutHistory + eventFieldsBytes(historyEvents, historyBytes),
  };
}

/** What an activity takes that was scheduled by an event of so many bytes. */
export function activitySize(instanceId: string, scheduledBytes: number): MessageSize {
  return { bytes: envelopeBytes + Buffer.byteLength(instanceId) + scheduledBytes };
}

/** Token, execution id, OrchestratorStarted, tags and lengths of the fields around the events. */
const envelopeBytes = 4 * 1024;

function limitClassOf(bytes: number): 0 | 1 | 2 {
  if (bytes <= LIMITS.workItemBytesMax) return 0;
  return bytes <= LIMITS.largeWorkItemBytesMax ? 1 : 2;
}
