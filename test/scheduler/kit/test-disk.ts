/** Disks that outlive the process that uses them. */

import { openLevelStore } from "../../../sidecar/store/level/store.ts";
import { SortedBytes } from "../../../sidecar/store/memory/sorted-bytes.ts";
import type { OrderedBytes } from "../../../sidecar/store/ordered/bytes.ts";
import { beginRun, recoverGroups } from "../../../sidecar/store/ordered/group-records.ts";
import { createOrderedStore } from "../../../sidecar/store/ordered/store.ts";
import type { Store } from "../../../sidecar/store/store.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { SwitchedBytes } from "./switched-bytes.ts";

export interface MountedDisk {
  readonly store: Store;
  readonly bytes: SwitchedBytes;
  /** The process is gone at once: what is not durable is lost. */
  kill(): Promise<void>;
}

export interface TestDisk extends AsyncDisposable {
  mount(): Promise<MountedDisk>;
}

const TRAIL_BYTES = 64 * 1024;

/** All of the store's own road, on memory that survives `kill`. */
export function memoryDisk(): TestDisk {
  const inner = new SortedBytes();
  return {
    async mount() {
      const bytes = new SwitchedBytes(inner);
      const recovered = await beginRun(bytes, await recoverGroups(bytes));
      const store = createOrderedStore(bytes, { recovered, trailBytes: TRAIL_BYTES });
      return { store, bytes, kill: async () => bytes.kill() };
    },
    [Symbol.asyncDispose]: () => inner.close(),
  };
}

/** LevelDB in a temporary directory. */
export async function levelDisk(): Promise<TestDisk> {
  const directory = await temporaryDirectory();
  return {
    async mount() {
      const opened = Promise.withResolvers<{ inner: OrderedBytes; bytes: SwitchedBytes }>();
      const store = await openLevelStore({
        directory: directory.path,
        wrap: (inner) => {
          const bytes = new SwitchedBytes(inner);
          opened.resolve({ inner, bytes });
          return bytes;
        },
      });
      const { inner, bytes } = await opened.promise;
      const kill = async () => {
        bytes.kill();
        await inner.close();
      };
      return { store, bytes, kill };
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}
