import { toJson } from "@bufbuild/protobuf";
import {
  type HistoryEvent,
  HistoryEventSchema,
  OrchestrationStatusSchema,
} from "../../../wire/gen/orchestrator_service_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { operand } from "./operands.ts";
import { Listing } from "./output.ts";
import type { Column } from "./table.ts";
import { showTime } from "./times.ts";

/** The committed history of the current generation, event by event. */
export const history: ClientWork<object> = async (context, _flags, operands) => {
  const instanceId = operand(operands, 0, "the instance id");
  const listing = new Listing(context, {
    json: (event: HistoryEvent) => toJson(HistoryEventSchema, event),
    columns: eventColumns,
  });
  for await (const { events } of context.compat.streamInstanceHistory(
    { instanceId },
    context.patient,
  )) {
    for (const event of events) listing.add(event);
  }
  listing.end();
  return EXIT.ok;
};

const eventColumns: readonly Column<HistoryEvent>[] = [
  { title: "TIME", cell: ({ timestamp }) => showTime(timestamp), whole: true },
  { title: "ID", cell: ({ eventId }) => (eventId < 0 ? "" : `${eventId}`), whole: true },
  { title: "EVENT", cell: ({ eventType }) => eventName(eventType.case ?? ""), whole: true },
  { title: "DETAILS", cell: ({ eventType }) => detailsOf(eventType.value) },
];

/** As the protocol writes it: TaskScheduled. */
function eventName(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** What people look for in an event, in this order. */
const detailKeys = [
  "name",
  "version",
  "instanceId",
  "taskScheduledId",
  "timerId",
  "fireAt",
  "orchestrationStatus",
  "input",
  "result",
  "failureDetails",
] as const;

function detailsOf(value: object | undefined): string {
  if (value === undefined) return "";
  const fields = new Map<string, unknown>(Object.entries(value));
  return detailKeys
    .flatMap((key) => {
      const text = detailText(key, fields.get(key));
      return text === "" ? [] : [key === "name" ? text : `${key}=${text}`];
    })
    .join(" ");
}

function detailText(key: (typeof detailKeys)[number], value: unknown): string {
  if (value === undefined || value === null || value === "") return "";
  if (key === "orchestrationStatus") {
    const named = OrchestrationStatusSchema.values.find(({ number }) => number === value);
    return named?.localName ?? String(value);
  }
  if (typeof value !== "object") return String(value);
  if ("errorMessage" in value) return String(value.errorMessage);
  if ("seconds" in value && "nanos" in value && typeof value.seconds === "bigint") {
    return new Date(Number(value.seconds) * 1_000).toISOString().replace(".000Z", "Z");
  }
  return "";
}
