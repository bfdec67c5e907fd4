/**
 * Reads everything that a store has and compares it: checksums, sequences, what the logs come to,
 * and the indexes that follow from them. In pages: memory holds one instance at a time.
 *
 * @see docs/integrity.md
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  GarbageRowSchema,
  GroupRecordSchema,
  HubRowSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { unseal } from "../envelope.ts";
import type { StorageNumber } from "../store.ts";
import type { ReadableBytes } from "./bytes.ts";
import {
  type CheckFigures,
  type CheckOptions,
  Findings,
  quoted,
  wordsOf,
} from "./check-findings.ts";
import { checkIndexes } from "./check-indexes.ts";
import { checkLogs } from "./check-logs.ts";
import { eachRow, type KnownHubs } from "./check-reading.ts";
import { groupSequenceOf, hubNameOf, kindRange, numberOf } from "./keys.ts";

/**
 * Resolves with what was looked at, once every problem was told. Nobody may write meanwhile but
 * `onProblem`. It never throws for what is stored: that is a problem like any other.
 */
export async function checkBytes(
  bytes: ReadableBytes,
  options: CheckOptions,
): Promise<CheckFigures> {
  const findings = new Findings(options);
  const reserved = await checkGroups(bytes, findings);
  const live = await readHubs(bytes, findings);
  const setAside = await readSetAside(bytes, findings);
  const hubs: KnownHubs = { live, setAside, reserved };
  const expected = await checkLogs(bytes, hubs, findings);
  await findings.fixed();
  await checkIndexes(bytes, hubs, expected, findings);
  await findings.fixed();
  return findings.figures;
}

/** Resolves with where the reservation of storage numbers ends. */
async function checkGroups(bytes: ReadableBytes, findings: Findings): Promise<StorageNumber> {
  let newest: number | undefined;
  let reserved = 0n;
  for await (const [key, value] of eachRow(bytes, kindRange("group"), findings)) {
    const sequence = groupSequenceOf(key);
    findings.figures.groups += 1;
    if (newest !== undefined && sequence !== newest + 1) {
      await findings.damage(`commit groups ${newest + 1} to ${sequence - 1} are missing`);
    }
    newest = sequence;
    try {
      const record = fromBinary(GroupRecordSchema, unseal(value, `group record ${sequence}`));
      if (record.nextStorageNumber < reserved) {
        await findings.damage(`group record ${sequence} reserves fewer numbers than one before`);
      }
      reserved = record.nextStorageNumber;
    } catch (error) {
      await findings.damage(wordsOf(error));
    }
  }
  if (newest === undefined) await findings.damage("there is no record of any commit");
  return reserved;
}

async function readHubs(
  bytes: ReadableBytes,
  findings: Findings,
): Promise<Map<StorageNumber, string>> {
  const hubs = new Map<StorageNumber, string>();
  for await (const [key, value] of eachRow(bytes, kindRange("hub"), findings)) {
    const name = hubNameOf(key);
    try {
      const { number } = fromBinary(HubRowSchema, unseal(value, "the row"));
      const other = hubs.get(number);
      if (other === undefined) hubs.set(number, name);
      else {
        const what = `task hubs ${quoted(name)} and ${quoted(other)} have the same log ${number}`;
        await findings.index(what, { type: "del", key });
      }
    } catch (error) {
      await findings.index(`the row of task hub ${quoted(name)}: ${wordsOf(error)}`, {
        type: "del",
        key,
      });
    }
  }
  findings.figures.hubs = hubs.size;
  return hubs;
}

/** Also counts garbage rows, and reads each of them. */
async function readSetAside(bytes: ReadableBytes, findings: Findings): Promise<Set<StorageNumber>> {
  const setAside = new Set<StorageNumber>();
  for await (const [key] of eachRow(bytes, kindRange("import"), findings)) {
    setAside.add(numberOf(key));
  }
  for await (const [key, value] of eachRow(bytes, kindRange("garbage"), findings)) {
    findings.figures.garbageRows += 1;
    try {
      const row = fromBinary(GarbageRowSchema, unseal(value, `garbage row ${numberOf(key)}`));
      if (row.number !== numberOf(key)) {
        await findings.damage(`garbage row ${numberOf(key)} names log ${row.number}`);
      }
      if (row.hub) setAside.add(row.number);
    } catch (error) {
      await findings.damage(wordsOf(error));
    }
  }
  return setAside;
}
