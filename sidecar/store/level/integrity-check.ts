/**
 * Checks all that is in a data directory while no sidecar has it, and puts indexes right if asked.
 *
 * @see docs/integrity.md
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { asError, HubError } from "../../foundation/errors.ts";
import type { OrderedBytes } from "../ordered/bytes.ts";
import { checkBytes } from "../ordered/check.ts";
import { type CheckFigures, Findings, type Problem, wordsOf } from "../ordered/check-findings.ts";
import { CommitQueue } from "../ordered/commit-queue.ts";
import { beginRun, recoverGroups } from "../ordered/group-records.ts";
import { Handle } from "../ordered/handle.ts";
import { Slices } from "../ordered/rebuild.ts";
import { DATABASE_DIRECTORY } from "./data-directory.ts";
import { copyDatabase } from "./data-directory-copy.ts";
import { refuseInUse } from "./data-directory-lock.ts";
import { FORMAT, MARKER_FILE, readMarker } from "./format-marker.ts";
import { droppedLines, refuseDropped, refuseLostEnd } from "./integrity.ts";
import { markedBytes, readMark } from "./integrity-mark.ts";
import { damagedFiles } from "./integrity-tables.ts";
import { openLevelBytes, WRITE_BUFFER_BYTES } from "./level-bytes.ts";

export interface CheckDirectoryOptions {
  readonly directory: string;
  /** Where to put the copy that is looked at; beside the directory if not given. */
  readonly copyTo?: string;
  readonly onProblem: (problem: Problem) => void;
  /** Told now and then how many logs were looked at. */
  readonly onProgress?: (logs: number) => void;
  /** Puts something between the check and LevelDB: failing writes, for example. */
  readonly wrap?: (bytes: OrderedBytes) => OrderedBytes;
}

/**
 * Looks at everything in a directory, and changes nothing in it. Resolves with how much there is,
 * and how many problems.
 *
 * @throws HubError "store-refused" when it is no directory of this format, or a copy cannot be made;
 * "store-in-use" when a process has it
 */
export async function checkDirectory(options: CheckDirectoryOptions): Promise<CheckFigures> {
  const { directory, copyTo, onProblem, onProgress = () => {} } = options;
  const database = await databaseOf(directory);
  const findings = new Findings({ onProblem });
  await using copy = await copyDatabase(directory, database, copyTo);
  for await (const problem of damagedFiles(database)) await findings.damage(`LevelDB's ${problem}`);
  for (const line of await droppedLines(database)) await findings.damage(`LevelDB told: ${line}`);
  let bytes: OrderedBytes;
  try {
    bytes = await openLevelBytes(copy.database, { createIfMissing: false });
  } catch (error) {
    await findings.damage(`LevelDB: ${asError(error).message}`);
    return findings.figures;
  }
  try {
    for (const line of await droppedLines(copy.database)) {
      await findings.damage(`LevelDB tells: ${line}`);
    }
    const figures = await checkBytes(bytes, { onProblem, onProgress });
    await checkEnd(directory, bytes, findings);
    const { damage, indexProblems } = findings.figures;
    figures.damage += damage;
    figures.indexProblems += indexProblems;
    return figures;
  } finally {
    await bytes.close();
  }
}

/**
 * Makes the indexes in a directory say what its logs say: writes rows that are missing or wrong,
 * and deletes those that nothing speaks for. Each write leaves the indexes better than they were, so
 * it may be interrupted at any time, and be begun again. Logs are never changed.
 *
 * @throws HubError as opening the store does
 */
export async function rebuildIndexes(options: CheckDirectoryOptions): Promise<CheckFigures> {
  const { directory, onProblem, onProgress = () => {}, wrap = (bytes) => bytes } = options;
  const database = await databaseOf(directory);
  await refuseInUse(database);
  await refuseDropped(database);
  const opened = await openLevelBytes(database, { createIfMissing: false });
  const bytes = markedBytes(wrap(opened), directory);
  try {
    await refuseDropped(database);
    const found = await recoverGroups(bytes);
    await refuseLostEnd(directory, found.newest);
    const recovered = await beginRun(bytes, found);
    const trailBytes = 2 * WRITE_BUFFER_BYTES;
    const slices = new Slices(new CommitQueue(new Handle(bytes), { recovered, trailBytes }));
    return await checkBytes(bytes, {
      onProblem: async (problem) => {
        onProblem(problem);
        for (const write of problem.fix) await slices.add(write);
      },
      onProgress,
      fixed: () => slices.flush(),
    });
  } finally {
    await bytes.close();
  }
}

/** The database of a directory that is ours and of this format. */
async function databaseOf(directory: string): Promise<string> {
  const marker = await readMarker(directory).catch((error: unknown) => {
    if (error instanceof HubError) throw error;
    throw new HubError("store-refused", `cannot use ${directory}: ${asError(error).message}`);
  });
  if (marker === undefined) {
    throw new HubError("store-refused", `${directory} has no ${MARKER_FILE} file: not ours`);
  }
  if (marker.format < FORMAT) {
    throw new HubError(
      "store-refused",
      `${directory} is of format ${marker.format}: serve it once with this version, which brings it ` +
        `up to format ${FORMAT}, or check it with the one that wrote it`,
    );
  }
  const database = join(directory, DATABASE_DIRECTORY);
  const isThere = (await stat(database).catch(() => undefined))?.isDirectory() === true;
  if (isThere) return database;
  throw new HubError("store-distrusted", `${database} is missing: restore a backup`);
}

/** What was acknowledged has to be there. */
async function checkEnd(directory: string, bytes: OrderedBytes, findings: Findings): Promise<void> {
  let acknowledged: number | undefined;
  try {
    acknowledged = await readMark(directory);
  } catch (error) {
    await findings.damage(wordsOf(error));
  }
  const newest = await recoverGroups(bytes).then(
    (groups) => groups.newest,
    () => undefined,
  );
  if (acknowledged === undefined || newest === undefined || acknowledged <= newest) return;
  const missing = acknowledged - newest;
  await findings.damage(`the end is missing: ${missing} commit groups behind ${newest}`);
}
