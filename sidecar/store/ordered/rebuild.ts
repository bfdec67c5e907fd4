/** Writes the indexes that queries read anew from the logs, for a store that was without them. */
import { evolve } from "../../engine/evolve.ts";
import type { InstanceState } from "../../engine/state.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { queryChanges, queryViewOf } from "../instance-rows.ts";
import type { StorageNumber } from "../store.ts";
import type { KeyRange, OrderedBytes, Write } from "./bytes.ts";
import { CommitQueue, type CommitQueueOptions } from "./commit-queue.ts";
import { encodeIndexChange } from "./encoded-commit.ts";
import { Handle } from "./handle.ts";
import { listHubs, readInstances } from "./index-reader.ts";
import { instanceIdOf, kindRange, rangeBehind } from "./keys.ts";
import { readInstanceLog } from "./log-reader.ts";

/** Instances read at once. */
const PAGE = 100;

/** Hears of progress each time so many more instances are done. */
const TOLD_EVERY = 10_000;

/**
 * Resolves when all rows are durable. Whatever there is of them goes first: an earlier attempt may
 * have been interrupted, and instances may have changed since. Uses the bytes alone; its groups
 * have to be recovered before a store goes on with them. `progress` is told how many instances are
 * done.
 *
 * @throws HubError "store-distrusted" when a log cannot be read; the cause when a write fails
 */
export async function rebuildQueryIndexes(
  bytes: OrderedBytes,
  options: CommitQueueOptions,
  progress: (instances: number) => void = () => {},
): Promise<void> {
  const slices = new Slices(new CommitQueue(new Handle(bytes), options));
  for (const kind of ["query", "completed", "held"] as const) {
    await deleteRange(bytes, kindRange(kind), slices);
  }
  // Instances of a hub that was deleted, and whose rows are still on their way out, get none.
  let done = 0;
  for (const { number } of await listHubs(bytes)) {
    await rebuildHub(bytes, number, slices, () => {
      done += 1;
      if (done % TOLD_EVERY === 0) progress(done);
    });
  }
  await slices.flush();
  progress(done);
}

async function deleteRange(bytes: OrderedBytes, range: KeyRange, slices: Slices): Promise<void> {
  let rest = range;
  for (;;) {
    const keys = await bytes.keys(rest, { limit: LIMITS.garbageSliceMax });
    for (const key of keys) await slices.add({ type: "del", key });
    if (keys.length < LIMITS.garbageSliceMax) return slices.flush();
    rest = rangeBehind(range, keys.at(-1));
  }
}

async function rebuildHub(
  bytes: OrderedBytes,
  hub: StorageNumber,
  slices: Slices,
  oneDone: () => void,
): Promise<void> {
  let last: Uint8Array | undefined;
  for (;;) {
    const instances = await readInstances(bytes, hub, PAGE, last);
    for (const { key, number, generation } of instances) {
      const state = await stateOf(bytes, number, generation);
      const view = state && queryViewOf(state);
      for (const change of queryChanges(hub, instanceIdOf(key), undefined, view)) {
        await slices.add(encodeIndexChange(change));
      }
      oneDone();
    }
    last = instances.at(-1)?.key;
    if (instances.length < PAGE) return;
  }
}

async function stateOf(
  bytes: OrderedBytes,
  number: StorageNumber,
  generation: number,
): Promise<InstanceState | undefined> {
  let state: InstanceState | undefined;
  for (const { sequence, entry } of await readInstanceLog(bytes, number, generation, 0)) {
    state = evolve(state, number, sequence, entry);
  }
  return state;
}

/** Writes gathered into commits of bounded size, one in flight at a time. */
export class Slices {
  readonly #queue: CommitQueue;
  #rows: Write[] = [];

  constructor(queue: CommitQueue) {
    this.#queue = queue;
  }

  async add(row: Write): Promise<void> {
    this.#rows.push(row);
    if (this.#rows.length >= LIMITS.garbageSliceMax) await this.flush();
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length === 0) return;
    const position = this.#queue.append(() => ({ appends: [], rows }));
    const failure = await Promise.race([this.#queue.whenDurable(position), this.#queue.failed]);
    if (failure !== undefined) throw failure;
  }
}
