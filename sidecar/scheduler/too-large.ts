/** What happens with work that no worker can be sent. */
import { decideActivityResult } from "../engine/activity.ts";
import type { InstanceState } from "../engine/state.ts";
import { decideTooLarge, type TooLargeTurn } from "../engine/turn/too-large.ts";
import { permanentFailure } from "../wire/failure-details.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { DeskContext } from "./desk-context.ts";
import type { Head } from "./head.ts";
import type { ReadyItem } from "./ready-queue.ts";
import { suitsWorker, turnSize } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** The turn was small enough for the stream when it was queued, and is no more. */
export function hasGrown(
  { size }: Pick<ReadyItem, "size">,
  state: InstanceState,
  stream: WorkerStream,
): boolean {
  const suited = size === undefined || suitsWorker(stream, size);
  return suited && !suitsWorker(stream, turnSize(state));
}

/** Ends the instance of a turn that no stream can be sent. */
export function endTooLarge(
  { road, options, hubName: taskHub }: DeskContext,
  head: Head,
  { bytes, bytesMax }: TooLargeTurn,
): void {
  const { instanceId } = head;
  const { name, historyBytes } = head.state ?? {};
  const facts = { taskHub, instanceId, name, historyBytes, bytes, bytesMax };
  options.log.warn("turn.too_large", facts);
  road.decide(head, Cause.TOO_LARGE, (state, environment) =>
    decideTooLarge(state, { bytes, bytesMax }, environment),
  );
}

/** Fails an activity that no stream can be sent: its tags or its trace context are that large. */
export function failTooLarge(
  { road, options, hubName: taskHub }: DeskContext,
  { head, workId, name }: ReadyItem,
  { bytes, bytesMax }: TooLargeTurn,
): void {
  const { instanceId } = head;
  options.log.warn("activity.too_large", { taskHub, instanceId, name, bytes, bytesMax });
  const message =
    `activity ${JSON.stringify(name)} has ${bytes} bytes with its tags and trace context, and ` +
    `the worker takes at most ${bytesMax} bytes in one message`;
  const failureDetails = permanentFailure("WorkItemTooLarge", message);
  head.activities.delete(workId);
  road.decide(head, Cause.TOO_LARGE, (state, environment) =>
    decideActivityResult(state, { workId, result: undefined, failureDetails }, environment),
  );
}
