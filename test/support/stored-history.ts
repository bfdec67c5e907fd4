/** An instance with a long history, written through the store without a worker that ran its turns. */
import { create } from "@bufbuild/protobuf";
import { newEntry } from "../../sidecar/engine/decision.ts";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import { nextTurnClock } from "../../sidecar/engine/turn/begin.ts";
import { systemHubClock, systemSteadyClock } from "../../sidecar/foundation/clock.ts";
import { randomIds } from "../../sidecar/foundation/ids.ts";
import { newHead } from "../../sidecar/scheduler/head.ts";
import { indexChanges, indexedView } from "../../sidecar/scheduler/index-changes.ts";
import { defaultTimes } from "../../sidecar/scheduler/options.ts";
import { snapshotIfDue } from "../../sidecar/scheduler/snapshots.ts";
import { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import { encodeEntry } from "../../sidecar/store/entry-codec.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { Store } from "../../sidecar/store/store.ts";
import {
  Cause,
  type Entry,
  TurnSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { eventRaised, orchestratorStarted } from "../../sidecar/wire/history-event.ts";

export interface LongHistory {
  readonly instanceId: string;
  readonly turns: number;
  readonly eventsPerTurn: number;
  /** Bytes of the payload of each event. */
  readonly payloadBytes: number;
}

/** Of a history as it is stored. */
export interface HistoryFigures {
  readonly events: number;
  readonly bytes: number;
}

/** Writes an instance into the default task hub of a data directory in which nothing runs. */
export async function writeHistory(
  directory: string,
  history: LongHistory,
): Promise<HistoryFigures> {
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
  return await writeInto(store, hub.number, history);
}

async function writeInto(store: Store, hub: bigint, history: LongHistory): Promise<HistoryFigures> {
  const { instanceId, turns } = history;
  const number = store.allocateNumber();
  const head = newHead(instanceId);
  const write = (entry: Entry) => {
    const sequence = (head.state?.sequence ?? 0) + 1;
    const record = encodeEntry(entry);
    head.tailBytes += record.length;
    head.state = evolve(head.state, number, sequence, entry);
    const isLast = sequence === turns + 1;
    const rows = isLast
      ? indexChanges(hub, instanceId, undefined, indexedView(head.state, undefined, true))
      : [];
    const snapshot = isLast ? snapshotIfDue(head) : undefined;
    const index = snapshot === undefined ? rows : [...rows, snapshot];
    return store.append({ appends: [{ number, generation: 1, sequence, record }], index });
  };
  write(startOf(instanceId));
  for (let turn = 0; turn < turns; turn += 1) {
    await store.whenDurable(write(turnOf(head.state, history)));
  }
  const { historyEvents = 0, historyBytes = 0 } = head.state ?? {};
  return { events: historyEvents, bytes: historyBytes };
}

function startOf(instanceId: string): Entry {
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
    scheduledStartAt: undefined,
  };
  const decision = decideStart(undefined, command, environment(Cause.START));
  if (decision.kind !== "begin") throw new Error(`the start was a ${decision.kind}`);
  return decision.entry;
}

function turnOf(
  state: ReturnType<typeof newHead>["state"],
  { eventsPerTurn, payloadBytes }: LongHistory,
): Entry {
  if (state === undefined) throw new Error("an instance has a state");
  const entry = newEntry(environment(Cause.COMPLETE_TURN));
  const clock = nextTurnClock(state, systemHubClock.now());
  const started = orchestratorStarted(clock);
  entry.turn = create(TurnSchema, { started, consumed: state.inbox.length, clock });
  entry.status = Status.RUNNING;
  const event = eventRaised(clock, "E", "x".repeat(payloadBytes));
  for (let at = 0; at < eventsPerTurn; at += 1) entry.history.push({ ...event });
  return entry;
}

function environment(cause: Cause) {
  return { now: systemHubClock.now(), ids: randomIds, cause, principal: "" };
}
