/** A store in memory whose writes fail while a test says so, and that is opened again when it may be. */
import type { SteadyClock } from "../../sidecar/foundation/clock.ts";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import type { StoreMonitor } from "../../sidecar/store/monitor.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import { beginRun, recoverGroups } from "../../sidecar/store/ordered/group-records.ts";
import { createOrderedStore } from "../../sidecar/store/ordered/store.ts";
import { endlessSpace, type Space, type SpaceLevel } from "../../sidecar/store/space.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { type WriteFate, WriteFaults } from "./faulty-bytes.ts";

/** Closing them takes nothing away: a disk in memory. */
class LastingBytes extends SortedBytes {
  override async close(): Promise<void> {}
}

type SettableSpace = { -readonly [K in keyof Space]: Space[K] };

export class FaultyStore {
  readonly space: SettableSpace = {
    ...endlessSpace,
    level: "ample" as SpaceLevel,
    freeBytes: undefined as number | undefined,
  };
  /** What happens to writes from now on. */
  fate: WriteFate = "lands";
  /** It is waited for until it may be opened again. */
  isAway = false;
  readonly #inner = new LastingBytes();
  /** How opening again ends. */
  opening = Promise.withResolvers<void>();

  /**
   * Also a second time, when a process is gone.
   *
   * @param above puts something between the store and its bytes
   */
  async open(
    monitor: StoreMonitor,
    clock: SteadyClock,
    above: (bytes: OrderedBytes) => OrderedBytes = (bytes) => bytes,
  ): Promise<Store> {
    const inner = this.#inner;
    const recovered = await beginRun(inner, await recoverGroups(inner));
    const faults = new WriteFaults(() => this.fate);
    const open = async () => {
      this.isAway = true;
      await this.opening.promise;
      this.isAway = false;
      this.opening = Promise.withResolvers();
      return above(faults.wrap(inner));
    };
    const reopening = { open, clock };
    const { space } = this;
    const options = { recovered, trailBytes: 1024 * 1024, reopening, monitor, clock, space };
    return createOrderedStore(above(faults.wrap(inner)), options);
  }
}
