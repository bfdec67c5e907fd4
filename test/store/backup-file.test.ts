/** The file of a backup: what is whole is read back, and nothing else is believed. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { BackupRefused, BackupWriter } from "../../sidecar/store/backup/format.ts";
import { BackupReader } from "../../sidecar/store/backup/reader.ts";
import {
  BackupEntrySchema,
  BackupHeaderSchema,
  BackupRecordSchema,
} from "../../sidecar/wire/gen/taskhub/v1/backup_pb.ts";
import { opened, recordPlaces } from "../support/backup-files.ts";

const HEADER = create(BackupHeaderSchema, {
  format: 1,
  taskHub: "orders",
  incarnation: "first",
  exportedAt: timestampFromMs(0),
  commitSequence: 7n,
  numbersEnd: 100n,
});

interface Log {
  readonly instanceId: string;
  readonly number: bigint;
  readonly sequences: readonly number[];
  readonly generation?: number;
  /** Told apart from the usual one. */
  readonly text?: string;
}

const LOGS: readonly Log[] = [
  { instanceId: "", number: 5n, sequences: [3, 4] },
  { instanceId: "a", number: 6n, sequences: [1, 2, 3] },
  { instanceId: "\u{1f600}", number: 2n, sequences: [9], generation: 4 },
];

function fileOf(logs: readonly Log[], header = HEADER): Buffer {
  const writer = new BackupWriter(header);
  const pieces = [writer.begin()];
  for (const { instanceId, number, sequences, generation = 1, text = "" } of logs) {
    for (const sequence of sequences) {
      const value = {
        instanceId,
        number,
        generation,
        sequence: BigInt(sequence),
        entry: Buffer.from(`entry ${instanceId} ${sequence}${text}`),
      };
      pieces.push(writer.add({ case: "entry", value }));
    }
  }
  pieces.push(writer.end(logs.filter(({ instanceId }) => instanceId !== "").length));
  return Buffer.concat(pieces);
}

const FILE = fileOf(LOGS);

function readAll(file: Uint8Array, partBytes = file.length): unknown {
  const reader = new BackupReader();
  const entries: unknown[] = [];
  for (let at = 0; at < file.length; at += partBytes) {
    for (const item of reader.push(file.subarray(at, at + partBytes))) {
      if (item.kind === "entry") entries.push(toBinary(BackupEntrySchema, item.entry));
    }
  }
  return { ...reader.end(), entries };
}

