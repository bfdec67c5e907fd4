import { toJson } from "@bufbuild/protobuf";
import { GetCustomStatusResponseSchema } from "../../../wire/gen/taskhub/v1/custom_status_pb.ts";
import { type CustomStatus, CustomStatusSchema } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { customStatusText, holdSentence } from "./instance-columns.ts";
import { operand } from "./operands.ts";
import { Listing, outputStyle, printDocument } from "./output.ts";
import { type Cell, fieldLines } from "./table.ts";
import { showDuration, showTime } from "./times.ts";
import { statusCell } from "./words.ts";

export interface StatusFlags {
  readonly revisions?: boolean;
}

/** The custom status of one instance. */
export const status: ClientWork<StatusFlags> = async (context, { revisions }, operands) => {
  const instanceId = operand(operands, 0, "the instance id");
  if (revisions === true) await listRevisions(context, instanceId);
  else await showNewest(context, instanceId);
  return EXIT.ok;
};

async function showNewest(context: ClientContext, instanceId: string): Promise<void> {
  const answer = await context.v1.getCustomStatus({ instanceId }, context.quick);
  const { customStatus } = answer;
  printDocument(context, toJson(GetCustomStatusResponseSchema, answer), () =>
    fieldLines(
      [
        ["status", statusCell(answer.status)],
        [
          "custom status",
          customStatus === undefined ? "(never set)" : customStatusText(customStatus),
        ],
        ["revision", customStatus === undefined ? "" : `${customStatus.revision}`],
        ["updated", showTime(customStatus?.updatedAt)],
        ["age", showDuration(customStatus?.age)],
        ["size", customStatus === undefined ? "" : `${customStatus.sizeBytes} bytes`],
        ...answer.holds.map(
          (hold) => ["held by", { text: holdSentence(hold), paint: "yellow" } as Cell] as const,
        ),
      ],
      outputStyle(context),
    ),
  );
}

async function listRevisions(context: ClientContext, instanceId: string): Promise<void> {
  const answer = await context.v1.listCustomStatusRevisions({ instanceId }, context.quick);
  const listing = new Listing<CustomStatus>(context, {
    json: (revision) => toJson(CustomStatusSchema, revision),
    columns: [
      { title: "REVISION", cell: ({ revision }) => `${revision}` },
      { title: "UPDATED", cell: ({ updatedAt }) => showTime(updatedAt) },
      { title: "SIZE", cell: ({ sizeBytes }) => `${sizeBytes}` },
      { title: "CUSTOM STATUS", cell: customStatusText },
    ],
  });
  for (const revision of answer.revisions) listing.add(revision);
  listing.end();
}
