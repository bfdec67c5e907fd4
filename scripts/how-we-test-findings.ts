/** Texts of docs/how-we-test.md: what LevelDB does, and what random tests have found. */

const ITSELF = "test/store/level-itself.test.ts";
const FACTS = "test/store/level-facts.test.ts";
const DAMAGE = "test/store/level-damage.test.ts";
const REOPEN = "test/store/level-reopen.test.ts";
const POWER = "test/fault/power.test.ts";
const FULL = "test/fault/full-disk.test.ts";
const STORIES = "test/model/found.test.ts";

function named(file: string, title: string): string {
  return `\`${file} > ${title}\``;
}

/** Number, what LevelDB does, the test that shows it, what we do about it, and the test of that. */
export const FINDINGS: readonly (readonly [string, string, string, string, string])[] = [
  [
    "",
    "After a full disk a handle goes on: it acknowledges writes behind a torn record, and " +
      "loses them at the next opening without an error.",
    named(
      ITSELF,
      "0.1, S11: behind a write of %i bytes that had no room it acknowledges what the next opening drops",
    ),
    "Any write error ends the handle. It is opened again and checked before anything is " +
      "acknowledged, and what was not durable is written again ([decision " +
      "12](decisions/0012-reopening.md)).",
    named(
      FULL,
      "a disk of $mib MiB > full under load: new work is refused, what has begun goes on, space brings all back",
    ),
  ],
  [
    "S1",
    "By default a write is not flushed.",
    named(
      FACTS,
      "S1: each commit that is waited for has a flush of its own, and without sync there is none",
    ),
    "Every write asks for a sync, in one place; a test reads the sources for others.",
    named(
      "test/architecture.test.ts",
      "nothing is acknowledged before it is durable > every LevelDB write asks for a sync",
    ),
  ],
  [
    "S2",
    "Writes that are made together share a flush, up to the number of its threads.",
    named(FACTS, "S2: commits that are made together share a flush"),
    "One commit queue: what arrives while a flush runs shares the next one.",
    "the same test",
  ],
  [
    "S3",
    "Its synced writes survive power cuts; others are lost.",
    named(POWER, "a sidecar that acknowledges what is not durable is found out by power cuts"),
    "T-POWER, which also has to find out a sidecar that does not sync.",
    named(POWER, "power cuts lose nothing that was acknowledged, and leave nothing half done"),
  ],
  [
    "S4",
    "A log that was cut short opens without an error, with what was before the cut.",
    named(ITSELF, "S4: a write-ahead log that was cut short opens with what was before the cut"),
    "The file `ACKNOWLEDGED` names the last group that was acknowledged: if it is missing, " +
      "the store is refused.",
    named(DAMAGE, "S4: a write-ahead log that was cut short is refused: more was acknowledged"),
  ],
  [
    "S5",
    "A flipped bit or a zeroed page in the log opens without an error, with a hole in the middle.",
    named(ITSELF, "S5: %s in the write-ahead log opens with a hole in the middle"),
    "Groups of commits are numbered; a number that is missing is found at opening.",
    [
      named(
        DAMAGE,
        "S5: a flipped bit in the write-ahead log is found at opening, and each time again",
      ),
      named(
        FACTS,
        "S5: a page of zeros in the write-ahead log is refused, whatever LevelDB makes of it",
      ),
    ].join(", "),
  ],
  [
    "S6",
    "Checksums of tables are not compared when they are read: a row can vanish, or have " +
      "another value.",
    named(ITSELF, "S6: with a flipped bit in a table rows vanish, or have other values"),
    "Every block of every table is checked at the start, and each value has a checksum of our " +
      "own.",
    named(FACTS, "S6: each flipped bit in a table is found before the table is used"),
  ],
  [
    "S7",
    "Behind a flush that failed all writes fail, and what failed may be there all the same.",
    named(FACTS, "S7: behind a flush that failed all writes fail, and what failed may be there"),
    "After opening again the newest group on the disk says whether it is; it is never written " +
      "twice.",
    named(
      "test/fault/failed-sync.test.ts",
      "failed calls of the disk lose nothing that was acknowledged, and the service goes on",
    ),
  ],
  [
    "S8",
    "On a full disk it may not open at all, because recovery writes a table.",
    named(ITSELF, "S8: where a table cannot be written it does not open, and opens once it can"),
    "A file is kept in reserve and given up when space is short; opening is tried again when " +
      "there is more.",
    named(
      FULL,
      "full when it is killed and started again: it serves, or says why and serves once there is space",
    ),
  ],
  [
    "S9",
    "With `createIfMissing` it makes a new database over the files of one that lost its " +
      "`CURRENT`; what was in tables is gone then.",
    named(
      ITSELF,
      "S9: without its CURRENT it makes a new database, if it may, and what was in tables is gone",
    ),
    "It may create one only where our marker says that there is none yet.",
    named(DAMAGE, "S9: a store without its %s is not taken for a new one"),
  ],
  [
    "S10",
    "Reading its lock file within the process gives the lock away.",
    named(FACTS, "S10: reading the lock file drops the lock of this process, so nobody reads it"),
    "Nothing reads it. Backups come from a snapshot, and checks work on a copy.",
    named(REOPEN, "S10: a store that this process has open is refused, and stays as it is"),
  ],
  [
    "S11",
    "A file that may not grow any further is a plain write error.",
    named(
      ITSELF,
      "0.1, S11: behind a write of %i bytes that had no room it acknowledges what the next opening drops",
    ),
    "Like any other one; and it is how tests fill a disk without one.",
    named(
      FULL,
      "files that may not grow: it writes new ones, or ends with 74, and nothing is lost",
    ),
  ],
  [
    "S12",
    "Closing waits for the writes that are under way.",
    named(ITSELF, "S12: closing waits for the writes that are under way"),
    "The store is closed last, after everything that was acknowledged.",
    named(FACTS, "S12: what was appended before closing is durable when the store is closed"),
  ],
  [
    "S13",
    "A snapshot shows one moment, whatever is written meanwhile.",
    named(FACTS, "S13: a snapshot shows what was there, whatever is written meanwhile"),
    "An export reads from one while the hub goes on.",
    named(
      "test/store/export-snapshot.test.ts",
      "%s > what is put, replaced and deleted later is not in it",
    ),
  ],
  [
    "S14",
    "A batch of 50,000 rows blocks the event loop, for half a second when we measured it: all " +
      "rows are taken in at once.",
    named(ITSELF, "S14: all rows of a batch are taken in before the event loop goes on"),
    "Groups are bounded.",
    named(FACTS, "S14: what is appended at once leaves in groups that do not block the event loop"),
  ],
  [
    "S15",
    "On macOS it does not flush the cache of the disk.",
    "nothing",
    "Durability is claimed for Linux only.",
    named(FACTS, "S15: durability is claimed for Linux only, and the README says so"),
  ],
  [
    "S16",
    "It tells of damage that it skips only in its diary, the file `LOG`.",
    named(
      FACTS,
      "S16: LevelDB tells of a damaged log, and not of one that was cut or goes on with zeros",
    ),
    "The diary is read at each opening: what was dropped is named, and the store is refused " +
      "until somebody decides ([integrity.md](integrity.md)).",
    named(
      DAMAGE,
      "S16: damage at the very end of the write-ahead log is found, though no hole shows",
    ),
  ],
];

