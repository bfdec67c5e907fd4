/** In what form a worker gets a turn: with its history, or without it, or not at all. */
import type { InstanceState } from "../engine/state.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Head } from "./head.ts";
import { fitsWorker, turnSize } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

export type TurnForm =
  /** `takenBytesMax`: what all events that it takes may have together. */
  | { readonly kind: "whole" | "streamed"; readonly takenBytesMax: number }
  /** It is to have its history, which has to be read first. */
  | { readonly kind: "not-loaded" }
  /** It cannot be sent to this worker. */
  | { readonly kind: "too-large"; readonly bytes: number; readonly bytesMax: number };

export function turnFormFor(
  { historyFrom, turnsResent }: Pick<Head, "historyFrom" | "turnsResent">,
  state: InstanceState,
  stream: Pick<WorkerStream, "messageBytesMax" | "streamsHistory">,
): TurnForm {
  const { bytes, withoutHistory } = turnSize(state);
  const { messageBytesMax: bytesMax } = stream;
  const fits = fitsWorker(stream, bytes);
  const isLong = state.historyBytes > LIMITS.streamedHistoryBytes;
  // A worker that asks for the history has not fetched it, so it gets it, if that can be.
  const isStreamed = stream.streamsHistory && (!fits || (isLong && turnsResent === 0));
  if (!isStreamed) {
    if (!fits) return { kind: "too-large", bytes, bytesMax };
    if (historyFrom !== 0) return { kind: "not-loaded" };
    return { kind: "whole", takenBytesMax: takenBytesMax(state, bytesMax - bytes) };
  }
  const isAskedTooOften = !fits && turnsResent >= LIMITS.turnsResentMax;
  if (isAskedTooOften) return { kind: "too-large", bytes, bytesMax };
  if (!fitsWorker(stream, withoutHistory)) {
    return { kind: "too-large", bytes: withoutHistory, bytesMax };
  }
  return { kind: "streamed", takenBytesMax: takenBytesMax(state, bytesMax - withoutHistory) };
}

/** @param room that a turn with one event leaves */
function takenBytesMax({ inbox }: InstanceState, room: number): number {
  const forMore = Math.max(0, room - LIMITS.turnEventsMax * fieldBytesMax);
  return Math.min(LIMITS.turnEventBytesMax, (inbox[0]?.event.length ?? 0) + forMore);
}

/** Tag and length of an event. */
const fieldBytesMax = 6;
