/** Instances in all conditions, for tests that move a hub: how they come about, and how they end. */
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { KIND } from "../../sidecar/store/ordered/key-parts.ts";
import { readEvent } from "../../sidecar/wire/history-event.ts";
import { exported } from "./backup-files.ts";
import { hold, holdHub, holdTree, release, releaseHub, releaseTree } from "./hold-calls.ts";
import { openHub, type TestHub } from "./scheduler-harness.ts";
import { type ScriptedWorker, shownEvent } from "./worker.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  scheduleTask,
  sendEvent,
  startChild,
} from "./worker-actions.ts";

/** Instances in all conditions, by id. */
export async function populate(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  // Not the first: storage numbers of the file and of the new store must differ in both directions.
  for (const id of ["gone", "pending", "running", "fanOut", "timer", "again", "status", "parent"]) {
    await hub.start(id, { input: `"input of ${id}"` });
  }
  await worker.complete(await worker.turn("gone"), [completed()]);
  await hub.purge("gone");
  await worker.complete(
    await worker.turn("fanOut"),
    [1, 2, 3].map((id) => scheduleTask(id)),
  );
  await worker.finish(await worker.activity("fanOut", 2), "two");
  await worker.complete(await worker.turn("timer"), [createTimer(1, hub.clock.in(60_000))]);
  await worker.complete(await worker.turn("again"), [continueAsNew('"second"', ["Kept"])]);
  await worker.complete(await worker.turn("status"), [], { customStatus: '{"step":1}' });
  await hub.raise("status", "Go");
  await worker.complete(await worker.turn("status"), [], { customStatus: '{"step":2}' });
  await worker.complete(await worker.turn("parent"), [
    startChild(1, "child"),
    sendEvent(2, "pending", "FromParent", '"data"'),
  ]);
  await worker.complete(await worker.turn("child"), [startChild(1, "grandchild")]);
  await hub.start("suspended");
  await hub.raise("suspended", "Buffered");
  await hub.suspend("suspended", "by hand");
  await hold(hub, "timer", { name: "freezing", freeze: true });
  await holdTree(hub, "parent", { name: "tree" });
  await holdHub(hub, { name: "window", selector: { names: ["Other"] } });
  await hub.start("later", { at: hub.clock.in(30_000) });
  await hub.start("done");
  await worker.complete(await worker.turn("done"), [completed('"result"')]);
  await worker.close();
  await hub.settled();
}

/** What an orchestration of `populate` has to see before it ends. */
const awaited: Readonly<Record<string, readonly string[]>> = {
  fanOut: ["taskCompleted 1", "taskCompleted 2", "taskCompleted 3"],
  timer: ["timerFired 1"],
  parent: ["subOrchestrationInstanceCompleted 1"],
  child: ["subOrchestrationInstanceCompleted 1"],
  pending: ["eventRaised FromParent"],
  suspended: ["eventRaised Buffered"],
  again: ["eventRaised Kept"],
};

/** Answers everything that comes until nothing comes any more. */
async function work(worker: ScriptedWorker): Promise<void> {
  while ((await worker.waiting()).length > 0) {
    const item = worker.items.shift();
    if (item?.kind === "activity") await worker.finish(item, `"result ${item.request.taskId}"`);
    if (item?.kind !== "turn") continue;
    const { pastEvents, newEvents } = item.request;
    const seen = [...pastEvents, ...newEvents].map(shownEvent);
    const isOver = (awaited[item.instanceId] ?? []).every((event) => seen.includes(event));
    await worker.complete(item, isOver ? [completed(`"end of ${item.instanceId}"`)] : []);
  }
}

export function startOf(instanceId: string) {
  return {
    instanceId,
    name: "Main",
    version: undefined,
    input: undefined,
    tags: {},
    parentTraceContext: undefined,
    scheduledStartAt: undefined,
    executionId: undefined,
    idReusePolicy: undefined,
    fingerprint: undefined,
  };
}

export function resultOf(state: InstanceState): string | undefined {
  if (state.completed === undefined) return undefined;
  const { eventType } = readEvent(state.completed);
  return eventType.case === "executionCompleted" ? eventType.value.result : undefined;
}

const IDS = ["pending", "running", "fanOut", "timer", "again", "status", "parent", "child"];
/** All that `finishAll` finishes. */
export const ALL = [...IDS, "grandchild", "suspended", "later"];

/** Lets everything go on that `populate` holds, and finishes it. */
export async function finishAll(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  await releaseHub(hub, undefined, "window");
  await hub.resume("suspended");
  await hub.raise("status", "End");
  await release(hub, "timer", { name: "freezing" });
  await releaseTree(hub, "parent", undefined, "tree");
  await work(worker);
  await hub.pass(60_000);
  await work(worker);
}

/** The file of a hub that was populated so. */
export async function populatedFile(): Promise<Buffer> {
  await using hub = await openHub();
  await populate(hub);
  return exported(hub.hubs);
}

/** Everything that is stored, but for the records of groups and rows of these kinds. */
export async function storedIn(hub: TestHub, but: readonly number[] = []): Promise<string[]> {
  const rows = await hub.bytes.rows({ from: Buffer.of(0), to: Buffer.of(255) });
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  return rows
    .filter(([key]) => key[0] !== KIND.group && !but.includes(key[0] ?? 0))
    .map(([key, value]) => `${hex(key)} ${hex(value)}`);
}
