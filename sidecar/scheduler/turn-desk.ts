/** Turns on their way to workers and back. At most one turn of an instance is out at any time. */
import { hasTurnToRun } from "../engine/readiness.ts";
import { isTerminal } from "../engine/status.ts";
import { beginTurn } from "../engine/turn/begin.ts";
import { decideTurn } from "../engine/turn/complete.ts";
import { decideTurnLost, decideTurnReturned } from "../engine/turn/lost.ts";
import { AssertionFailed, assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { OrchestratorResponse } from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { turnWorkItem } from "../wire/work-item-bytes.ts";
import { outcomeOf } from "./back-off.ts";
import type { WorkName } from "./backlog.ts";
import type { DeskContext } from "./desk-context.ts";
import { type Head, settle, turnInFlight } from "./head.ts";
import type { LossReason, TurnLease } from "./leases.ts";
import { comeBackLater, deliveriesOf } from "./lost-work.ts";
import type { ReadyItem } from "./ready-queue.ts";
import { endTooLarge, hasGrown } from "./too-large.ts";
import { joinAnswer, keepPart } from "./turn-answer.ts";
import { turnFormFor } from "./turn-form.ts";
import { turnSize } from "./worker-fit.ts";
import type { WorkerStream } from "./worker-stream.ts";

export class TurnDesk {
  readonly #context: DeskContext;

  constructor(context: DeskContext) {
    this.#context = context;
  }

  /** Queues the next turn if there is one, it may run, and all it would show is durable. */
  consider(head: Head, avoid?: WorkerStream): void {
    // What is queued for an instance that has ended is void, and must not keep its head.
    if (head.turn === "queued" && head.state && isTerminal(head.state)) head.turn = undefined;
    if (head.turn !== undefined || !this.#mayRun(head) || this.#context.gate.holds(head)) return;
    head.turn = "queued";
    // A long one is not loaded before a worker asks for the turn that does not fetch it itself.
    const isLong = (head.state?.historyBytes ?? 0) > LIMITS.streamedHistoryBytes;
    if (head.historyFrom === 0 || isLong) this.#offer(head, avoid);
    else this.#context.background.run(this.#loadAndOffer(head, avoid));
  }

  /** The turn that could be handed out now, if there is one. */
  worksOf(head: Head): readonly WorkName[] {
    const { state } = head;
    if (state === undefined || !this.#mayRun(head)) return [];
    return [{ kind: "turn", name: state.name, version: state.version ?? "" }];
  }

  /** Takes a queued turn back if something holds its instance now. */
  setAside({ head }: ReadyItem): boolean {
    if (!this.#context.gate.holds(head)) return false;
    head.turn = undefined;
    this.#context.heads.release(head);
    return true;
  }

  /**
   * Grants a lease and encodes the turn; undefined when the item is void, held or not durable, when
   * its history has to be read first, and when it ends because no worker can be sent it.
   */
  handOut(item: ReadyItem, stream: WorkerStream): Uint8Array | undefined {
    const { head } = item;
    const { state } = head;
    if (state?.number !== item.number || head.turn !== "queued") return undefined;
    head.turn = undefined;
    if (!this.#mayRun(head) || this.#context.gate.holds(head)) {
      this.#context.heads.release(head);
      return undefined;
    }
    const form = turnFormFor(head, state, stream);
    if (form.kind === "not-loaded") {
      head.turn = "queued";
      this.#context.background.run(this.#loadAndOffer(head, item.avoid));
      return undefined;
    }
    if (form.kind === "too-large") {
      if (hasGrown(item, state, stream)) this.#offerAgain(item);
      else endTooLarge(this.#context, head, form);
      return undefined;
    }
    const { hubClock, steadyClock, ids } = this.#context.options;
    const now = hubClock.now();
    const begun = beginTurn(state, now, this.#through(head), form.takenBytesMax);
    const isStreamed = form.kind === "streamed";
    const lease: TurnLease = {
      kind: "turn",
      token: ids.next(),
      head,
      number: state.number,
      stream,
      grantedAtMs: steadyClock.nowMs(),
      grantedAt: now,
      begun,
      isStreamed,
      chunks: new Map(),
      chunkBytes: 0,
    };
    head.turn = lease;
    this.#context.leases.grant(lease);
    this.#context.options.figures.handedOut("turn", item.attempts);
    return turnWorkItem({
      token: lease.token,
      instanceId: state.instanceId,
      executionId: begun.executionId,
      pastEvents: isStreamed ? undefined : head.history,
      started: begun.started,
      taken: begun.taken,
      traceContext: state.traceContext,
    });
  }

  /**
   * The lease that an answer belongs to; undefined makes the answer stale. A token is good for the
   * instance that it was given out for: a worker that mixes its answers up harms no other one.
   */
  leaseOf({ completionToken, instanceId }: OrchestratorResponse): TurnLease | undefined {
    if (completionToken !== "") {
      const lease = this.#context.leases.find(completionToken, "turn");
      return lease?.head.instanceId === instanceId ? lease : undefined;
    }
    // Go and older SDKs send no token (trap T10).
    const head = this.#context.heads.peek(instanceId);
    return head && turnInFlight(head);
  }

  /** Commits the answer to a turn, or keeps it when more parts of it follow. */
  async complete(lease: TurnLease, response: OrchestratorResponse): Promise<void> {
    const { heads, leases, road, options, statusRules } = this.#context;
    if (response.requiresHistory) {
      leases.end(lease);
      this.lost(lease, "needs-history");
      return;
    }
    const index = response.chunkIndex ?? 0;
    if (response.isPartial) {
      keepPart(lease, response, index);
      return;
    }
    const { head } = lease;
    const answer = joinAnswer(lease, response, index);
    leases.end(lease);
    options.figures.work.completed.turn += 1;
    head.turn = undefined;
    head.turnsResent = 0;
    head.pins += 1;
    try {
      const decision = road.decide(head, Cause.COMPLETE_TURN, (state, environment) => {
        assert(state?.number === lease.number, "a lease ends with the life it belongs to");
        return decideTurn(state, answer, environment, statusRules(state.name));
      });
      if (decision.kind === "append" && head.state !== undefined) {
        options.statusMetrics.note(head.state, decision.entry, options.hubClock.now());
      }
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
      // Its workers fetch what they need.
      if (lease.isStreamed) heads.unloadHistory(head);
      heads.unpin(head);
    }
  }

  /**
   * A turn ended without an answer. It comes back, later the more often that happened, unless that
   * was too often.
   */
  lost(lease: TurnLease, reason: LossReason): void {
    const { head } = lease;
    this.#context.options.figures.lost("turn", reason);
    head.turn = undefined;
    if (head.state?.pendingTerminate !== undefined) {
      // The termination had waited for this turn; any decision carries it out now.
      this.#context.road.decide(head, Cause.FINISH_TERMINATE, () => ({ kind: "nothing" }));
      return;
    }
    comeBackLater(this.#context, lease, reason, this);
  }

  /** Counts a loss in the state of the instance. */
  countLoss(head: Head, reason: LossReason): void {
    const { road, options } = this.#context;
    if (reason === "needs-history") {
      // That is no failure of anybody: it slows down, but nothing is known of it after a restart.
      head.turnsResent += 1;
      road.decide(head, Cause.TURN_LOST, decideTurnLost);
      return;
    }
    const command = {
      outcome: outcomeOf[reason],
      lossesMax: options.deliveryLimits.turnLossesMax,
    };
    road.decide(head, Cause.TURN_LOST, (state, environment) =>
      decideTurnReturned(state, command, environment),
    );
  }

  async #loadAndOffer(head: Head, avoid: WorkerStream | undefined): Promise<void> {
    head.pins += 1;
    await this.#context.heads.loadHistory(head);
    this.#context.heads.unpin(head);
    if (head.turn === "queued") this.#offer(head, avoid);
  }

  #offer(head: Head, avoid: WorkerStream | undefined): void {
    if (head.state === undefined) return;
    const { number, name, version = "" } = head.state;
    const attempts = deliveriesOf(head);
    const size = turnSize(head.state);
    const of = { kind: "turn", head, number, workId: 0n } as const;
    this.#context.offer({ ...of, name, version, attempts, avoid, size });
  }

  /** Not while a stream is being served: it may be one that takes it now. */
  #offerAgain({ head, avoid }: ReadyItem): void {
    head.turn = "queued";
    queueMicrotask(() => {
      if (head.turn === "queued") this.#offer(head, avoid);
    });
  }

  /**
   * Events up to this sequence may be handed out. Also those that are not durable yet, when turns are
   * handed out early: the answer can only commit behind them.
   */
  #through({ state, durableSequence }: Head): number {
    return this.#context.options.earlyTurns ? (state?.sequence ?? 0) : durableSequence;
  }

  #mayRun(head: Head): boolean {
    const { state } = head;
    if (state === undefined || !hasTurnToRun(state)) return false;
    settle(head, this.#context.options.store.durablePosition);
    const first = state.inbox[0];
    // It needs no event, only that all it would show is durable.
    if (state.turnWanted) return head.barrierSequence <= head.durableSequence;
    return (
      first !== undefined &&
      first.originSequence <= this.#through(head) &&
      head.barrierSequence <= head.durableSequence
    );
  }
}
