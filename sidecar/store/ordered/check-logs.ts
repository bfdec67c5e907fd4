/** Folds every log, and looks for the rows that follow from it. */
import { create } from "@bufbuild/protobuf";
import type { InstanceState } from "../../engine/state.ts";
import { GarbageRowSchema } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { decodeLogRecord } from "../entry-codec.ts";
import type { StorageNumber } from "../store.ts";
import type { ReadableBytes, Write } from "./bytes.ts";
import { type Findings, quoted, wordsOf } from "./check-findings.ts";
import { LogFold } from "./check-fold.ts";
import { findHub, mayBelongTo } from "./check-hubs.ts";
import { dyingBelow, eachRow, type KnownHubs } from "./check-reading.ts";
import { compareRow, expectedRows, ROW_KINDS, type RowKind } from "./check-rows.ts";
import { encodeIndexChange } from "./encoded-commit.ts";
import { readSnapshot } from "./index-reader.ts";
import { kindRange, logGenerationOf, logSequenceOf, numberOf } from "./keys.ts";

/** How many rows of each index follow from the logs and are there, and how many snapshots. */
export type RowCounts = Record<RowKind | "snapshot", number>;

/** Puts read at once: each may hold a few megabytes. */
const PAGE = 64;

const TOLD_EVERY = 10_000;

export async function checkLogs(
  bytes: ReadableBytes,
  hubs: KnownHubs,
  findings: Findings,
): Promise<RowCounts> {
  const check = new LogCheck(bytes, hubs, findings);
  await check.run();
  return check.counts;
}

class LogCheck {
  readonly counts: RowCounts;
  readonly #bytes: ReadableBytes;
  readonly #hubs: KnownHubs;
  readonly #findings: Findings;
  readonly #hubsSeen = new Set<StorageNumber>();
  #fold: LogFold | undefined;
  /** Generations of the log below this one are on their way out. */
  #below = 0;
  #logs = 0;

  constructor(bytes: ReadableBytes, hubs: KnownHubs, findings: Findings) {
    this.#bytes = bytes;
    this.#hubs = hubs;
    this.#findings = findings;
    const none = ROW_KINDS.map((kind) => [kind, 0] as const);
    this.counts = { snapshot: 0, ...(Object.fromEntries(none) as Record<RowKind, number>) };
  }

  async run(): Promise<void> {
    let number: StorageNumber | undefined;
    for await (const [key, value] of eachRow(this.#bytes, kindRange("log"), this.#findings, PAGE)) {
      if (numberOf(key) !== number) {
        await this.#endLog();
        number = numberOf(key);
        await this.#beginLog(number);
      }
      await this.#take(numberOf(key), logGenerationOf(key), logSequenceOf(key), value);
    }
    await this.#endLog();
    for (const [hub, name] of this.#hubs.live) {
      if (!this.#hubsSeen.has(hub)) {
        await this.#findings.damage(`task hub ${quoted(name)}: its log ${hub} is missing`);
      }
    }
    this.#findings.progress(this.#logs);
  }

  async #beginLog(number: StorageNumber): Promise<void> {
    this.#logs += 1;
    if (this.#logs % TOLD_EVERY === 0) this.#findings.progress(this.#logs);
    if (number >= this.#hubs.reserved) {
      await this.#findings.damage(`log ${number} has a number that was never reserved`);
    }
    this.#below = dyingBelow(this.#bytes, number);
    this.#findings.figures.dying += this.#below > 0 ? 1 : 0;
  }

  async #take(
    number: StorageNumber,
    generation: number,
    sequence: number,
    value: Uint8Array,
  ): Promise<void> {
    const what = `log ${number}, generation ${generation}, entry ${sequence}`;
    const isDying = generation < this.#below;
    if (!isDying && this.#fold?.generation !== generation) {
      if (this.#fold !== undefined) await this.#endEarlier(this.#fold, generation);
      this.#fold = new LogFold(number, generation, await this.#snapshotOf(number, generation));
    }
    try {
      const record = decodeLogRecord(value, what);
      if (!isDying) this.#fold?.add(sequence, record);
    } catch (error) {
      await this.#findings.damage(wordsOf(error));
      if (this.#fold !== undefined) this.#fold.problem ??= "an entry is damaged";
    }
  }

  /** A generation ends with a commit that also says what of the log may be deleted. */
  async #endEarlier({ number, generation }: LogFold, newer: number): Promise<void> {
    const row = garbagePut(number, newer);
    await this.#findings.index(
      `log ${number}: generation ${generation} is over, and nothing deletes it`,
      row,
    );
  }

