/** Reads every index, and finds the rows that no log speaks for. */
import { fromBinary } from "@bufbuild/protobuf";
import { InstanceAddressSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { decodeLogRecord } from "../entry-codec.ts";
import { unseal } from "../envelope.ts";
import type { StorageNumber } from "../store.ts";
import { keyText, type ReadableBytes, type Row } from "./bytes.ts";
import { type Findings, quoted, wordsOf } from "./check-findings.ts";
import { LogFold } from "./check-fold.ts";
import { findHub } from "./check-hubs.ts";
import type { RowCounts } from "./check-logs.ts";
import { dyingBelow, eachKey, eachRow, type KnownHubs } from "./check-reading.ts";
import { expectedRows, ROW_KINDS, ROW_SCHEMAS, type RowKind } from "./check-rows.ts";
import { findInstance } from "./index-reader.ts";
import {
  dueKeyParts,
  instanceIdOf,
  kindRange,
  logGenerationOf,
  logGenerationsRange,
  logRange,
  logSequenceOf,
  numberOf,
  snapshotGenerationOf,
} from "./keys.ts";
import { completedKeyParts, heldKeyParts, queryKeyParts } from "./query-keys.ts";

const LOG_PAGE = 64;

/** The life that a row claims to be about. */
interface Claim {
  readonly number: StorageNumber | undefined;
  readonly who: string;
}

/** @param expected how many rows the logs speak for */
export async function checkIndexes(
  bytes: ReadableBytes,
  hubs: KnownHubs,
  expected: RowCounts,
  findings: Findings,
): Promise<void> {
  const check = new IndexCheck(bytes, hubs, findings);
  for (const kind of ROW_KINDS) await check.rows(kind, expected[kind]);
  await check.snapshots(expected.snapshot);
}

class IndexCheck {
  readonly #bytes: ReadableBytes;
  readonly #hubs: KnownHubs;
  readonly #findings: Findings;

  constructor(bytes: ReadableBytes, hubs: KnownHubs, findings: Findings) {
    this.#bytes = bytes;
    this.#hubs = hubs;
    this.#findings = findings;
  }

  /** Only when there are more rows than the logs speak for they are looked at one by one. */
  async rows(kind: RowKind, expected: number): Promise<void> {
    const { figures } = this.#findings;
    let read = 0;
    for await (const [key, value] of eachRow(this.#bytes, kindRange(kind), this.#findings)) {
      if (this.#isSetAside(kind, key, value)) figures.setAside += 1;
      else read += 1;
    }
    figures.indexRows += read;
    if (read === expected) return;
    for await (const [key, value] of eachRow(this.#bytes, kindRange(kind), this.#findings)) {
      if (!this.#isSetAside(kind, key, value)) await this.#judge(kind, key, value);
    }
  }

  /** By their keys: those that are in use were read with their logs. */
  async snapshots(expected: number): Promise<void> {
    const extra: Uint8Array[] = [];
    let read = 0;
    for await (const key of eachKey(this.#bytes, kindRange("snapshot"), this.#findings)) {
      const number = numberOf(key);
      const generation = snapshotGenerationOf(key);
      if (generation < dyingBelow(this.#bytes, number)) continue;
      read += 1;
      const log = logRange(number, generation, 0);
      if ((await this.#bytes.keys(log, { limit: 1 })).length === 0) extra.push(key);
    }
    this.#findings.figures.snapshots = read;
    if (read === expected) return;
    for (const key of extra) {
      const what = `snapshot of log ${numberOf(key)}: there is no such log`;
      await this.#findings.index(what, { type: "del", key });
    }
  }

  /**
   * Rows of hubs that are being deleted or imported. Due rows of a hub that is gone stay until they
   * are due.
   */
  #isSetAside(kind: RowKind, key: Uint8Array, value: Uint8Array): boolean {
    const hub = hubOf(kind, key, value);
    if (hub === undefined) return false;
    return kind === "due" ? !this.#hubs.live.has(hub) : this.#hubs.setAside.has(hub);
  }

  async #judge(kind: RowKind, key: Uint8Array, value: Uint8Array): Promise<void> {
    const { number, who } = this.#claimOf(kind, key);
    const isExpected = number !== undefined && (await this.#keysOf(number)).has(keyText(key));
    if (isExpected) return;
    const isDamaged = problemOf(kind, value) !== undefined;
    const what = `${kind} row of ${who}: ${isDamaged ? "it is damaged, and " : ""}no log speaks for it`;
    // Of an instance whose log is gone the row is all that is left to tell of the loss.
    if (kind === "instance") await this.#findings.damage(what);
    else await this.#findings.index(what, { type: "del", key });
  }

  #claimOf(kind: RowKind, key: Uint8Array): Claim {
    switch (kind) {
      case "ready":
        return byNumber(numberOf(key));
      case "due":
        return byNumber(dueKeyParts(key).number);
      case "held":
        return byNumber(heldKeyParts(key).number);
      case "query":
        return this.#byId(numberOf(key), queryKeyParts(key).instanceId);
      case "completed":
        return this.#byId(numberOf(key), completedKeyParts(key).instanceId);
      case "instance":
        return this.#byId(numberOf(key), instanceIdOf(key));
    }
  }

  #byId(hub: StorageNumber, instanceId: string): Claim {
    const who = `instance ${quoted(instanceId)} in hub ${hub}`;
    try {
      return { number: findInstance(this.#bytes, hub, instanceId)?.number, who };
    } catch {
      return { number: undefined, who };
    }
  }

  /** Keys of all rows that follow from a log. */
  async #keysOf(number: StorageNumber): Promise<ReadonlySet<string>> {
    const fold = await this.#foldOf(number);
    const state = fold?.state;
    if (fold === undefined || state === undefined || fold.isOver) return none;
    const hub = findHub(this.#bytes, this.#hubs, number, state.instanceId);
    if (hub === undefined || hub === "set aside") return none;
    return new Set(expectedRows(hub, state).map(({ put }) => keyText(put.key)));
  }

  async #foldOf(number: StorageNumber): Promise<LogFold | undefined> {
    const all = logGenerationsRange(number, 0);
    const [last] = await this.#bytes.keys(all, { limit: 1, reverse: true });
    if (last === undefined || logGenerationOf(last) < dyingBelow(this.#bytes, number)) {
      return undefined;
    }
    const fold = new LogFold(number, logGenerationOf(last));
    const range = logRange(number, fold.generation, 0);
    for await (const row of eachRow(this.#bytes, range, this.#findings, LOG_PAGE)) take(fold, row);
    return fold;
  }
}

const none: ReadonlySet<string> = new Set();

function byNumber(number: StorageNumber): Claim {
  return { number, who: `log ${number}` };
}

/** What is wrong with the log was told when all logs were read. */
function take(fold: LogFold, [key, value]: Row): void {
  try {
    fold.add(logSequenceOf(key), decodeLogRecord(value, "an entry"));
  } catch (error) {
    fold.problem ??= wordsOf(error);
  }
}

function problemOf(kind: RowKind, value: Uint8Array): string | undefined {
  try {
    fromBinary(ROW_SCHEMAS[kind], unseal(value, "it"));
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
}

/** Undefined when the row does not say it any more. */
function hubOf(kind: RowKind, key: Uint8Array, value: Uint8Array): StorageNumber | undefined {
  if (kind !== "ready" && kind !== "due") return numberOf(key);
  try {
    return fromBinary(InstanceAddressSchema, unseal(value, "it")).hub;
  } catch {
    return undefined;
  }
}
