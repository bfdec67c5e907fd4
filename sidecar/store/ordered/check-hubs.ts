/** In which task hub an instance is: its log does not say so. */
import type { InstanceState } from "../../engine/state.ts";
import { queryChanges, queryViewOf } from "../instance-rows.ts";
import type { StorageNumber } from "../store.ts";
import type { ReadableBytes } from "./bytes.ts";
import type { KnownHubs } from "./check-reading.ts";
import { encodeIndexChange } from "./encoded-commit.ts";
import { findInstance } from "./index-reader.ts";
import { instanceKey } from "./keys.ts";

/** The hub whose row leads to this log; undefined when there is none. */
export function findHub(
  bytes: ReadableBytes,
  { live, setAside }: KnownHubs,
  number: StorageNumber,
  instanceId: string,
): StorageNumber | "set aside" | undefined {
  for (const hub of live.keys()) if (leadsTo(bytes, hub, instanceId, number)) return hub;
  for (const hub of setAside) if (leadsTo(bytes, hub, instanceId, number)) return "set aside";
  return undefined;
}

/** The hub that an instance must be in whose own row is lost: another row says so, or there is only one. */
export function mayBelongTo(
  bytes: ReadableBytes,
  { live, setAside }: KnownHubs,
  state: InstanceState,
): StorageNumber | undefined {
  const isFree = (hub: StorageNumber) => isDamagedOrMissing(bytes, hub, state.instanceId);
  const candidates = [...live.keys()].filter(isFree);
  const listed = candidates.filter((hub) =>
    queryChanges(hub, state.instanceId, undefined, queryViewOf(state)).some(
      (change) => bytes.get(encodeIndexChange(change).key) !== undefined,
    ),
  );
  if (listed.length === 1) return listed[0];
  return live.size === 1 && setAside.size === 0 ? candidates[0] : undefined;
}

function leadsTo(
  bytes: ReadableBytes,
  hub: StorageNumber,
  instanceId: string,
  number: StorageNumber,
): boolean {
  try {
    return findInstance(bytes, hub, instanceId)?.number === number;
  } catch {
    return false;
  }
}

/** A row that leads to another life must stay. */
function isDamagedOrMissing(bytes: ReadableBytes, hub: StorageNumber, instanceId: string): boolean {
  try {
    return findInstance(bytes, hub, instanceId) === undefined;
  } catch {
    return bytes.get(instanceKey(hub, instanceId)) !== undefined;
  }
}