  async #snapshotOf(number: StorageNumber, generation: number) {
    try {
      const snapshot = readSnapshot(this.#bytes, number, generation);
      if (snapshot !== undefined) this.counts.snapshot += 1;
      return snapshot;
    } catch (error) {
      this.counts.snapshot += 1;
      await this.#snapshotProblem(number, generation, wordsOf(error));
      return undefined;
    }
  }

  async #snapshotProblem(number: StorageNumber, generation: number, what: string): Promise<void> {
    const deletion = encodeIndexChange({ index: "snapshot", number, generation, row: undefined });
    const where = `snapshot of log ${number}, generation ${generation}`;
    await this.#findings.index(`${where}: ${what}`, deletion);
    if (this.#findings.areFixed) this.counts.snapshot -= 1;
  }

  async #endLog(): Promise<void> {
    const fold = this.#fold;
    this.#fold = undefined;
    if (fold === undefined) return;
    fold.end();
    const { number, generation, state, hub, problem, snapshotProblem } = fold;
    this.#findings.figures.entries += fold.entries;
    if (problem !== undefined) {
      const id = state === undefined ? "" : ` of instance ${quoted(state.instanceId)}`;
      await this.#findings.damage(`log ${number}${id}, generation ${generation}: ${problem}`);
    }
    if (snapshotProblem !== undefined) {
      await this.#snapshotProblem(number, generation, snapshotProblem);
    }
    if (hub !== undefined) await this.#endHub(number, hub.name, fold.isOver);
    else if (state !== undefined) await this.#endInstance(state, fold);
  }

  async #endHub(number: StorageNumber, name: string, isOver: boolean): Promise<void> {
    this.#hubsSeen.add(number);
    const { live, setAside } = this.#hubs;
    if (setAside.has(number)) return;
    if (isOver) {
      const row = garbagePut(number, 0, true);
      await this.#findings.index(`task hub ${quoted(name)} is over, and nothing deletes it`, row);
    } else if (live.get(number) !== name) {
      const row = encodeIndexChange({ index: "hub", name, row: number });
      const isFree = ![...live.values()].includes(name);
      await this.#findings.index(
        `task hub ${quoted(name)}: no row leads to its log ${number}`,
        ...(isFree ? [row] : []),
      );
    }
  }

  async #endInstance(state: InstanceState, { isOver, problem }: LogFold): Promise<void> {
    const { number, instanceId } = state;
    const found = findHub(this.#bytes, this.#hubs, number, instanceId);
    if (found === "set aside") {
      this.#findings.figures.setAside += 1;
      return;
    }
    const who = `instance ${quoted(instanceId)}`;
    if (isOver) {
      const row = garbagePut(number, 0);
      await this.#findings.index(`${who}: its life ${number} is over, and nothing deletes it`, row);
      return;
    }
    this.#findings.figures.instances += 1;
    const hub = found ?? mayBelongTo(this.#bytes, this.#hubs, state);
    if (hub === undefined) {
      const what = `${who}: no row leads to its log ${number}, and nothing says in which task hub it is`;
      await this.#findings.damage(what);
      return;
    }
    // What follows from half a log is nothing to write down.
    if (problem !== undefined) return this.#countRows(hub, state);
    for (const row of expectedRows(hub, state)) {
      const compared = compareRow(this.#bytes, row);
      const isFixed = compared.problem !== undefined && this.#findings.areFixed;
      if (compared.isThere || isFixed) this.counts[row.kind] += 1;
      if (compared.problem === undefined) continue;
      const what = `${who} (log ${number}): its ${row.kind} row ${compared.problem}`;
      await this.#findings.index(what, row.put);
    }
  }

  /** The rows of an instance whose log is damaged are neither missing nor too many. */
  #countRows(hub: StorageNumber, state: InstanceState): void {
    for (const row of expectedRows(hub, state)) {
      if (compareRow(this.#bytes, row).isThere) this.counts[row.kind] += 1;
    }
  }
}

function garbagePut(number: StorageNumber, belowGeneration: number, hub = false): Write {
  const row = create(GarbageRowSchema, { number, belowGeneration, hub });
  return encodeIndexChange({ index: "garbage", row });
}
