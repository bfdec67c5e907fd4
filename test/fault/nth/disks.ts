/** Disks whose N-th call goes wrong: in memory, and LevelDB in a directory. */
import type { SteadyClock } from "../../../sidecar/foundation/clock.ts";
import { openLevelStore } from "../../../sidecar/store/level/store.ts";
import { SortedBytes } from "../../../sidecar/store/memory/sorted-bytes.ts";
import { type Reopened, type StoreMonitor, silentMonitor } from "../../../sidecar/store/monitor.ts";
import type { OrderedBytes } from "../../../sidecar/store/ordered/bytes.ts";
import { beginRun, recoverGroups } from "../../../sidecar/store/ordered/group-records.ts";
import { createOrderedStore } from "../../../sidecar/store/ordered/store.ts";
import type { Store } from "../../../sidecar/store/store.ts";
import type { MountedDisk, TestDisk } from "../../scheduler/kit/test-disk.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { Faults, type Plan } from "./faults.ts";
import { NthProcess, ProcessBytes, type ProcessOptions } from "./process.ts";

export interface NthDisk extends TestDisk {
  readonly faults: Faults;
  /** The newest one; there is one from the first `mount` on. */
  readonly process: NthProcess;
  /** How write errors ended well, over all processes. */
  readonly reopened: readonly Reopened[];
}

export interface NthDiskOptions extends Omit<ProcessOptions, "faults"> {
  readonly plan: Plan;
  /** Real time of the hub on this disk. */
  readonly clock: SteadyClock;
}

export type OpenNthDisk = (options: NthDiskOptions) => Promise<NthDisk>;

/** Few, so that trimming group records is part of it. */
const TRAIL_BYTES = 4 * 1024;

type OpenStore = (process: NthProcess, monitor: StoreMonitor) => Promise<Store>;

/** All of the store's own road over a map in memory. */
export const nthMemoryDisk: OpenNthDisk = async (options) => {
  const { clock } = options;
  const durable = new SortedBytes();
  return diskOf(options, async (process, monitor) => {
    const opened = () => process.call("open", () => process.handle(whatStays(durable)));
    const bytes = await opened();
    try {
      const recovered = await beginRun(bytes, await recoverGroups(bytes));
      const reopening = { open: opened, clock };
      const queue = { recovered, trailBytes: TRAIL_BYTES, reopening, monitor, clock };
      return createOrderedStore(bytes, queue);
    } catch (error) {
      await bytes.close().catch(() => {});
      throw error;
    }
  });
};

/** The real thing. Its openings are not among the calls that go wrong. */
export const nthLevelDisk: OpenNthDisk = async (options) => {
  const { clock } = options;
  const directory = await temporaryDirectory();
  const openings: OrderedBytes[] = [];
  const closeAll = async () => {
    for (const bytes of openings.splice(0)) await bytes.close();
  };
  const open: OpenStore = async (process, monitor) => {
    // A process that is gone has left its lock behind.
    await closeAll();
    return openLevelStore({
      directory: directory.path,
      clock,
      monitor,
      wrap: (inner) => {
        openings.push(inner);
        return process.handle(inner);
      },
    });
  };
  return diskOf(options, open, async () => {
    await closeAll();
    await directory[Symbol.asyncDispose]();
  });
};

function diskOf(options: NthDiskOptions, open: OpenStore, dispose = async () => {}): NthDisk {
  const { plan, landed, misused } = options;
  const faults = new Faults(plan);
  const reopened: Reopened[] = [];
  let process: NthProcess | undefined;
  return {
    faults,
    reopened,
    get process() {
      if (process === undefined) throw new Error("there was no process yet");
      return process;
    },
    async mount(): Promise<MountedDisk> {
      process?.kill();
      if (process !== undefined) faults.heal();
      const mounted = new NthProcess({ faults, landed, misused });
      process = mounted;
      const store = await mounted.busy(() => open(mounted, monitorOf(mounted, reopened)));
      mounted.watch(store);
      const bytes = new ProcessBytes(mounted.open, mounted);
      return { store, bytes, kill: async () => mounted.kill() };
    },
    [Symbol.asyncDispose]: async () => {
      process?.kill();
      await dispose();
    },
  };
}

/** Opening again goes on until it is over, one way or the other. */
function monitorOf(process: NthProcess, reopened: Reopened[]): StoreMonitor {
  return {
    ...silentMonitor,
    writeFailed: () => process.mending(),
    reopened: (outcome) => {
      reopened.push(outcome);
      process.mended();
    },
  };
}

/** The same bytes once more: closing them takes nothing away. */
function whatStays(durable: SortedBytes): OrderedBytes {
  return {
    writeDurably: (writes) => durable.writeDurably(writes),
    get: (key) => durable.get(key),
    rows: (range, options) => durable.rows(range, options),
    keys: (range, options) => durable.keys(range, options),
    snapshot: () => durable.snapshot(),
    close: async () => {},
  };
}
