/** What goes on in a task hub because an instance was loaded, or because a commit is durable. */
import { isHeld, isTerminal } from "../engine/status.ts";
import { decideTurnLost } from "../engine/turn/lost.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Aftermath } from "./commit-draft.ts";
import { type Head, settle } from "./head.ts";
import type { HubParts } from "./hub-parts.ts";
import { forgetOldFreezes } from "./old-freezes.ts";

export class HubFlow {
  readonly #parts: HubParts;
  #isClosed = false;

  /** @param parts are looked at when something happens: they may still be in the making. */
  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  /**
   * Everything that the disk says is durable; what was out when the process ended is queued again.
   */
  loaded(head: Head): void {
    if (head.state === undefined) return;
    if (head.state.pendingTerminate !== undefined) {
      // Any decision finishes a termination that waits for no turn; this one decides nothing else.
      this.#parts.road.decide(head, Cause.FINISH_TERMINATE, () => ({ kind: "nothing" }));
    }
    // A worker may have had a turn when the process ended.
    if (head.state.markers.length > 0)
      this.#parts.road.decide(head, Cause.TURN_LOST, decideTurnLost);
    const { number, activities } = head.state;
    this.goOn(head, { number, activities: [...activities.keys()], released: false });
  }

  /** A commit that touched the head is durable: only now may anything leave because of it. */
  durable(head: Head, aftermath: Aftermath): void {
    settle(head, this.#parts.store.durablePosition);
    // Activities of a finished instance still run, when what holds them goes.
    const isOver = head.state === undefined || isTerminal(head.state);
    if (isOver && head.state !== undefined) this.#parts.retention.finished(head.state);
    if (isOver && head.activities.size === 0) this.#parts.gate.forget(head.instanceId);
    if (head.state !== undefined && isHeld(head.state)) this.#parts.ages.look();
    this.goOn(head, aftermath);
    this.#parts.watches.durable();
    this.#parts.waiters.notify(head.instanceId, head.state);
    this.#parts.stillnesses.ring(head.instanceId);
    this.#parts.heads.release(head);
  }

  /** A commit that changed the hub itself is durable: what it let go may go on. */
  hubDurable(): void {
    // What it lets go is for the next start: the store may close before this one had looked at it.
    if (this.#isClosed) return;
    this.#parts.gate.changed();
    this.#parts.alarms.arm();
    this.holdsChanged();
    this.#parts.instanceAlarms.holdsChanged();
    if ((this.#parts.log.state?.freezes.length ?? 0) > 0) {
      this.#parts.background.run(forgetOldFreezes(this.#parts.decided));
    }
  }

  /** Windows that had begun may have to begin again. */
  clockSetBack(): void {
    if (this.#isClosed || !this.#parts.log.hasHolds) return;
    this.#parts.gate.clockSetBack();
    this.#parts.alarms.arm();
    this.holdsChanged();
    this.#parts.instanceAlarms.holdsChanged();
  }

  /** Trees or windows have changed, or one has begun. */
  holdsChanged(): void {
    if (this.#parts.log.hasHolds) this.#parts.desk.setAsideHeld();
    this.#parts.ages.look();
    this.#parts.retention.holdsChanged();
    this.#parts.watches.holdsChanged();
    this.#parts.stillnesses.ring();
  }

  goOn(head: Head, aftermath: Aftermath): void {
    const { state } = head;
    if (state === undefined) return this.#parts.instanceAlarms.schedule(head);
    if (state.outbox.length > 0 && head.mailing === undefined) {
      head.mailing = this.#parts.road.mail(head).finally(() => {
        head.mailing = undefined;
        this.#parts.heads.release(head);
      });
      this.#parts.background.run(head.mailing);
    }
    this.#parts.instanceAlarms.schedule(head);
    this.#parts.desk.goOn(head, aftermath);
  }

  /** What becomes durable from now on is for the next start. */
  close(): void {
    this.#isClosed = true;
  }
}
