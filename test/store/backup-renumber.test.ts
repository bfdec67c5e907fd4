/** Every storage number that an entry can mention moves with its log, and nothing else does. */
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { expect, test } from "vitest";
import { renumberEntry, renumberHubEntry } from "../../sidecar/store/backup/renumber.ts";
import {
  type Entry,
  EntrySchema,
  type HubEntry,
  HubEntrySchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";

/** Fields of 64 bits that are storage numbers, by message and name. */
const STORAGE_NUMBERS = [
  "HubHoldKey.origin",
  "InstanceState.ancestors",
  "MailReceipt.sender",
  "Parent.number",
  "RewindChild.ancestors",
  "SenderMark.sender",
  "StartChild.ancestors",
  "TerminateMail.child_of",
  "TreeOrigin.number",
];

/** Those that are something else: a new one has to be put into one of the two lists. */
const OTHERS = [
  "Activity.id",
  "Child.id",
  "CustomStatus.revision",
  "CustomStatusOverflow.dropped",
  "Delivery.work_id",
  "EntityCall.id",
  "EntityItem.id",
  "EntityStep.scheduled_settled",
  "EntityStep.withdrawn",
  "EntityUnlocked.lock_request_id",
  "Entry.activities_settled",
  "Entry.children_settled",
  "Entry.entity_calls_settled",
  "Entry.lock_requests_granted",
  "Entry.lock_requests_settled",
  "Entry.timers_settled",
  "InstanceState.history_bytes",
  "InstanceState.next_mail_number",
  "InstanceState.next_work_id",
  "LockRequest.id",
  "Mail.number",
  "MailReceipt.number",
  "ScheduledOperation.id",
  "SenderMark.number",
  "StoredEvent.origin_sequence",
  "Timer.id",
  "TimerMove.id",
];

const OLD = 7n;
const NEW = 1_007n;

/**
 * All messages that can be under this one, with everything set and 7 in all fields of 64 bits; one
 * for each case of each oneof.
 */
function filled(schema: DescMessage, pick: number, seen: readonly string[] = []): Message {
  const message = create(schema);
  const reflected = reflect(schema, message);
  for (const field of schema.fields) {
    const { oneof } = field;
    if (oneof !== undefined && oneof.fields[pick % oneof.fields.length] !== field) continue;
    fill(reflected, field, pick, [...seen, schema.typeName]);
  }
  return message;
}

function fill(
  to: ReflectMessage,
  field: DescMessage["fields"][number],
  pick: number,
  seen: readonly string[],
): void {
  const isLong = "scalar" in field && field.scalar !== undefined && [4, 6].includes(field.scalar);
  if (field.fieldKind === "message" && !seen.includes(field.message.typeName)) {
    to.set(field, reflect(field.message, filled(field.message, pick, seen)));
  } else if (field.fieldKind === "list" && field.listKind === "message") {
    if (seen.includes(field.message.typeName)) return;
    to.get(field).add(reflect(field.message, filled(field.message, pick, seen)));
  } else if (field.fieldKind === "list" && isLong) to.get(field).add(OLD);
  else if (field.fieldKind === "scalar" && isLong) to.set(field, OLD);
}

/** Which fields of 64 bits hold this value: `Message.field`. */
function holding(schema: DescMessage, message: Message, value: bigint, found: Set<string>): void {
  const reflected = reflect(schema, message);
  for (const field of schema.fields) {
    if (!reflected.isSet(field)) continue;
    const name = `${schema.name}.${field.name}`;
    const set = reflected.get(field);
    if (field.fieldKind === "message") {
      holding(field.message, (set as ReflectMessage).message, value, found);
    } else if (field.fieldKind === "list") {
      for (const item of set as Iterable<unknown>) {
        if (field.listKind === "message") {
          holding(field.message, (item as ReflectMessage).message, value, found);
        } else if (item === value) found.add(name);
      }
    } else if (set === value) found.add(name);
  }
}

test("all of them move, wherever an entry mentions them, and no other field does", () => {
  const moved = new Set<string>();
  const kept = new Set<string>();
  for (let pick = 0; pick < 12; pick += 1) {
    const entry = filled(EntrySchema, pick) as Entry;
    const hubEntry = filled(HubEntrySchema, pick) as HubEntry;
    renumberEntry(entry, (number) => number + 1_000n);
    renumberHubEntry(hubEntry, (number) => number + 1_000n);
    for (const [schema, message] of [
      [EntrySchema, entry],
      [HubEntrySchema, hubEntry],
    ] as const) {
      holding(schema, message, NEW, moved);
      holding(schema, message, OLD, kept);
    }
  }
  expect([...moved].toSorted()).toEqual(STORAGE_NUMBERS.toSorted());
  expect([...kept].toSorted()).toEqual(OTHERS.toSorted());
});
