/** Writes a task hub to a file. */
import { BackupReader, type BackupSummary } from "../../../store/backup/reader.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { createWhole } from "./export-file.ts";
import { operand } from "./operands.ts";
import { printSummary } from "./verify.ts";
import { refusing, takePart } from "./verify-file.ts";

export const exportHub: ClientWork<object> = async (context, _flags, operands) => {
  const file = operand(operands, 0, "the file");
  const { workingDirectory } = context.surroundings;
  let summary: BackupSummary | undefined;
  await createWhole(file, workingDirectory, async (write) => {
    summary = await refusing(file, () => received(context, write));
  });
  if (summary !== undefined) printSummary(context, summary);
  return EXIT.ok;
};

/** What comes is checked on its way to the disk: the file is whole, or there is none. */
async function received(
  { admin, patient }: ClientContext,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<BackupSummary> {
  const reader = new BackupReader();
  for await (const { data } of admin.exportTaskHub({}, patient)) {
    takePart(reader, data);
    await write(data);
  }
  return reader.end();
}
