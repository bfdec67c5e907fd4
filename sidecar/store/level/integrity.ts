/** What LevelDB says of damage: it skips damaged parts of its log, but writes down that it did. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { HubError } from "../../foundation/errors.ts";

/** LevelDB's diary, not its data. It begins anew with each opening. */
const DIARY_FILE = "LOG";

const DROPPING = /dropping (\d+) bytes/g;

/**
 * Refuses a store of which LevelDB dropped something when it opened it last.
 *
 * Called before each opening as well as after it: LevelDB deletes the damaged log once it has read
 * around it, so a supervisor that simply starts us again would find nothing wrong the second time.
 * Only the diary still knows, and it stays as it is because we do not open such a store again.
 *
 * @throws HubError "store-distrusted"
 */
export async function refuseDropped(database: string): Promise<void> {
  let dropped = 0;
  for (const [, bytes] of (await readDiary(database)).matchAll(DROPPING)) dropped += Number(bytes);
  if (dropped === 0) return;
  throw new HubError(
    "store-distrusted",
    `LevelDB dropped ${dropped} damaged bytes when it opened ${database}; ` +
      "acknowledged changes may be among them: restore a backup",
  );
}

async function readDiary(database: string): Promise<string> {
  try {
    return await readFile(join(database, DIARY_FILE), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
