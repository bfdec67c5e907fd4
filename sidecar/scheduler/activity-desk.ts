/** Activities on their way to workers and back. */
import { decideActivityResult, decideActivityReturned } from "../engine/activity.ts";
import { deliveriesIn } from "../engine/delivery.ts";
import { isHeld } from "../engine/status.ts";
import { AssertionFailed } from "../foundation/assert.ts";
import type { ActivityResponse } from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { activityWorkItem } from "../wire/work-item-bytes.ts";
import { backOffMs, outcomeOf } from "./back-off.ts";
import type { WorkName } from "./backlog.ts";
import type { DeskContext } from "./desk-context.ts";
import { type Head, noteDelay, settle } from "./head.ts";
import type { ActivityLease, LossReason } from "./leases.ts";
import type { ReadyItem } from "./ready-queue.ts";
import { failTooLarge } from "./too-large.ts";
import { activityVersion } from "./work-filter.ts";
import { activitySize, fitsWorker } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

export class ActivityDesk {
  readonly #context: DeskContext;

  constructor(context: DeskContext) {
    this.#context = context;
  }

  /** Queues activities that a commit scheduled, once each. */
  queueNew(head: Head, workIds: readonly bigint[]): void {
    for (const id of workIds) if (!head.activities.has(id)) this.#queue(head, id, undefined);
  }

  /** Queues all that are not queued yet. One whose commit is not durable comes with that commit. */
  queueAll(head: Head): void {
    for (const { id, scheduled } of head.state?.activities.values() ?? []) {
      if ((scheduled?.originSequence ?? 0n) <= head.durableSequence) this.queueNew(head, [id]);
    }
  }

  /** The names of activities that could be handed out now, each once. */
  worksOf({ state }: Head): readonly WorkName[] {
    const works = new Map<string, WorkName>();
    if (state === undefined || isHeld(state)) return [];
    for (const activity of state.activities.values()) {
      const { name } = activity;
      const version = activityVersion(activity, state);
      works.set(`${name.length}:${name}${version}`, { kind: "activity", name, version });
    }
    return [...works.values()];
  }

  /** Queues again what was set aside while the instance was held. */
  queueParked(head: Head): void {
    for (const [id, place] of head.activities) {
      if (place === "parked") this.#queue(head, id, undefined);
    }
  }

  /** Takes a queued activity back if something holds its instance now. */
  setAside({ head, workId }: ReadyItem): boolean {
    if (!this.#context.gate.holds(head)) return false;
    head.activities.set(workId, "parked");
    return true;
  }

  /** Grants a lease and encodes the activity; undefined when the item is void, held or fails. */
  handOut(item: ReadyItem, stream: WorkerStream): Uint8Array | undefined {
    const { head, workId } = item;
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
    const { bytes } = activitySize(state.instanceId, scheduled.event.length);
    if (!fitsWorker(stream, bytes)) {
      failTooLarge(this.#context, item, { bytes, bytesMax: stream.messageBytesMax });
      return undefined;
    }
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
    };
    head.activities.set(workId, lease);
    this.#context.leases.grant(lease);
    this.#context.options.figures.handedOut("activity", item.attempts);
    const { token } = lease;
    return activityWorkItem({
      token,
      instanceId: state.instanceId,
      executionId,
      taskId,
      scheduled,
    });
  }

  /** The lease that a result belongs to; undefined makes the result stale. As with turns. */
  leaseOf({ completionToken, instanceId, taskId }: ActivityResponse): ActivityLease | undefined {
    if (completionToken !== "") {
      const lease = this.#context.leases.find(completionToken, "activity");
      const isItsOwn = lease?.head.instanceId === instanceId && lease.taskId === taskId;
      return isItsOwn ? lease : undefined;
    }
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
    options.figures.work.completed.activity += 1;
    head.activities.delete(workId);
    head.pins += 1;
    try {
      road.decide(head, Cause.COMPLETE_ACTIVITY, (state, environment) =>
        decideActivityResult(state, { workId, result, failureDetails }, environment),
      );
    } catch (error) {
      // A bug of ours: nothing was decided, so nothing may be lost either.
      // A failed assertion ends the process, and what it left behind must not be written.
      if (!(error instanceof AssertionFailed)) this.lost(lease, "rejected");
      heads.unpin(head);
      throw error;
    }
    try {
      await options.store.whenDurable(head.position);
    } finally {
      heads.unpin(head);
    }
  }

  /**
   * An activity ended without a result. It comes back, later the more often that happened, unless
   * that was too often.
   */
  lost(lease: ActivityLease, reason: LossReason): void {
    const { head, workId, number } = lease;
    const { road, options } = this.#context;
    options.figures.lost("activity", reason);
    head.activities.set(workId, "delayed");
    // No activity asks for a history.
    const outcome = outcomeOf[reason === "needs-history" ? "rejected" : reason];
    const { activityLossesMax: lossesMax } = options.deliveryLimits;
    road.decide(head, Cause.ACTIVITY_LOST, (state, environment) =>
      decideActivityReturned(state, { workId, outcome, lossesMax }, environment),
    );
    const activity = head.state?.activities.get(workId);
    if (activity === undefined) {
      head.activities.delete(workId);
      const { hubName: taskHub } = this.#context;
      const facts = { taskHub, instanceId: head.instanceId, activity: lease.name };
      options.log.warn("activity.exhausted", facts);
      return;
    }
    const avoid = reason === "abandoned" ? lease.stream : undefined;
    const delayMs = backOffMs(reason, deliveriesIn(activity.deliveries));
    noteDelay(head, workId, delayMs, options);
    this.#context.later(delayMs, () => {
      if (head.state?.number !== number || head.activities.get(workId) !== "delayed") return;
      head.delays?.delete(workId);
      this.#queue(head, workId, avoid);
    });
  }

  #queue(head: Head, workId: bigint, avoid: WorkerStream | undefined): void {
    const activity = head.state?.activities.get(workId);
    if (head.state === undefined || activity === undefined) return;
    if (this.#context.gate.holds(head)) {
      head.activities.set(workId, "parked");
      return;
    }
    head.activities.set(workId, "queued");
    const { number } = head.state;
    const { name } = activity;
    const item = {
      kind: "activity",
      head,
      number,
      workId,
      name,
      version: activityVersion(activity, head.state),
      attempts: deliveriesIn(activity.deliveries),
      avoid,
      size: activitySize(head.instanceId, activity.scheduled?.event.length ?? 0),
    } as const;
    this.#context.offer(item);
  }
}
