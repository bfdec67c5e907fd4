/**
 * Storage numbers in entries, changed to those of another store. A number names a life for ever, so
 * whoever moves a log moves every mention of it: parents and ancestors, senders of mail, and the
 * origins of trees. All of them move by the same distance, so that nobody has to remember which
 * became which, and mentions of lives that are gone go on meaning nobody.
 */
import type { Entry, HubEntry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  HubHold,
  InstanceState,
  Mail,
  Parent,
  TreeOrigin,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";

/** The new number for an old one. 0 stands for none, and stays. */
export type Renumber = (number: bigint) => bigint;

/** Changes the entry in place. */
export function renumberEntry(entry: Entry, renumber: Renumber): void {
  if (entry.base !== undefined) renumberState(entry.base, renumber);
  renumberParent(entry.parentRelinked, renumber);
  renumberMail(entry.mailSent, renumber);
  const received = entry.mailReceived;
  if (received !== undefined) received.sender = renumber(received.sender);
}

/** Changes the entry of a hub in place. */
export function renumberHubEntry(entry: HubEntry, renumber: Renumber): void {
  const { base } = entry;
  const spans = [...entry.freezesAdded, ...(base?.freezes ?? [])];
  const holds: HubHold[] = [...entry.hubHoldsPlaced, ...(base?.hubHolds ?? [])];
  for (const { origin } of [...spans, ...holds]) renumberOrigin(origin, renumber);
  for (const key of entry.hubHoldsReleased) key.origin = renumber(key.origin);
}

function renumberState(state: InstanceState, renumber: Renumber): void {
  renumberParent(state.parent, renumber);
  state.ancestors = state.ancestors.map(renumber);
  for (const mark of state.senderMarks) mark.sender = renumber(mark.sender);
  renumberMail(state.outbox, renumber);
}

function renumberMail(mails: readonly Mail[], renumber: Renumber): void {
  for (const { body } of mails) {
    switch (body.case) {
      case "startChild":
      case "rewindChild":
        renumberParent(body.value.parent, renumber);
        body.value.ancestors = body.value.ancestors.map(renumber);
        break;
      case "terminate": {
        const { childOf } = body.value;
        if (childOf !== undefined) body.value.childOf = renumber(childOf);
        break;
      }
      default:
        break;
    }
  }
}

function renumberParent(parent: Parent | undefined, renumber: Renumber): void {
  if (parent !== undefined) parent.number = renumber(parent.number);
}

function renumberOrigin(origin: TreeOrigin | undefined, renumber: Renumber): void {
  if (origin !== undefined) origin.number = renumber(origin.number);
}
