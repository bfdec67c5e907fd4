/** Brings the file of a backup into an empty task hub. */
import { toJson } from "@bufbuild/protobuf";
import {
  type FinishImportResponse,
  FinishImportResponseSchema,
} from "../../../wire/gen/taskhub/v1/admin_service_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { operand } from "./operands.ts";
import { printDocument } from "./output.ts";
import { partsOf, readBackup } from "./verify-file.ts";
import { plural } from "./words.ts";

export const importHub: ClientWork<object> = async (context, _flags, operands) => {
  const { admin, patient, config, surroundings } = context;
  const file = operand(operands, 0, "the file");
  // First as a whole: a damaged file must not take the hub out of service.
  await readBackup(file, surroundings.workingDirectory, patient.signal);
  const { importId } = await admin.beginImport({}, patient);
  const imported = await sent(context, file, importId);
  printDocument(context, toJson(FinishImportResponseSchema, imported), () => {
    const instances = plural(Number(imported.instances), "instance");
    const hub = escapeControls(JSON.stringify(config.taskHub));
    const hold = escapeControls(imported.hold);
    return (
      `imported ${instances} into task hub ${hub}\n` +
      `held by selector "${hold}": taskhub hub resume ${hold} lets it go on\n`
    );
  });
  return EXIT.ok;
};

/** All parts, one after the other. Whatever ends it early gives the import up. */
async function sent(
  { admin, quick, patient, surroundings }: ClientContext,
  file: string,
  importId: string,
): Promise<FinishImportResponse> {
  try {
    let partNumber = 0n;
    for await (const data of partsOf(file, surroundings.workingDirectory)) {
      partNumber += 1n;
      await admin.importRecords({ importId, partNumber, data }, patient);
    }
    return await admin.finishImport({ importId }, patient);
  } catch (error) {
    // The sidecar gives it up by itself, later; what went wrong is more important than that.
    await admin.abortImport({ importId }, { timeoutMs: quick.timeoutMs ?? 0 }).catch(() => {});
    throw error;
  }
}
