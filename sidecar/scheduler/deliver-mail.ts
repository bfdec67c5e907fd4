/** What follows from a decision in the same commit: waiting terminations, and mail to who is in memory. */
import type { Environment } from "../engine/decision.ts";
import { decideMail, decideMailSettled } from "../engine/mail.ts";
import { decideFinishTerminate } from "../engine/terminate.ts";
import { LIMITS } from "../foundation/limits.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Mail } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { CommitDraft } from "./commit-draft.ts";
import { type Head, turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import { isForChild, isTooEarly } from "./mail-slice.ts";

/** Where it happens. */
export interface Surroundings {
  readonly heads: Pick<Heads, "peek">;
  readonly environment: (cause: Cause) => Environment;
}

/** Ends an instance that was asked to end, once no worker has a turn of it. */
export function finishTerminate(
  draft: CommitDraft,
  head: Head,
  { environment }: Surroundings,
): void {
  if (head.state?.pendingTerminate === undefined || turnInFlight(head) !== undefined) return;
  draft.apply(head, decideFinishTerminate(head.state, environment(Cause.FINISH_TERMINATE)));
}

/** Delivers from the head of the outbox as long as receivers are in memory, up to one slice. */
export function deliverMail(draft: CommitDraft, sender: Head, surroundings: Surroundings): void {
  const { heads, environment } = surroundings;
  const { state } = sender;
  if (state === undefined || state.outbox.length === 0) return;
  const refused: Mail[] = [];
  let settled = 0;
  for (const mail of state.outbox.slice(0, LIMITS.mailSliceMax)) {
    const receiver = heads.peek(mail.targetInstanceId);
    if (receiver === undefined || isTooEarly(mail, receiver, draft)) break;
    settled += 1;
    // The id of a child that is the sender's own is taken, also when the sender has just ended.
    const ownId = receiver === sender && isForChild(mail);
    const decision = decideMail(
      receiver.state,
      mail,
      state.number,
      environment(Cause.MAIL),
      receiver.history,
    );
    if (ownId || decision.kind === "refuse") {
      refused.push(mail);
      continue;
    }
    draft.apply(receiver, decision);
    finishTerminate(draft, receiver, surroundings);
  }
  if (settled === 0) return;
  draft.apply(sender, decideMailSettled(state, settled, refused, environment(Cause.MAIL_SETTLED)));
}
