/** Activities on their way to workers and back. */
import { decideActivityResult } from "../engine/activity.ts";
import type { ActivityResponse } from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { addMilliseconds } from "../wire/timestamp.ts";
import { activityWorkItem } from "../wire/work-item-bytes.ts";
import { backOffMs } from "./back-off.ts";
import type { DeskContext } from "./desk-context.ts";
import { type Head, noteDelay, settle } from "./head.ts";
import type { ActivityLease, LossReason } from "./leases.ts";
import type { ReadyItem } from "./ready-queue.ts";
import type { WorkerStream } from "./worker-stream.ts";

export class ActivityDesk {
  readonly #context: DeskContext;

  constructor(context: DeskContext) {
    this.#context = context;
  }

  /** Queues activities that a commit scheduled, once each. */
  queueNew(head: Head, workIds: readonly bigint[]): void {
    for (const id of workIds) if (!head.activities.has(id)) this.#queue(head, id, 0, undefined);
  }

  /** Queues again what was set aside while the instance was held. */
  queueParked(head: Head): void {
    for (const [id, place] of head.activities) {
      if (place === "parked") this.#queue(head, id, 0, undefined);
    }
  }

  /** Takes a queued activity back if something holds its instance now. */
  setAside({ head, workId }: ReadyItem): boolean {
    if (!this.#context.gate.holds(head)) return false;
    head.activities.set(workId, "parked");
    return true;
  }

  /** Grants a lease and encodes the activity; undefined when the item is void or held. */
  handOut(item: ReadyItem, stream: WorkerStream): Uint8Array | undefined {
    const { head, workId, attempts } = item;
    const { state } = head;
    if (state?.number !== item.number || head.activities.get(workId) !== "queued") return undefined;
    const activity = state.activities.get(workId);
    if (activity?.scheduled === undefined) return undefined;
    const { store, hubClock, steadyClock, ids } = this.#context.options;
    settle(head, store.durablePosition);
    if (this.#context.gate.holds(head)) {
      // It comes back when the release is durable.
      head.activities.set(workId, "parked");
      return undefined;
    }
    const { taskId, executionId, scheduled } = activity;
    const lease: ActivityLease = {
      kind: "activity",
      token: ids.next(),
      head,
      number: state.number,
      stream,
      grantedAtMs: steadyClock.nowMs(),
      grantedAt: hubClock.now(),
      workId,
      taskId,
      name: activity.name,
      attempts,
    };
    head.activities.set(workId, lease);
    this.#context.leases.grant(lease);
    const { token } = lease;
    return activityWorkItem({
      token,
      instanceId: state.instanceId,
      executionId,
      taskId,
      scheduled,
    });
  }

  /** The lease that a result belongs to; undefined makes the result stale. */
  leaseOf({ completionToken, instanceId, taskId }: ActivityResponse): ActivityLease | undefined {
    if (completionToken !== "") return this.#context.leases.find(completionToken, "activity");
    // Go and older SDKs send no token (trap T10).
    for (const place of this.#context.heads.peek(instanceId)?.activities.values() ?? []) {
      if (typeof place === "object" && place.taskId === taskId) return place;
    }
    return undefined;
  }

  async complete(lease: ActivityLease, response: ActivityResponse): Promise<void> {
    const { heads, leases, road, options } = this.#context;
    const { head, workId } = lease;
    const { result, failureDetails } = response;
    leases.end(lease);
    head.activities.delete(workId);
    head.pins += 1;
    try {
      road.decide(head, Cause.COMPLETE_ACTIVITY, (state, environment) =>
        decideActivityResult(state, { workId, result, failureDetails }, environment),
      );
      await options.store.whenDurable(head.position);
    } catch (error) {
      // A bug of ours: nothing was decided, so nothing may be lost either.
      this.lost(lease, "expired");
      throw error;
    } finally {
      heads.unpin(head);
    }
  }

  /** An activity ended without a result: it comes back, later the more often that happened. */
  lost(lease: ActivityLease, reason: LossReason): void {
    const { head, workId, number } = lease;
    const attempts = lease.attempts + 1;
    const avoid = reason === "abandoned" ? lease.stream : undefined;
    head.activities.set(workId, "delayed");
    const delayMs = backOffMs(reason, attempts);
    noteDelay(head, workId, addMilliseconds(this.#context.options.hubClock.now(), delayMs));
    this.#context.later(delayMs, () => {
      if (head.state?.number !== number || head.activities.get(workId) !== "delayed") return;
      head.delays?.delete(workId);
      this.#queue(head, workId, attempts, avoid);
    });
  }

  #queue(head: Head, workId: bigint, attempts: number, avoid: WorkerStream | undefined): void {
    const activity = head.state?.activities.get(workId);
    if (head.state === undefined || activity === undefined) return;
    if (this.#context.gate.holds(head)) {
      head.activities.set(workId, "parked");
      return;
    }
    head.activities.set(workId, "queued");
    const { number } = head.state;
    const { name, version = "" } = activity;
    const item = {
      kind: "activity",
      head,
      number,
      workId,
      name,
      version,
      attempts,
      avoid,
    } as const;
    this.#context.offer(item);
  }
}
