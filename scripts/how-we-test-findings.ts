/** Texts of docs/how-we-test.md: what LevelDB does, and what random tests have found. */

const FACTS = "test/store/level-facts.test.ts";
const DAMAGE = "test/store/level-damage.test.ts";
const REOPEN = "test/store/level-reopen.test.ts";
const STORIES = "test/model/found.test.ts";

function named(file: string, title: string): string {
  return `\`${file} > ${title}\``;
}

/** Number, what LevelDB does, what we do about it, and the test. */
export const FINDINGS: readonly (readonly [string, string, string, string])[] = [
  [
    "",
    "After a full disk a handle goes on: it acknowledges writes behind a torn record, and loses them at the next opening without an error.",
    "Any write error ends the handle. It is opened again and checked before anything is acknowledged, and what was not durable is " +
      "written again ([decision 12](decisions/0012-reopening.md)).",
    named(
      "test/fault/full-disk.test.ts",
      "a disk of $mib MiB > full under load: new work is refused, what has begun goes on, space brings all back",
    ),
  ],
  [
    "S1",
    "By default a write is not flushed.",
    "Every write asks for a sync, in one place; a test reads the sources for others.",
    named(
      FACTS,
      "S1: each commit that is waited for has a flush of its own, and without sync there is none",
    ),
  ],
  [
    "S2",
    "Writes that are made together share a flush, up to the number of its threads.",
    "One commit queue: what arrives while a flush runs shares the next one.",
    named(FACTS, "S2: commits that are made together share a flush"),
  ],
  [
    "S3",
    "Its synced writes survive power cuts; others are lost.",
    "T-POWER, which also has to find out a sidecar that does not sync.",
    named(
      "test/fault/power.test.ts",
      "power cuts lose nothing that was acknowledged, and leave nothing half done",
    ),
  ],
  [
    "S4",
    "A log that was cut short opens without an error, with what was before the cut.",
    "The file `ACKNOWLEDGED` names the last group that was acknowledged: if it is missing, the store is refused.",
    named(DAMAGE, "S4: a write-ahead log that was cut short is refused: more was acknowledged"),
  ],
  [
    "S5",
    "A flipped bit or a zeroed page in the log opens without an error, with a hole in the middle.",
    "Groups of commits are numbered; a number that is missing is found at opening.",
    named(
      DAMAGE,
      "S5: a flipped bit in the write-ahead log is found at opening, and each time again",
    ),
  ],
  [
    "S6",
    "Checksums of tables are not compared when they are read: a row can vanish, or have another value.",
    "Every block of every table is checked at the start, and each value has a checksum of our own.",
    named(FACTS, "S6: each flipped bit in a table is found before the table is used"),
  ],
  [
    "S7",
    "Behind a flush that failed all writes fail, and what failed may be there all the same.",
    "After opening again the newest group on the disk says whether it is; it is never written twice.",
    named(FACTS, "S7: behind a flush that failed all writes fail, and what failed may be there"),
  ],
  [
    "S8",
    "On a full disk it may not open at all, because recovery writes a table.",
    "A file is kept in reserve and given up when space is short; opening is tried again when there is more.",
    named(REOPEN, "S11, S8: everything acknowledged before the disk was full is there"),
  ],
  [
    "S9",
    "With `createIfMissing` it makes a new database over the files of one that lost its `CURRENT`.",
    "It may create one only where our marker says that there is none yet.",
    named(DAMAGE, "S9: a store without its %s is not taken for a new one"),
  ],
  [
    "S10",
    "Reading its lock file within the process gives the lock away.",
    "Nothing reads it. Backups come from a snapshot, and checks work on a copy.",
    named(FACTS, "S10: reading the lock file drops the lock of this process, so nobody reads it"),
  ],
  [
    "S11",
    "A file that may not grow any further is a plain write error.",
    "Like any other one; and it is how tests fill a disk without one.",
    named(
      "test/fault/full-disk.test.ts",
      "files that may not grow: it writes new ones, or ends with 74, and nothing is lost",
    ),
  ],
  [
    "S12",
    "Closing waits for the writes that are under way.",
    "The store is closed last, after everything that was acknowledged.",
    named(FACTS, "S12: what was appended before closing is durable when the store is closed"),
  ],
  [
    "S13",
    "A snapshot shows one moment, whatever is written meanwhile.",
    "An export reads from one while the hub goes on.",
    named(FACTS, "S13: a snapshot shows what was there, whatever is written meanwhile"),
  ],
  [
    "S14",
    "A batch of 50,000 rows blocks the event loop for half a second.",
    "Groups are bounded.",
    named(FACTS, "S14: what is appended at once leaves in groups that do not block the event loop"),
  ],
  [
    "S15",
    "On macOS it does not flush the cache of the disk.",
    "Durability is claimed for Linux only.",
    named(FACTS, "S15: durability is claimed for Linux only, and the README says so"),
  ],
  [
    "S16",
    "It tells of damage that it skips only in its diary, the file `LOG`.",
    "The diary is read at each opening: what was dropped is named, and the store is refused until somebody decides " +
      "([integrity.md](integrity.md)).",
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
