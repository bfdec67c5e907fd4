/** Reads the file of an exported task hub as it comes in, and believes nothing that is not proven. */
import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type BackupEntry,
  type BackupHeader,
  type BackupRecord,
  BackupRecordSchema,
  type BackupTrailer,
} from "../../wire/gen/taskhub/v1/backup_pb.ts";
import {
  BACKUP_FORMAT,
  BACKUP_MAGIC,
  BackupRefused,
  damaged,
  FIRST_LINE,
  FRAME_BYTES,
  RECORD_BYTES_MAX,
  recordChecksum,
} from "./format.ts";
import { RecordOrder } from "./record-order.ts";

/** A record that stands in its place; the trailer is believed only by `end`. */
export type BackupItem =
  | { readonly kind: "header"; readonly header: BackupHeader }
  | { readonly kind: "entry"; readonly entry: BackupEntry };

/** What a whole file says of itself. */
export interface BackupSummary {
  readonly header: BackupHeader;
  readonly trailer: BackupTrailer;
}

export class BackupReader {
  readonly #hash = createHash("sha256");
  readonly #order = new RecordOrder();
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must be there before anything can be read. */
  #needed = FIRST_LINE.length;
  #stage: "line" | "frame" | "message" | "over" = "line";
  #frame: Buffer = Buffer.alloc(0);
  #records = 0;
  #header: BackupHeader | undefined;
  #trailer: BackupTrailer | undefined;

  /**
   * Takes bytes and gives the records that are complete with them.
   *
   * @throws BackupRefused
   */
  push(bytes: Uint8Array): BackupItem[] {
    this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#bytes += bytes.length;
    const items: BackupItem[] = [];
    while (this.#stage !== "over" && this.#bytes >= this.#needed) {
      const item = this.#step(this.#take(this.#needed));
      if (item !== undefined) items.push(item);
    }
    if (this.#stage === "over" && this.#bytes > 0) throw damaged("something follows its end");
    return items;
  }

  /**
   * Nothing comes any more.
   *
   * @throws BackupRefused unless the file is whole
   */
  end(): BackupSummary {
    const header = this.#header;
    const trailer = this.#trailer;
    if (header === undefined || trailer === undefined) {
      throw damaged(`it is cut off behind ${this.#records} records`);
    }
    return { header, trailer };
  }

  #step(bytes: Buffer): BackupItem | undefined {
    switch (this.#stage) {
      case "line":
        checkFirstLine(bytes);
        this.#hash.update(bytes);
        this.#await("frame", FRAME_BYTES);
        return undefined;
      case "frame": {
        const length = bytes.readUInt32BE(0);
        if (length > RECORD_BYTES_MAX) throw this.#wrong("has an impossible length");
        this.#frame = bytes;
        this.#await("message", length);
        return undefined;
      }
      default:
        this.#await("frame", FRAME_BYTES);
        return this.#message(bytes);
    }
  }

  #message(message: Buffer): BackupItem | undefined {
    const frame = this.#frame;
    if (frame.readUInt32BE(4) !== recordChecksum(frame.subarray(0, 4), message)) {
      throw this.#wrong("fails its checksum");
    }
    const { content } = this.#decoded(message);
    if (content.case === "trailer") return this.#finish(content.value);
    this.#hash.update(frame).update(message);
    this.#records += 1;
    switch (content.case) {
      case "header":
        this.#begin(content.value);
        return { kind: "header", header: content.value };
      case "entry":
        this.#order.add(content.value, `record ${this.#records}`);
        return { kind: "entry", entry: content.value };
      default:
        throw this.#wrong("holds nothing");
    }
  }

  #begin(header: BackupHeader): void {
    if (this.#header !== undefined) throw this.#wrong("is a second header");
    if (header.format !== BACKUP_FORMAT) throw this.#wrong("is a header of another format");
    this.#header = header;
    this.#order.begin(header);
  }

  #finish(trailer: BackupTrailer): undefined {
    const header = this.#header;
    const isOfHeader =
      header !== undefined &&
      trailer.format === header.format &&
      trailer.taskHub === header.taskHub &&
      trailer.incarnation === header.incarnation &&
      trailer.commitSequence === header.commitSequence;
    if (!isOfHeader) throw damaged("its trailer is that of another file");
    if (trailer.records !== BigInt(this.#records)) {
      throw damaged(`it has ${this.#records} records, and should have ${trailer.records}`);
    }
    if (!this.#hash.digest().equals(trailer.sha256)) throw damaged("it fails its SHA-256");
    if (trailer.instances !== BigInt(this.#order.end())) {
      throw damaged("its trailer counts other instances");
    }
    this.#trailer = trailer;
    this.#stage = "over";
    return undefined;
  }

  #decoded(message: Buffer): BackupRecord {
    try {
      return fromBinary(BackupRecordSchema, message);
    } catch (cause) {
      throw damaged(`record ${this.#records + 1} is malformed`, cause);
    }
  }

  #wrong(what: string): BackupRefused {
    return damaged(`record ${this.#records + 1} ${what}`);
  }

  #await(stage: "frame" | "message", bytes: number): void {
    this.#stage = stage;
    this.#needed = bytes;
  }

  /** The next bytes in one piece. Pieces are joined only when there are enough of them. */
  #take(count: number): Buffer {
    let all = this.#chunks[0] ?? Buffer.alloc(0);
    if (all.length < count) {
      all = Buffer.concat(this.#chunks);
      this.#chunks = [all];
    }
    const rest = all.subarray(count);
    if (rest.length === 0) this.#chunks.shift();
    else this.#chunks[0] = rest;
    this.#bytes -= count;
    return all.subarray(0, count);
  }
}

function checkFirstLine(line: Buffer): void {
  if (line.equals(FIRST_LINE)) return;
  const text = line.toString("latin1");
  if (!text.startsWith(BACKUP_MAGIC)) throw damaged("it does not begin like a backup");
  const format = /^[1-9]\d*/.exec(text.slice(BACKUP_MAGIC.length))?.[0];
  if (format === undefined) throw damaged("its first line names no format");
  throw new BackupRefused(
    "newer",
    `the backup needs a newer version: this one does not know format ${format}`,
  );
}
