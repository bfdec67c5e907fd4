/**
 * What becomes of a turn, or of a batch of an entity, that ended without an answer: it comes back,
 * later the more often that happened, unless that was too often.
 */
import { deliveriesIn, quarantineHold } from "../engine/delivery.ts";
import { backOffMs } from "./back-off.ts";
import type { DeskContext } from "./desk-context.ts";
import { type Head, noteDelay } from "./head.ts";
import type { BatchLease, LossReason, TurnLease } from "./leases.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** The desk that has handed it out. */
export interface LosingDesk {
  /** Counts the loss in the state of the instance. */
  countLoss(head: Head, reason: LossReason): void;
  consider(head: Head, avoid?: WorkerStream): void;
}

export function comeBackLater(
  context: DeskContext,
  { head, number, stream }: TurnLease | BatchLease,
  reason: LossReason,
  desk: LosingDesk,
): void {
  const { options, hubName: taskHub } = context;
  head.turn = "delayed";
  const before = quarantineOf(head);
  desk.countLoss(head, reason);
  const quarantine = quarantineOf(head);
  if (before === undefined && quarantine !== undefined) {
    // It comes back when somebody releases it, and at once.
    head.turn = undefined;
    const { name, version } = head.state ?? {};
    const facts = { taskHub, instanceId: head.instanceId, name, version };
    options.log.warn("instance.quarantined", { ...facts, reason: quarantine.reason });
    return;
  }
  const delayMs = backOffMs(reason, deliveriesOf(head));
  noteDelay(head, 0n, delayMs, options);
  context.later(delayMs, () => {
    if (head.turn !== "delayed" || head.state?.number !== number) return;
    head.turn = undefined;
    head.delays?.delete(0n);
    desk.consider(head, reason === "abandoned" ? stream : undefined);
    context.heads.release(head);
  });
}

/** Deliveries of what is next that have ended without its being committed. */
export function deliveriesOf({ state, turnsResent }: Head): number {
  return deliveriesIn(state?.turnDeliveries ?? []) + turnsResent;
}

function quarantineOf({ state }: Head) {
  return state?.holds.find(({ name }) => name === quarantineHold);
}
