/**
 * Batches of entity operations on their way to workers and back. At most one batch of an entity is
 * out at any time.
 */
import { batchOf, hasBatchToRun } from "../engine/entity/batch.ts";
import { type BatchAnswer, decideBatch, shouldRetry } from "../engine/entity/complete-batch.ts";
import { decideTurnReturned } from "../engine/turn/lost.ts";
import { AssertionFailed, assert } from "../foundation/assert.ts";
import { batchWorkItem } from "../wire/entity-work-item.ts";
import type { EntityBatchResult } from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { StoredEvent } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { outcomeOf } from "./back-off.ts";
import type { WorkName } from "./backlog.ts";
import { fittingOperations, operationsIn } from "./batch-size.ts";
import type { DeskContext } from "./desk-context.ts";
import { type Head, settle } from "./head.ts";
import type { BatchLease, LossReason } from "./leases.ts";
import { comeBackLater, deliveriesOf } from "./lost-work.ts";
import type { ReadyItem } from "./ready-queue.ts";
import type { WorkerStream } from "./worker-stream.ts";

export class EntityDesk {
  readonly #context: DeskContext;

  constructor(context: DeskContext) {
    this.#context = context;
  }

  /** Queues the next batch if there is one, it may run, and all it would show is durable. */
  consider(head: Head, avoid?: WorkerStream): void {
    const { state } = head;
    if (state === undefined || head.turn !== undefined || !this.#mayRun(head)) return;
    if (this.#context.gate.holds(head)) return;
    head.turn = "queued";
    const { number, name } = state;
    const attempts = deliveriesOf(head);
    const item = { kind: "batch", head, number, workId: 0n, name, version: "", avoid } as const;
    this.#context.offer({ ...item, attempts });
  }

  /** The batch that could be handed out now, if there is one. */
  worksOf(head: Head): readonly WorkName[] {
    const { state } = head;
    if (state?.entity === undefined || !this.#mayRun(head)) return [];
    return [{ kind: "batch", name: state.name, version: "" }];
  }

  /** Takes a queued batch back if something holds its entity now. */
  setAside({ head }: ReadyItem): boolean {
    if (!this.#context.gate.holds(head)) return false;
    head.turn = undefined;
    this.#context.heads.release(head);
    return true;
  }

  /** Grants a lease and encodes the batch; undefined when the item is void, held or not durable. */
  handOut(item: ReadyItem, stream: WorkerStream): Uint8Array | undefined {
    const { head } = item;
    const { state } = head;
    if (state?.number !== item.number || head.turn !== "queued") return undefined;
    head.turn = undefined;
    if (!this.#mayRun(head) || this.#context.gate.holds(head)) {
      this.#context.heads.release(head);
      return undefined;
    }
    const { hubClock, steadyClock, ids, entityBatches, figures } = this.#context.options;
    const operations = fittingOperations(state, this.#operations(head), stream);
    const lease: BatchLease = {
      kind: "batch",
      token: ids.next(),
      head,
      number: state.number,
      stream,
      grantedAtMs: steadyClock.nowMs(),
      grantedAt: hubClock.now(),
      taken: operations.length,
    };
    head.turn = lease;
    this.#context.leases.grant(lease);
    figures.handedOut("batch", item.attempts);
    const { instanceId, executionId, entity } = state;
    const { token } = lease;
    const batch = { token, instanceId, executionId, text: entity?.text, operations };
    return batchWorkItem(batch, entityBatches);
  }

  /**
   * The lease that an answer belongs to; undefined makes the answer stale. An answer names no entity:
   * one without a token, as .NET gives it in the first encoding, may be a late one for another entity
   * (trap T29).
   */
  leaseOf({ completionToken }: EntityBatchResult): BatchLease | undefined {
    return this.#context.leases.find(completionToken, "batch");
  }

  /** Commits the answer to a batch, or has the batch handed out again. */
  async complete(lease: BatchLease, result: EntityBatchResult): Promise<void> {
    const { heads, leases, options } = this.#context;
    const { head } = lease;
    leases.end(lease);
    head.pins += 1;
    try {
      const answer = answerOf(lease, result);
      const again = result.requiresState ? "needs-history" : this.#retries(head, answer);
      if (again === undefined) this.#decide(lease, answer);
      else this.lost(lease, again);
      await options.store.whenDurable(head.position);
    } finally {
      heads.unpin(head);
    }
  }

  /**
   * A batch ended without an answer. It comes back, later the more often that happened, unless that
   * was too often.
   */
  lost(lease: BatchLease, reason: LossReason): void {
    this.#context.options.figures.lost("batch", reason);
    comeBackLater(this.#context, lease, reason, this);
  }

  /** Counts a loss in the state of the instance. */
  countLoss(head: Head, reason: LossReason): void {
    if (reason === "needs-history") {
      // That is no failure of anybody: it slows down, but nothing is known of it after a restart.
      head.turnsResent += 1;
      return;
    }
    const { road, options } = this.#context;
    const outcome = outcomeOf[reason];
    const command = { outcome, lossesMax: options.deliveryLimits.turnLossesMax };
    road.decide(head, Cause.BATCH_LOST, (state, environment) =>
      decideTurnReturned(state, command, environment),
    );
  }

  #retries(head: Head, answer: BatchAnswer): LossReason | undefined {
    assert(head.state !== undefined, "a lease ends with the life it belongs to");
    return shouldRetry(head.state, answer) ? "rejected" : undefined;
  }

  #decide(lease: BatchLease, answer: BatchAnswer): void {
    const { road, options } = this.#context;
    const { head } = lease;
    options.figures.work.completed.batch += 1;
    head.turn = undefined;
    head.turnsResent = 0;
    try {
      road.decide(head, Cause.COMPLETE_BATCH, (state, environment) => {
        assert(state?.number === lease.number, "a lease ends with the life it belongs to");
        return decideBatch(state, answer, environment);
      });
    } catch (error) {
      // A bug of ours: nothing was decided, so nothing may be lost either.
      // A failed assertion ends the process, and what it left behind must not be written.
      if (!(error instanceof AssertionFailed)) this.lost(lease, "rejected");
      throw error;
    }
  }

  #mayRun(head: Head): boolean {
    const { state } = head;
    if (state === undefined || !hasBatchToRun(state)) return false;
    settle(head, this.#context.options.store.durablePosition);
    return head.barrierSequence <= head.durableSequence && this.#operations(head).length > 0;
  }

  /** What a batch may take now: nothing of it may be unsaid by a crash. */
  #operations({ state, durableSequence }: Head): readonly StoredEvent[] {
    return state === undefined ? [] : operationsIn(batchOf(state, durableSequence));
  }
}

function answerOf(lease: BatchLease, result: EntityBatchResult): BatchAnswer {
  const { results, actions, entityState: text, failureDetails } = result;
  return { taken: lease.taken, results, actions, text, failureDetails };
}