/** Suite, bug, and its story. */
export const FOUND: readonly (readonly [string, string, string])[] = [
  [
    "`test/model`",
    "An activity that a window held back was forgotten when its instance ended meanwhile.",
    named(
      STORIES,
      "an activity that a window holds back goes on after it when its instance has ended meanwhile",
    ),
  ],
  [
    "`test/model`",
    "An activity that its instance's own hold kept back was forgotten when the end of the instance dropped the hold.",
    named(STORIES, "an activity goes on when its instance ends, which had held it back"),
  ],
  [
    "`test/model`",
    "A hold did not expire while a window made timers of the same instance stand still.",
    named(STORIES, "a hold expires while a window makes timers stand still that were due before"),
  ],
  [
    "`test/model`",
    "Timers that stood still were looked at again and again.",
    named(
      STORIES,
      "timers that stand still keep nobody busy, also with no room for idle instances",
    ),
  ],
  [
    "T-FSYNC",
    "LevelDB renames `CURRENT` without syncing the directory: after a failed flush, opening again and a power cut, the old list " +
      "of files led to a log with a hole.",
    named(
      "test/fault/failed-sync.test.ts",
      "failed calls of the disk lose nothing that was acknowledged, and the service goes on",
    ),
  ],
  [
    "T-ROT",
    "One flipped bit in a key or a filter of a table made a row vanish, with every value's checksum right.",
    named(FACTS, "S6: each flipped bit in a table is found before the table is used"),
  ],
  [
    "T-MODEL",
    "Activities of an instance that waited outside memory, and was suspended, were not counted as held back.",
    named(
      "test/scheduler/backlog-races.test.ts",
      "a hold that comes while they are being fetched counts them",
    ),
  ],
  [
    "random worlds",
    "An event for an instance that was being fetched into memory stranded its activities.",
    named(
      "test/scheduler/backlog-races.test.ts",
      "an event that comes while an activity is being fetched does not strand the activity",
    ),
  ],
  [
    "random worlds",
    "An activity was fetched and handed out while the turn that scheduled it was still being written.",
    named(
      "test/scheduler/backlog-races.test.ts",
      "an activity that is not durable is not fetched either",
    ),
  ],
];
