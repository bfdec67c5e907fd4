/** Instances by the hundred thousand, written through the store without a task hub that runs them. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import { systemHubClock, systemSteadyClock } from "../../sidecar/foundation/clock.ts";
import { randomIds } from "../../sidecar/foundation/ids.ts";
import { indexChanges, indexedView } from "../../sidecar/scheduler/index-changes.ts";
import { defaultTimes } from "../../sidecar/scheduler/options.ts";
import { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import { encodeEntry } from "../../sidecar/store/entry-codec.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";

export interface ManyInstances {
  readonly count: number;
  /** When they are to start; without it each waits for a worker. */
  readonly scheduledStartAt?: Timestamp;
}

/** Fills the default task hub of a data directory in which nothing runs. */
export async function fillDirectory(directory: string, many: ManyInstances): Promise<void> {
  await using store = await openLevelStore({ directory });
  const hubs = await TaskHubs.open({
    store,
    hubClock: systemHubClock,
    steadyClock: systemSteadyClock,
    ids: randomIds,
    times: defaultTimes,
  });
  const hub = hubs.get("default");
  await hub.create();
  await hubs.drain(AbortSignal.abort());
  if (hub.number === undefined) throw new Error("the hub was not created");
  await writeInstances(store, hub.number, many);
}

/** Commits that are on their way at once. */
const SLICE = 2_000;

/** Resolves when all of them are durable. */
async function writeInstances(store: Store, hub: bigint, many: ManyInstances): Promise<void> {
  let position = 0;
  for (let index = 0; index < many.count; index += 1) {
    position = append(store, hub, `stored${index}`, many.scheduledStartAt);
    if (index % SLICE === SLICE - 1) await store.whenDurable(position);
  }
  await store.whenDurable(position);
}

function append(
  store: Store,
  hub: bigint,
  instanceId: string,
  scheduledStartAt: Timestamp | undefined,
): number {
  const now = systemHubClock.now();
  const command = {
    instanceId,
    name: "Main",
    version: undefined,
    input: undefined,
    tags: {},
    executionId: undefined,
    idReusePolicy: undefined,
    parentTraceContext: undefined,
    fingerprint: undefined,
    refusedBecause: undefined,
    scheduledStartAt,
  };
  const environment = { now, ids: randomIds, cause: Cause.START, principal: "" };
  const decision = decideStart(undefined, command, environment);
  if (decision.kind !== "begin") throw new Error(`the start was a ${decision.kind}`);
  const number = store.allocateNumber();
  const record = encodeEntry(decision.entry);
  const state = evolve(undefined, number, 1, decision.entry);
  const index = indexChanges(hub, instanceId, undefined, indexedView(state, undefined, true));
  return store.append({ appends: [{ number, generation: 1, sequence: 1, record }], index });
}
