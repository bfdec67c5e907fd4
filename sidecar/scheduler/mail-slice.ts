/** Which mail is delivered next, and what must be in memory for it. */
import { LIMITS } from "../foundation/limits.ts";
import type { Mail } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";

/** A slice of the outbox, in order. Only few that need whole histories: all of them are in memory. */
export function mailSlice(outbox: readonly Mail[]): readonly Mail[] {
  const slice: Mail[] = [];
  let rewinds = 0;
  for (const mail of outbox.slice(0, LIMITS.mailSliceMax)) {
    rewinds += mail.body.case === "rewindChild" ? 1 : 0;
    if (rewinds > LIMITS.rewindsPerSliceMax) break;
    slice.push(mail);
  }
  return slice;
}

/** What a rewound child keeps of its history is decided on all of it. */
export async function loadHistories(heads: Heads, slice: readonly Mail[]): Promise<void> {
  for (const { body, targetInstanceId } of slice) {
    const head = heads.peek(targetInstanceId);
    if (body.case === "rewindChild" && head !== undefined) await heads.loadHistory(head);
  }
}

/** It needs a history that is still on the disk, or would make a large commit larger. */
export function isTooEarly(
  { body }: Mail,
  { historyFrom }: Head,
  draft: { readonly isLarge: boolean },
): boolean {
  return body.case === "rewindChild" && (historyFrom !== 0 || draft.isLarge);
}

/** The mail makes a child, so its id must not be that of its sender. */
export function isForChild({ body }: Mail): boolean {
  return body.case === "startChild" || body.case === "rewindChild";
}
