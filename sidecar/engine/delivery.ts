/**
 * Deliveries of work that ended without an answer: how often and how, for the turn that is next and
 * for each activity. They are part of the state, so that work which makes workers fail is known for
 * it after a restart too.
 *
 * @see docs/decisions/0011-quarantine-is-a-hold.md
 */
import { create } from "@bufbuild/protobuf";
import { LIMITS } from "../foundation/limits.ts";
import {
  type DeliveryCount,
  DeliveryCountSchema,
  DeliveryOutcome,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";

/** The name of the hold of an instance whose turns make workers fail. */
export const quarantineHold = "quarantine";

/** Who places it. */
export const quarantinedBy = "sidecar";

/** A delivery that ended without an answer. */
export interface ReturnCommand {
  readonly outcome: DeliveryOutcome;
  /** How often work may be lost before it is not handed out any more; undefined: for ever. */
  readonly lossesMax: number | undefined;
}

/** The counts with one more delivery. */
export function countDelivery(
  counts: readonly DeliveryCount[],
  outcome: DeliveryOutcome,
): DeliveryCount[] {
  const known = counts.find((each) => each.outcome === outcome);
  if (known === undefined) return [...counts, create(DeliveryCountSchema, { outcome, count: 1 })];
  const count = known.count + 1;
  return counts.map((each) =>
    each === known ? create(DeliveryCountSchema, { outcome, count }) : each,
  );
}

/** Deliveries that ended without an answer, in whatever way. */
export function deliveriesIn(counts: readonly DeliveryCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

/** More are not worth an entry each: nothing follows from them any more. */
export function isWorthCounting(counts: readonly DeliveryCount[]): boolean {
  return deliveriesIn(counts) < LIMITS.deliveriesCountedMax;
}

/** Whether the work is not to be handed out any more, by its counts. */
export function isExhausted(counts: readonly DeliveryCount[], { lossesMax }: ReturnCommand) {
  return lossesMax !== undefined && lossesIn(counts) >= lossesMax;
}

/** What became of the deliveries: "came back 3 times without an answer: 3 with the stream of its worker". */
export function deliveriesInWords(counts: readonly DeliveryCount[]): string {
  const parts = counts.map(({ outcome, count }) => `${count} ${outcomeWords[outcome]}`);
  const deliveries = deliveriesIn(counts);
  const often = deliveries === 1 ? "once" : `${deliveries} times`;
  return `came back ${often} without an answer: ${parts.join(", ")}`;
}

/**
 * Work that is given back has harmed nobody: a worker of another version does it for as long as it
 * is connected, so it does not count as lost.
 */
function lossesIn(counts: readonly DeliveryCount[]): number {
  return deliveriesIn(counts.filter(({ outcome }) => outcome !== DeliveryOutcome.ABANDONED));
}

const outcomeWords: Readonly<Record<DeliveryOutcome, string>> = {
  [DeliveryOutcome.UNSPECIFIED]: "for an unknown reason",
  [DeliveryOutcome.STREAM_LOST]: "with the stream of its worker",
  [DeliveryOutcome.LEASE_EXPIRED]: "when its lease ran out",
  [DeliveryOutcome.ABANDONED]: "given back by a worker",
  [DeliveryOutcome.REJECTED]: "when its answer could not be taken",
};
