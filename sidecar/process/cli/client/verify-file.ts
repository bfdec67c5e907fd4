/** Reads the file of a backup from its beginning to its end. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { LIMITS } from "../../../foundation/limits.ts";
import { BackupRefused } from "../../../store/backup/format.ts";
import { BackupReader, type BackupSummary } from "../../../store/backup/reader.ts";
import { LogRecordSchema } from "../../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";

/**
 * Proves that a file is whole, undamaged, and of a format that this version knows.
 *
 * @throws ExitError 64 when it cannot be read, 74 when it is damaged, 78 when it is too new
 */
export async function readBackup(
  file: string,
  workingDirectory: string,
  signal: AbortSignal | undefined,
): Promise<BackupSummary> {
  const reader = new BackupReader();
  return refusing(file, async () => {
    for await (const part of partsOf(file, workingDirectory)) {
      signal?.throwIfAborted();
      takePart(reader, part);
    }
    return reader.end();
  });
}

/** Takes a part in, with all that its entries say. @throws BackupRefused */
export function takePart(reader: BackupReader, part: Uint8Array): void {
  for (const item of reader.push(part)) {
    if (item.kind === "entry") checkEntry(item.entry.entry);
  }
}

/** The bytes of a file in parts that one call can carry. @throws ExitError 64 */
export async function* partsOf(
  file: string,
  workingDirectory: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using handle = await openToRead(resolve(workingDirectory, file), file);
  for (;;) {
    const part = Buffer.allocUnsafe(LIMITS.backupPartBytesMax);
    const { bytesRead } = await handle.read(part, 0, part.length);
    if (bytesRead === 0) return;
    yield part.subarray(0, bytesRead);
  }
}

/** Says of a refused file which one it is, and ends as the table of exit codes has it. */
export async function refusing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackupRefused)) throw error;
    const code = error.reason === "newer" ? EXIT.config : EXIT.storeDistrusted;
    throw new ExitError(code, `${file}: ${error.message}`, { cause: error });
  }
}

function checkEntry(entry: Uint8Array): void {
  try {
    fromBinary(LogRecordSchema, entry);
  } catch (cause) {
    throw new BackupRefused("damaged", "the backup is damaged: an entry is malformed", { cause });
  }
}

async function openToRead(path: string, file: string) {
  try {
    return await open(path, "r");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ExitError(EXIT.usage, `${file}: ${reason}`, { cause });
  }
}
