/** What tables show of instances and holds. */
import {
  type Hold,
  HoldScope,
  HoldScopeSchema,
  type Selector,
} from "../../../wire/gen/taskhub/v1/hold_pb.ts";
import type { CustomStatus, Instance } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import type { Column } from "./table.ts";
import { showTime } from "./times.ts";
import { enumWord, statusCell } from "./words.ts";

export const instanceColumns: readonly Column<Instance>[] = [
  { title: "INSTANCE", cell: ({ instanceId }) => instanceId, whole: true },
  { title: "NAME", cell: ({ name }) => name },
  { title: "VERSION", cell: ({ version }) => version ?? "" },
  { title: "STATUS", cell: ({ status }) => statusCell(status), whole: true },
  { title: "CREATED", cell: ({ createdAt }) => showTime(createdAt), whole: true },
  {
    title: "HELD BY",
    cell: ({ holds }) => ({ text: holds.map(holdName).join(", "), paint: "yellow" }),
  },
  { title: "CUSTOM STATUS", cell: ({ customStatus }) => customStatus?.value ?? "" },
];

/** How a hold is called: its name, with its scope when that is not the instance. */
export function holdName({ name, scope }: Hold): string {
  const shown = JSON.stringify(name);
  return scope === HoldScope.INSTANCE ? shown : `${enumWord(HoldScopeSchema, scope)} ${shown}`;
}

/** A hold in a sentence: what it is called, whose it is, why, and until when. */
export function holdSentence(hold: Hold): string {
  const { reason, requestedBy, expiresAt, resumeCondition, placedAt, pacedRelease } = hold;
  const parts = [
    holdName(hold),
    ...(hold.originInstanceId === "" ? [] : [`on ${JSON.stringify(hold.originInstanceId)}`]),
    ...(requestedBy === "" ? [] : [`by ${requestedBy}`]),
    ...(placedAt === undefined ? [] : [`since ${showTime(placedAt)}`]),
    ...(expiresAt === undefined ? [] : [`until ${showTime(expiresAt)}`]),
    ...(hold.overdue ? ["(overdue)"] : []),
    ...(pacedRelease === undefined ? [] : ["(being released)"]),
  ];
  const because = reason === undefined || reason === "" ? "" : `: ${reason}`;
  const when = resumeCondition === undefined ? "" : ` (to be resumed when: ${resumeCondition})`;
  return parts.join(" ") + because + when;
}

/** What a window covers, in words. */
export function selectorWords(selector: Selector | undefined): string {
  if (selector === undefined) return "everything";
  const parts = [
    ...selector.names.map((name) => `name ${name}`),
    ...(selector.instanceIdPrefix === "" ? [] : [`prefix ${selector.instanceIdPrefix}`]),
    ...Object.entries(selector.tags).map(([key, value]) => `tag ${key}=${value}`),
    ...selector.versions.map((version) => `version ${JSON.stringify(version)}`),
  ];
  return parts.length === 0 ? "everything" : parts.join(", ");
}

/** A custom status on one line, with what is wrong with it. */
export function customStatusText(customStatus: CustomStatus | undefined): string {
  if (customStatus === undefined) return "";
  const { value, violation, overflowed, droppedSizeBytes } = customStatus;
  const dropped = overflowed ? ` (a newer one of ${droppedSizeBytes} bytes was dropped)` : "";
  const wrong = violation === "" ? "" : ` (against its schema: ${violation})`;
  return (value ?? "(cleared)") + dropped + wrong;
}
