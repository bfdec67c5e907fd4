/** Checks the file of a backup, without a sidecar and without a store. */
import { toJson } from "@bufbuild/protobuf";
import type { BackupSummary } from "../../../store/backup/reader.ts";
import { BackupTrailerSchema } from "../../../wire/gen/taskhub/v1/backup_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { operand } from "./operands.ts";
import { outputStyle, printDocument } from "./output.ts";
import { fieldLines } from "./table.ts";
import { showTime } from "./times.ts";
import { readBackup } from "./verify-file.ts";

export const verifyFile: ClientWork<object> = async (context, _flags, operands) => {
  const file = operand(operands, 0, "the file");
  const { workingDirectory } = context.surroundings;
  const summary = await readBackup(file, workingDirectory, context.patient.signal);
  printSummary(context, summary);
  return EXIT.ok;
};

/** What the file holds, as its trailer has it. */
export function printSummary(context: ClientContext, { trailer }: BackupSummary): void {
  const text = () =>
    fieldLines(
      [
        ["task hub", trailer.taskHub],
        ["exported", showTime(trailer.exportedAt)],
        ["instances", `${trailer.instances}`],
        ["records", `${trailer.records}`],
        ["format", `${trailer.format}`],
        ["sha-256", Buffer.from(trailer.sha256).toString("hex")],
      ],
      outputStyle(context),
    );
  printDocument(context, toJson(BackupTrailerSchema, trailer), text);
}
