/** What the store says of instances, read as a new process would. */
import { evolve } from "../../../sidecar/engine/evolve.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { toStoredState } from "../../../sidecar/engine/stored-state.ts";
import type { Store } from "../../../sidecar/store/store.ts";
import type { StoredEvent } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";

export interface StoredInstance {
  readonly state: InstanceState;
  readonly history: readonly StoredEvent[];
}

const EVERYTHING = 100_000;

/** An instance rebuilt from its log alone. */
export async function storedInstance(
  store: Store,
  hub: bigint,
  instanceId: string,
): Promise<StoredInstance | undefined> {
  const row = await store.findInstance(hub, instanceId);
  if (row === undefined) return undefined;
  const history: StoredEvent[] = [];
  let state: InstanceState | undefined;
  for (const { sequence, entry } of await store.readLog(row.number, row.generation, 0)) {
    state = evolve(state, row.number, sequence, entry, (event) => history.push(event));
  }
  if (state === undefined) throw new Error(`the row of ${instanceId} has no log`);
  return { state, history };
}

/** A state as plain data, for comparing. A state goes on changing: this is a copy. */
export function dataOf(state: InstanceState): unknown {
  return structuredClone(toStoredState(state));
}

/** Ids of the instances that have a ready row, in order. */
export async function readyIds(store: Store): Promise<string[]> {
  const rows = await store.readReady(undefined, EVERYTHING);
  return rows.map(({ address }) => address.instanceId).toSorted();
}

/** The due rows: whose they are, and the time in milliseconds. */
export async function dueRows(store: Store): Promise<(readonly [id: string, atMs: number])[]> {
  const rows = await store.readDue(undefined, EVERYTHING);
  return rows.map(({ due, address }) => [
    address.instanceId,
    Number(due.seconds) * 1_000 + due.nanos / 1_000_000,
  ]);
}
