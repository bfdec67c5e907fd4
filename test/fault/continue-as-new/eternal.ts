/** An orchestration that adds up its events, with a new generation behind every few of them. */
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";

/** What one caller raises: 0, 1, 2, … */
export interface Numbered {
  readonly caller: number;
  readonly number: number;
}

export interface Tally {
  readonly goal: number;
  readonly count: number;
  readonly sum: number;
  /** The next number of each caller. */
  readonly next: readonly number[];
  /** What came in another order than it was raised in. */
  readonly strays: readonly Numbered[];
}

export function emptyTally(goal: number, callers: number): Tally {
  return { goal, count: 0, sum: 0, next: Array.from({ length: callers }, () => 0), strays: [] };
}

/** The first generation takes one event, the next one two, then three, then one again. */
export async function* eternal(context: OrchestrationContext, tally: Tally): Steps<Tally> {
  let now = tally;
  const wanted = 1 + (tally.count % 3);
  for (let i = 0; i < wanted && now.count < now.goal; i += 1) {
    const event: Numbered = yield context.waitForExternalEvent("numbered");
    now = added(now, event);
  }
  if (now.count < now.goal) context.continueAsNew(now, true);
  return now;
}

function added({ goal, count, sum, next, strays }: Tally, event: Numbered): Tally {
  const { caller, number } = event;
  return {
    goal,
    count: count + 1,
    sum: sum + number,
    next: next.with(caller, number + 1),
    strays: next[caller] === number ? strays : [...strays, event],
  };
}
