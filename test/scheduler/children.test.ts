/** Sub-orchestrations and events between instances: mail that arrives once. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker } from "../support/worker.ts";
import { completed, failed, sendEvent, startChild } from "../support/worker-actions.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

async function startParent(hub: TestHub, worker: ScriptedWorker, count = 1): Promise<void> {
  await hub.start("parent");
  const children = Array.from({ length: count }, (_, at) => startChild(at + 1, `child${at + 1}`));
  await worker.complete(await worker.turn("parent"), children);
  await hub.settled();
}

function failureOf(events: readonly HistoryEvent[]): string | undefined {
  for (const { eventType: type } of events) {
    if (type.case === "subOrchestrationInstanceFailed") return type.value.failureDetails?.errorType;
  }
  return undefined;
}

describe("a child", () => {
  it("runs, and its result goes to its parent", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker);
    const turn = await worker.turn("child1");
    const { eventType: started } = turn.request.newEvents[1] ?? {};
    expect(started).toMatchObject({
      case: "executionStarted",
      value: { name: "Child", parentInstance: { taskScheduledId: 1, name: "Main" } },
    });
    await worker.complete(turn, [completed("result")]);
    const [, answer] = (await worker.turn("parent")).request.newEvents;
    expect(answer?.eventType).toMatchObject({
      case: "subOrchestrationInstanceCompleted",
      value: { taskScheduledId: 1, result: "result" },
    });
  });

  it("that fails fails the task of its parent", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker);
    await worker.complete(await worker.turn("child1"), [failed("broken")]);
    expect(newEvents(await worker.turn("parent")).slice(1)).toEqual([
      "subOrchestrationInstanceFailed 1",
    ]);
  });

  it("whose id is taken by a live instance fails the task of its parent at once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("child1", { name: "Other" });
    await startParent(hub, worker);
    const turn = await worker.turn("parent");
    expect(failureOf(turn.request.newEvents)).toBe("OrchestrationAlreadyExists");
    expect((await worker.turn("child1")).request.newEvents[1]?.eventType).toMatchObject({
      value: { name: "Other" },
    });
  });

  it("whose id is that of its parent fails the task of its parent", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [startChild(1, "a")]);
    const turn = await worker.turn("a");
    expect(failureOf(turn.request.newEvents)).toBe("OrchestrationAlreadyExists");
  });

  it("whose id is that of its parent does not take it when the parent has just ended", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [startChild(1, "a"), completed("result")]);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("replaces a finished instance of its id", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker);
    await worker.complete(await worker.turn("child1"), [failed("once")]);
    await worker.complete(await worker.turn("parent"), [startChild(2, "child1")]);
    await worker.complete(await worker.turn("child1"), [completed()]);
    expect(newEvents(await worker.turn("parent")).slice(1)).toEqual([
      "subOrchestrationInstanceCompleted 2",
    ]);
  });

  it("of a parent that is gone ends quietly", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker);
    const turn = await worker.turn("child1");
    await hub.terminate("parent");
    expect(await hub.purge("parent")).toBe(1);
    await worker.complete(turn, [completed()]);
    await hub.settled();
    expect(await hub.status("child1")).toBe("COMPLETED");
    expect(await hub.status("parent")).toBeUndefined();
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
  });

  it("of a replaced parent tells the new one nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker);
    const turn = await worker.turn("child1");
    await hub.terminate("parent");
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"));
    await worker.complete(turn, [completed()]);
    expect(await worker.waiting()).toEqual([]);
  });
});

describe(`${3 * LIMITS.mailSliceMax + 8} children of one turn`, () => {
  const count = 3 * LIMITS.mailSliceMax + 8;
  const ids = Array.from({ length: count }, (_, at) => `child${at + 1}`);

  it("start in order, and all report", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startParent(hub, worker, count);
    expect(await worker.waiting()).toEqual(ids.map((id) => `turn ${id}`));
    for (const id of ids) await worker.complete(await worker.turn(id), [completed(id)]);
    let answers = 0;
    while (answers < count) {
      const turn = await worker.turn("parent");
      answers += newEvents(turn).filter((name) => name.startsWith("subOrch")).length;
      await worker.complete(turn);
    }
    expect(answers).toBe(count);
    expect(await worker.waiting()).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5])("start once each over a crash behind %i commits", async (commits) => {
    await using hub = await openHub();
    const before = hub.worker();
    await hub.start("parent");
    const turn = await before.turn("parent");
    await hub.settled();
    hub.bytes.hold(commits);
    const children = ids.map((id, at) => startChild(at + 1, id));
    void before.complete(turn, children);
    await hub.settled();
    await hub.crash();
    const worker = hub.worker();
    expect((await worker.waiting()).toSorted()).toEqual(ids.map((id) => `turn ${id}`).toSorted());
    const created = (await hub.history("parent")).filter(
      ({ eventType }) => eventType.case === "subOrchestrationInstanceCreated",
    );
    expect(created).toHaveLength(count);
    expect(await hub.stored("parent")).toMatchObject({ state: { outbox: [] } });
  });
});

describe.each([
  ["a store in memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("mail over a crash, with %s", (_name, newDisk) => {
  it.each([1, 2])("is delivered once, behind %i commits", async (commits) => {
    await using hub = await openHub({ disk: await newDisk(), idleHeadBytesMax: 0 });
    await hub.start("target", { name: "Other" });
    await hub.start("a");
    const filters = { orchestrations: [{ name: "Main" }] };
    const before = hub.worker({ filters });
    const turn = await before.turn("a");
    // What a crash leaves in the outbox is not yet with its receiver.
    await hub.suspend("target");
    await hub.settled();
    hub.bytes.hold(commits);
    void before.complete(turn, [sendEvent(1, "target", "E"), startChild(2, "child", "Other")]);
    await hub.settled();
    await hub.crash();
    await hub.resume("target");
    const worker = hub.worker();
    expect(newEvents(await worker.turn("target")).slice(1)).toEqual([
      "executionStarted",
      "eventRaised E",
    ]);
    await worker.complete(await worker.turn("child"), [completed()]);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual([
      "subOrchestrationInstanceCompleted 2",
    ]);
  });
});

describe("an event to another instance", () => {
  it("comes in the order of sending", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("target");
    await worker.complete(await worker.turn("target"));
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [
      sendEvent(2, "target", "Second"),
      sendEvent(1, "target", "First"),
    ]);
    expect(newEvents(await worker.turn("target")).slice(1)).toEqual([
      "eventRaised First",
      "eventRaised Second",
    ]);
  });

  it("that is unknown or finished is dropped, and the sender goes on", async () => {
    await using hub = await openHub();
    await hub.start("finished");
    await hub.terminate("finished");
    const worker = hub.worker();
    await hub.start("a");
    const actions = [sendEvent(1, "unknown", "E"), sendEvent(2, "finished", "E"), completed()];
    await worker.complete(await worker.turn("a"), actions);
    await hub.settled();
    expect(await hub.status("a")).toBe("COMPLETED");
    expect(await hub.status("unknown")).toBeUndefined();
    expect(await hub.store.readReady(undefined, 10)).toEqual([]);
  });

  it("that is the sender itself comes with its next turn", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [sendEvent(1, "a", "E")]);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["eventRaised E"]);
  });
});