function problemOf(file: Uint8Array): string {
  try {
    readAll(file);
  } catch (error) {
    if (error instanceof BackupRefused) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return "nothing";
}

/** The file with its records in this order. */
function arranged(order: (records: Buffer[]) => readonly (Buffer | undefined)[]): Buffer {
  const places = recordPlaces(FILE);
  const records = places.slice(0, -1).map((at, index) => FILE.subarray(at, places[index + 1]));
  const line = FILE.subarray(0, places[0]);
  return Buffer.concat([line, ...order(records).filter((record) => record !== undefined)]);
}

describe("a whole file", () => {
  test("is read back as it was written, in parts of any size", () => {
    const { header, trailer, entries } = opened(FILE);
    expect(header).toEqual(HEADER);
    expect(entries.map(({ instanceId, sequence }) => `${instanceId} ${sequence}`)).toEqual([
      " 3",
      " 4",
      "a 1",
      "a 2",
      "a 3",
      "\u{1f600} 9",
    ]);
    expect(trailer).toMatchObject({ records: 7n, instances: 2n, taskHub: "orders" });
    for (const bytes of [1, 2, 7, 16, 17, 18, 64, 1_000]) {
      expect(readAll(FILE, bytes), `${bytes} bytes`).toEqual(readAll(FILE));
    }
  });

  test("begins with a line that people can read, and ends with the SHA-256 of what is before", () => {
    expect(FILE.subarray(0, 17).toString()).toBe("taskhub-backup 1\n");
    const end = recordPlaces(FILE).at(-2) ?? 0;
    const sha256 = createHash("sha256").update(FILE.subarray(0, end)).digest();
    expect(Buffer.from(opened(FILE).trailer.sha256)).toEqual(sha256);
  });

  test("may hold a hub without instances", () => {
    expect(opened(fileOf(LOGS.slice(0, 1))).trailer.instances).toBe(0n);
  });
});

describe("a file is refused", () => {
  test("that is cut off anywhere", () => {
    for (let bytes = 0; bytes < FILE.length; bytes += 1) {
      expect(problemOf(FILE.subarray(0, bytes)), `${bytes} bytes`).toMatch(
        /^damaged: the backup is damaged: it is cut off/,
      );
    }
  });

  test("in which any bit is flipped", () => {
    for (let bit = 0; bit < FILE.length * 8; bit += 1) {
      const flipped = Buffer.from(FILE);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(problemOf(flipped), `bit ${bit}`).toMatch(/^(damaged|newer): /);
    }
  });

  test("in which any byte is missing, doubled, or zero", () => {
    for (let at = 0; at < FILE.length; at += 1) {
      const [before, byte, after] = [FILE.subarray(0, at), FILE[at], FILE.subarray(at + 1)];
      const missing = Buffer.concat([before, after]);
      const doubled = Buffer.concat([before, Buffer.of(byte ?? 0, byte ?? 0), after]);
      expect(problemOf(missing), `missing ${at}`).not.toBe("nothing");
      expect(problemOf(doubled), `doubled ${at}`).not.toBe("nothing");
      if (byte === 0) continue;
      expect(problemOf(Buffer.concat([before, Buffer.of(0), after]))).not.toBe("nothing");
    }
  });

  test("in which two records are swapped, or one is missing or doubled", () => {
    expect(problemOf(arranged((records) => records))).toBe("nothing");
    const count = recordPlaces(FILE).length - 1;
    for (let left = 0; left < count; left += 1) {
      const without = arranged((records) => records.toSpliced(left, 1));
      expect(problemOf(without), `without ${left}`).not.toBe("nothing");
      const doubled = arranged((records) => records.toSpliced(left, 0, records[left] as Buffer));
      expect(problemOf(doubled), `doubled ${left}`).not.toBe("nothing");
      for (let right = left + 1; right < count; right += 1) {
        const swapped = arranged((records) =>
          records.with(left, records[right] as Buffer).with(right, records[left] as Buffer),
        );
        expect(problemOf(swapped), `${left} and ${right}`).not.toBe("nothing");
      }
    }
  });

  test("behind whose end something follows", () => {
    expect(problemOf(Buffer.concat([FILE, Buffer.of(0)]))).toMatch(/something follows its end/);
    expect(problemOf(Buffer.concat([FILE, FILE]))).toMatch(/something follows its end/);
  });

  test("with the trailer of another file", () => {
    const other = fileOf(LOGS, create(BackupHeaderSchema, { ...HEADER, incarnation: "second" }));
    const trailer = other.subarray(recordPlaces(other).at(-2));
    expect(problemOf(arranged((records) => [...records.slice(0, -1), trailer]))).toMatch(
      /its trailer is that of another file/,
    );
  });

  test("in which a record was changed, with a checksum that is right", () => {
    const changed = fileOf(LOGS.with(1, { ...logAt(1), text: "changed" }));
    const places = recordPlaces(changed);
    const other = changed.subarray(places[4], places[5]);
    expect(problemOf(arranged((records) => records.with(4, other)))).toMatch(/fails its SHA-256/);
  });

  test.each([
    ["records", { records: 8n }, /has 7 records, and should have 8/],
    ["instances", { instances: 3n }, /counts other instances/],
    ["hub", { taskHub: "other" }, /that of another file/],
  ])("whose trailer says something else of its %s", (_what, other, problem) => {
    const value = { ...opened(FILE).trailer, ...other };
    const content = { case: "trailer", value } as const;
    const message = toBinary(BackupRecordSchema, create(BackupRecordSchema, { content }));
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(message.length, 0);
    frame.writeUInt32BE(crc32(message, crc32(frame.subarray(0, 4))), 4);
    const trailer = Buffer.concat([frame, message]);
    expect(problemOf(arranged((records) => [...records.slice(0, -1), trailer]))).toMatch(problem);
  });

  test("of a newer format, in words that say so", () => {
    for (const format of ["2", "10", "2.1"]) {
      const line = Buffer.from(`taskhub-backup ${format}\nwhatever comes then`);
      expect(problemOf(line)).toBe(
        `newer: the backup needs a newer version: this one does not know format ${Number.parseInt(format, 10)}`,
      );
    }
  });

  test("that is something else", () => {
    expect(problemOf(Buffer.from("SQLite format 3\0 and more"))).toMatch(/does not begin like/);
    expect(problemOf(Buffer.from("taskhub-backup x\n"))).toMatch(/names no format/);
    expect(problemOf(Buffer.alloc(0))).toMatch(/cut off/);
  });

  test.each<[string, readonly Log[], RegExp]>([
    ["without a hub", LOGS.slice(1), /the log of the hub is missing/],
    ["with a gap in a log", [{ ...logAt(0), sequences: [1, 3] }], /does not follow/],
    ["with its instances in another order", [logAt(0), logAt(2), logAt(1)], /not in its place/],
    ["with an instance twice", [logAt(0), logAt(1), logAt(1)], /does not follow/],
    ["with the number 0", [{ ...logAt(0), number: 0n }], /impossible storage number/],
    ["with a number that was never used", [{ ...logAt(0), number: 100n }], /impossible storage/],
  ])("whose checksums are right, %s", (_what, logs, problem) => {
    expect(problemOf(fileOf(logs))).toMatch(problem);
  });
});

function logAt(index: number): Log {
  return LOGS[index] as Log;
}
