/**
 * The file of an exported task hub: a line that says what it is, and records behind it. What they
 * are is told in proto/api/taskhub/v1/backup.proto.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type BackupHeader,
  type BackupRecord,
  BackupRecordSchema,
} from "../../wire/gen/taskhub/v1/backup_pb.ts";
import { present } from "../../wire/history-event.ts";

export const BACKUP_FORMAT = 1;

/** Every format begins so; a digit and more follow. */
export const BACKUP_MAGIC = "taskhub-backup ";

export const FIRST_LINE: Uint8Array = Buffer.from(`${BACKUP_MAGIC}${BACKUP_FORMAT}\n`, "latin1");

/** Length and checksum in front of each record. */
export const FRAME_BYTES = 8;

/** A longer record is none of ours: such a length comes from damage. */
export const RECORD_BYTES_MAX = 512 * 1024 * 1024;

/** Why a file is refused. The message says what is wrong with it, and where. */
export class BackupRefused extends Error {
  override readonly name = "BackupRefused";
  readonly reason: "damaged" | "newer";

  constructor(reason: "damaged" | "newer", message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export function damaged(problem: string, cause?: unknown): BackupRefused {
  return new BackupRefused("damaged", `the backup is damaged: ${problem}`, { cause });
}

/** CRC-32 of a record: of its length, as it stands in the frame, and of the message. */
export function recordChecksum(length: Uint8Array, message: Uint8Array): number {
  return crc32(message, crc32(length));
}

type RecordContent = NonNullable<MessageInitShape<typeof BackupRecordSchema>["content"]>;

/** Makes a file, a record at a time, and knows what its trailer has to say. */
export class BackupWriter {
  readonly #header: BackupHeader;
  readonly #hash = createHash("sha256");
  #records = 0;

  constructor(header: BackupHeader) {
    this.#header = header;
  }

  /** The first line and the header. */
  begin(): Uint8Array {
    this.#hash.update(FIRST_LINE);
    return Buffer.concat([FIRST_LINE, this.add({ case: "header", value: this.#header })]);
  }

  /** One record with its frame. */
  add(content: RecordContent): Uint8Array {
    const bytes = framed(create(BackupRecordSchema, { content }));
    this.#hash.update(bytes);
    this.#records += 1;
    return bytes;
  }

  /** The last record. Nothing follows. */
  end(instances: number): Uint8Array {
    const { commitSequence, format, taskHub, exportedAt, incarnation } = this.#header;
    const value = {
      records: BigInt(this.#records),
      sha256: this.#hash.digest(),
      commitSequence,
      format,
      taskHub,
      ...present("exportedAt", exportedAt),
      incarnation,
      instances: BigInt(instances),
    };
    return framed(create(BackupRecordSchema, { content: { case: "trailer", value } }));
  }
}

function framed(record: BackupRecord): Uint8Array {
  const message = toBinary(BackupRecordSchema, record);
  const bytes = Buffer.allocUnsafe(FRAME_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 0);
  bytes.writeUInt32BE(recordChecksum(bytes.subarray(0, 4), message), 4);
  bytes.set(message, FRAME_BYTES);
  return bytes;
}
