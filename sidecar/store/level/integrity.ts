/**
 * What is looked at whenever a database is opened, besides what LevelDB looks at itself: its tables,
 * what it says that it dropped, and whether the end is there.
 *
 * @see docs/integrity.md
 */
import { open, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HubError } from "../../foundation/errors.ts";
import type { Log } from "../../foundation/log.ts";
import { refuseInUse } from "./data-directory-lock.ts";
import { syncDirectory } from "./format-marker.ts";
import { MARK_FILE, readMark } from "./integrity-mark.ts";
import { damagedFiles } from "./integrity-tables.ts";

/** LevelDB's diary, not its data: of this opening, and of the one before. */
const DIARY_FILES = ["LOG.old", "LOG"] as const;

/** Losses that an operator has accepted, word by word as LevelDB's diary told them. */
export const ACCEPTED_FILE = "ACCEPTED_LOSSES";

const DROPPING = /dropping (\d+) bytes/;

/** What is missing, and that somebody may give it up. */
export interface Acceptance {
  /** The figure that the refusal named: bytes dropped, or commit groups missing. */
  readonly figure: number | undefined;
  readonly log: Log;
}

/**
 * Refuses a store of which LevelDB dropped something when it opened it last, unless that was
 * accepted.
 *
 * Called before each opening as well as after it: LevelDB deletes the damaged log once it has read
 * around it, so a supervisor that simply starts us again would find nothing wrong the second time.
 * Only the diary still knows, and it stays as it is because we do not open such a store again. The
 * diary before counts too: a process that is refused the lock begins a new one all the same.
 *
 * @throws HubError "store-distrusted"
 */
export async function refuseDropped(database: string): Promise<void> {
  const dropped = bytesIn(await droppedLines(database));
  if (dropped === 0) return;
  throw new HubError(
    "store-distrusted",
    `LevelDB dropped ${dropped} damaged bytes when it opened ${database}; acknowledged changes may ` +
      `be among them: restore a backup, or give them up with --accept-dropped-tail ${dropped}`,
  );
}

/**
 * Lines in which LevelDB told that it dropped something that nobody has accepted. The diary is not
 * flushed: of a line that was accepted a power cut may leave no more than its beginning.
 */
export async function droppedLines(database: string): Promise<readonly string[]> {
  const accepted = linesOf(await readIfThere(acceptedPath(database)));
  const found = new Set<string>();
  for (const name of DIARY_FILES) {
    for (const line of linesOf(await readIfThere(join(database, name)))) {
      const isAccepted = accepted.some((whole) => whole.startsWith(line));
      if (DROPPING.test(line) && !isAccepted) found.add(line);
    }
  }
  return [...found];
}

/**
 * Takes note that an operator gives up what LevelDB dropped, if it dropped exactly so many bytes.
 * Once: whatever is dropped later has to be accepted anew.
 */
export async function acceptDropped(database: string, { figure, log }: Acceptance): Promise<void> {
  if (figure === undefined) return;
  const lines = await droppedLines(database);
  if (lines.length === 0 || bytesIn(lines) !== figure) return;
  await addLines(acceptedPath(database), lines);
  // What the mark says was acknowledged is among what is given up.
  await rm(join(dirname(database), MARK_FILE), { force: true });
  log.warn("store.loss_accepted", { database, droppedBytes: figure, diary: lines });
}

/**
 * Refuses a store whose last groups are missing though they were acknowledged: its write-ahead log
 * was cut short, or taken away. `newest` is the newest group that is there.
 *
 * @throws HubError "store-distrusted"
 */
export async function refuseLostEnd(
  directory: string,
  newest: number,
  acceptance?: Acceptance,
): Promise<void> {
  const acknowledged = await readMark(directory);
  if (acknowledged === undefined || acknowledged <= newest) return;
  const missing = acknowledged - newest;
  if (missing === acceptance?.figure) {
    const line = `commit groups ${newest + 1} to ${acknowledged} are missing`;
    await addLines(join(directory, ACCEPTED_FILE), [line]);
    await rm(join(directory, MARK_FILE), { force: true });
    acceptance.log.warn("store.loss_accepted", { directory, missingGroups: missing, newest });
    return;
  }
  throw new HubError(
    "store-distrusted",
    `the end of the data in ${directory} is missing: ${missing} commit groups behind ${newest} were ` +
      `acknowledged; restore a backup, or give them up with --accept-dropped-tail ${missing}`,
  );
}

/**
 * Refuses a database of which a file is missing or a table is damaged. Reads all tables: about half
 * a second for 256 MB.
 *
 * @throws HubError "store-distrusted"; "store-in-use" when another process is changing the files
 */
export async function refuseDamagedFiles(database: string): Promise<void> {
  for await (const problem of damagedFiles(database)) {
    await refuseInUse(database);
    throw new HubError(
      "store-distrusted",
      `stored data is damaged: LevelDB's ${problem} (in ${database}); restore a backup`,
    );
  }
}

function bytesIn(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number(DROPPING.exec(line)?.[1] ?? 0), 0);
}

function acceptedPath(database: string): string {
  return join(dirname(database), ACCEPTED_FILE);
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

async function addLines(path: string, lines: readonly string[]): Promise<void> {
  await using file = await open(path, "a", 0o600);
  await file.writeFile(lines.map((line) => `${line}\n`).join(""));
  await file.sync();
  await syncDirectory(dirname(path));
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
