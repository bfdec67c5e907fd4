import { toJson } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { HoldScope, HoldScopeSchema } from "../../../wire/gen/taskhub/v1/hold_pb.ts";
import { type Suspension, SuspensionSchema } from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { selectorWords } from "./instance-columns.ts";
import { Listing } from "./output.ts";
import { suspensionPages } from "./query.ts";
import type { Column } from "./table.ts";
import { parseDuration, showDurationMs, showTime } from "./times.ts";
import { enumWord, parseEnum } from "./words.ts";

export interface SuspensionsFlags {
  readonly name?: string;
  readonly scope?: string;
  readonly reason?: string;
  readonly olderThan?: string;
  readonly overdue?: boolean;
  readonly prefix?: string;
}

/** Holds of every scope, the oldest first. */
export const suspensions: ClientWork<SuspensionsFlags> = async (context, flags) => {
  const { name, scope, reason = "", olderThan, overdue = false, prefix = "" } = flags;
  const request = {
    scope:
      scope === undefined
        ? HoldScope.UNSPECIFIED
        : (parseEnum(HoldScopeSchema, scope, "--scope") as HoldScope),
    reasonContains: reason,
    overdue,
    instanceIdPrefix: prefix,
    ...present("name", name),
    ...(olderThan === undefined ? {} : { olderThan: parseDuration(olderThan, "--older-than") }),
  };
  const listing = new Listing(context, {
    json: (suspension: Suspension) => toJson(SuspensionSchema, suspension),
    columns: suspensionColumns,
  });
  for await (const page of suspensionPages(context, request)) {
    for (const suspension of page) listing.add(suspension);
    listing.flush();
  }
  listing.end();
  return EXIT.ok;
};

const suspensionColumns: readonly Column<Suspension>[] = [
  { title: "HOLD", cell: ({ hold }) => JSON.stringify(hold?.name ?? ""), whole: true },
  { title: "SCOPE", cell: ({ hold }) => enumWord(HoldScopeSchema, hold?.scope ?? 0) },
  {
    title: "ON",
    cell: ({ instanceId, hold }) => instanceId || selectorWords(hold?.window?.selector),
    whole: true,
  },
  { title: "AGE", cell: ({ age }) => (age === undefined ? "" : showDurationMs(durationMs(age))) },
  {
    title: "EXPIRES",
    cell: ({ hold }) => ({
      text: showTime(hold?.expiresAt) + (hold?.overdue ? " overdue" : ""),
      paint: hold?.overdue ? "red" : undefined,
    }),
  },
  { title: "HELD", cell: ({ instancesHeld }) => `${instancesHeld}` },
  { title: "EVENTS", cell: ({ bufferedEvents }) => `${bufferedEvents}` },
  { title: "BY", cell: ({ hold }) => hold?.requestedBy ?? "" },
  { title: "REASON", cell: ({ hold }) => hold?.reason ?? "" },
];
