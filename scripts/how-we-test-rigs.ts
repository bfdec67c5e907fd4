/** Every rig: where it is, what it does, and what of docs/guarantees.md rests on it. */

export interface RigRow {
  readonly name: string;
  readonly files: readonly string[];
  /** Names under which its tests report, see `test/support/rig.ts`. */
  readonly reports: readonly string[];
  readonly does: string;
  readonly backs: readonly string[];
}

export const RIGS: readonly RigRow[] = [
  {
    name: "T-NTH",
    files: ["test/fault/nth.test.ts"],
    reports: ["T-NTH"],
    does:
      "Plays a fixed scenario, with a critical section and a rewind in it, again and again; each time another call " +
      "of the store goes wrong, in each of " +
      "six ways: before its effect, behind it, from then on, late, and with the end of the process on either side.",
    backs: ["G1", "G2", "G3", "G15", "G16"],
  },
  {
    name: "T-KILL",
    files: ["test/fault/kill.test.ts"],
    reports: ["T-KILL"],
    does:
      "Kills the sidecar under load, again and again on one data directory, at numbers of acknowledgements and at " +
      "points in the work of its disk, and compares what is left, of entities, rewinds and purges too, with a ledger " +
      "that is kept outside.",
    backs: ["G1", "G2", "G3", "G4", "G15"],
  },
  {
    name: "T-KILL-HOLDS",
    files: ["test/fault/kill-holds.test.ts"],
    reports: ["T-KILL-HOLDS"],
    does:
      "Kills the sidecar at a commit of every step of a long script of holds, windows, custom statuses and events: " +
      "what was acknowledged is as it was, and nothing is handed out that something holds.",
    backs: ["G1", "G9", "G12"],
  },
  {
    name: "T-KILL-PYTHON",
    files: ["test/fault/kill-python.test.ts"],
    reports: ["T-KILL-PYTHON"],
    does: "T-KILL with clients and workers of the published Python SDK, unmodified.",
    backs: ["G1", "G4"],
  },
  {
    name: "T-POWER",
    files: ["test/fault/power.test.ts", "test/fault/crash-image.test.ts"],
    reports: ["T-POWER", "T-POWER, unsynced writes"],
    does:
      "Cuts the power: the next process finds what was synced and anything of the rest, torn, zeroed or with older " +
      "names. A sidecar that is made to acknowledge without a sync must be found out.",
    backs: ["G1", "G2"],
  },
  {
    name: "T-FSYNC",
    files: ["test/fault/failed-sync.test.ts"],
    reports: ["T-FSYNC"],
    does:
      "Lets calls of the disk fail once, under load and while the sidecar starts; each life ends with a power cut. " +
      "Unless the process ends, no call fails because of it: clients and workers only wait longer.",
    backs: ["G1", "G16"],
  },
  {
    name: "T-ENOSPC",
    files: ["test/fault/full-disk.test.ts"],
    reports: ["T-ENOSPC"],
    does:
      "Runs on disks of a few megabytes that are full at every possible moment, without inodes, read-only, or with " +
      "files that may not grow.",
    backs: ["G1", "G16", "G17"],
  },
  {
    name: "T-ROT",
    files: ["test/fault/rot.test.ts"],
    reports: ["T-ROT"],
    does:
      "Flips bits, zeroes, truncates, swaps and deletes files of a stopped sidecar, each kind of file in each of these " +
      "ways and then at random: it is refused, or every value is right.",
    backs: ["G16"],
  },
  {
    name: "T-DUP",
    files: ["test/fault/duplicates.test.ts"],
    reports: ["T-DUP"],
    does:
      "Answers all work up to five times at once, from several connections, too late, with tokens of a process that " +
      "is gone and of other work.",
    backs: ["G3"],
  },
  {
    name: "T-CAN",
    files: ["test/fault/continue-as-new.test.ts"],
    reports: ["T-CAN"],
    does:
      "Raises numbered events in a storm against eternal orchestrations, which begin anew every few events, while " +
      "the sidecar is killed: each is taken once, in the order of its caller.",
    backs: ["G7", "G8"],
  },
  {
    name: "T-NET",
    files: ["test/rpc/workers/swizzle.test.ts"],
    reports: ["T-NET swizzle"],
    does:
      "Stops the network of one worker after the other and revives them in another order, some with a connection " +
      "that was reset meanwhile: all work completes, once.",
    backs: ["G4"],
  },
  {
    name: "T-SUSP",
    files: ["test/model/dispatch-log.test.ts", "test/model/events-while-held.test.ts"],
    reports: ["T-SUSP", "T-SUSP, events"],
    does:
      "Reads the dispatch log of eight workers under random holds of every scope, and counts numbered events that " +
      "are raised while an instance is held.",
    backs: ["G8", "G9", "G10"],
  },
  {
    name: "T-CLOCK",
    files: ["test/simulation/clock.test.ts"],
    reports: ["T-CLOCK"],
    does: "Sets clocks back and forth at random, by hours and by months, under timers, alarms and leases.",
    backs: ["G4", "G5"],
  },
  {
    name: "T-MODEL",
    files: ["test/model/holds.model.test.ts", "test/scheduler/property.test.ts"],
    reports: ["T-MODEL, holds", "T-MODEL, worlds"],
    does:
      "Plays random steps of clients, workers, clocks and crashes against a small model, in memory, on LevelDB, and " +
      "with no room for instances in memory; a run that fails shrinks to a few steps.",
    backs: ["G2", "G3", "G6", "G9", "G10", "G12", "G15"],
  },
  {
    name: "T-DST",
    files: ["test/simulation/simulation.test.ts"],
    reports: ["T-DST"],
    does:
      "Runs the real scheduler, engine and store from a seed, in virtual time, with failing disks, jumping clocks, " +
      "dying processes, broken streams and erring workers. Orchestrations signal, call and lock entities whose state " +
      "is a ledger of what ran, and delete that state; they are rewound, by clients and by workers, started again, also " +
      "under new ids, ended gracefully or not, and some have histories that are fetched; batches are lost, given " +
      "back, answered late, twice, in part and with failures. Invariants of what is in memory are checked after every step; at the end all must " +
      "complete, and " +
      "retention then removes it in its time. T-REPLAY: each seed is run twice, with both forms of batches, and gives the same trace and " +
      "the same disk.",
    backs: ["G1", "G2", "G3", "G4", "G5", "G6", "G15", "G20"],
  },
  {
    name: "T-MUT",
    files: ["test/simulation/mutants.test.ts"],
    reports: ["T-MUT"],
    does:
      "Plants bugs that somebody might make, one at a time, in a copy of the sources: the test that guards against " +
      "each must fail. CI judges a quarter of them, which the seed chooses; the long form judges all.",
    backs: ["the tests themselves"],
  },
  {
    name: "T-FUZZ",
    files: ["test/fault/fuzz.test.ts"],
    reports: ["T-FUZZ"],
    does:
      "Sends valid requests with random damage to every method: the process serves on, and what is refused changes " +
      "nothing.",
    backs: ["refusals that change nothing"],
  },
  {
    name: "T-BACKUP",
    files: ["test/scheduler/backup-random.test.ts"],
    reports: ["T-BACKUP"],
    does: "Moves random hubs at random moments into another store: the same records, and all comes to its end.",
    backs: ["backups"],
  },
  {
    name: "T-MEMORY",
    files: ["test/fault/memory.test.ts"],
    reports: ["T-MEMORY"],
    does:
      "Gives the sidecar a heap that a tenth of the stored instances would fill: ready without a worker, " +
      "and asleep.",
    backs: ["bounded memory"],
  },
];
