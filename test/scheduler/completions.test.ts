/** Answers of workers: whose they are, and that each counts once. */
import { describe, expect, it } from "vitest";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents, type ScriptedWorker, type Turn } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const STALE = "00000000000000000000000000000000";

async function firstTurn(hub: TestHub, worker: ScriptedWorker, id = "a"): Promise<Turn> {
  await hub.start(id);
  return worker.turn(id);
}

describe("a completion without a token", () => {
  it("belongs to the turn in flight of the instance", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete({ ...turn, token: "" }, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("changes nothing when no turn of the instance is in flight", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn);
    await worker.complete({ ...turn, token: "" }, [completed()]);
    await worker.complete({ ...turn, instanceId: "unknown", token: "" }, [completed()]);
    expect(await hub.status("a")).toBe("RUNNING");
  });

  it("belongs to the activity in flight with the task id", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await worker.complete(await firstTurn(hub, worker), [scheduleTask(1), scheduleTask(2)]);
    const activity = await worker.activity("a", 2);
    await worker.activity("a", 1);
    await worker.finish({ ...activity, token: "" }, "two");
    expect(newEvents(await worker.turn())).toEqual(["orchestratorStarted", "taskCompleted 2"]);
  });

  it("changes nothing when the activity is not in flight", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await worker.complete(await firstTurn(hub, worker), [scheduleTask(1), scheduleTask(2)]);
    const activity = await worker.activity("a", 1);
    await worker.finish({ ...activity, token: "" }, "two", { taskId: 2 });
    expect(await worker.waiting()).toEqual([]);
  });
});

describe("a stale completion is a success and changes nothing:", () => {
  it("a token that was never given out", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete({ ...turn, token: STALE }, [completed()]);
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("a turn that is completed twice", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn, [scheduleTask(1)]);
    const before = await hub.live("a");
    await worker.complete(turn, [completed()]);
    expect(await hub.live("a")).toEqual(before);
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("a turn that is completed five times at once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    const answers = Array.from({ length: 5 }, (_, at) =>
      worker.complete(turn, [scheduleTask(at + 1)]),
    );
    await Promise.all(answers);
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("an activity that is completed five times at once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await worker.complete(await firstTurn(hub, worker), [scheduleTask(1)]);
    const activity = await worker.activity();
    await Promise.all([1, 2, 3, 4, 5].map((count) => worker.finish(activity, `${count}`)));
    const turn = await worker.turn();
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "taskCompleted 1"]);
    await worker.complete(turn);
    await worker.finish(activity, "late");
    expect(await worker.waiting()).toEqual([]);
  });

  it("a token of the other kind", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await worker.complete(await firstTurn(hub, worker), [scheduleTask(1)]);
    const activity = await worker.activity();
    const turn = await firstTurn(hub, worker, "b");
    await worker.complete({ ...turn, token: activity.token }, [completed()]);
    await worker.finish({ ...activity, token: turn.token }, "result");
    expect([await hub.status("a"), await hub.status("b")]).toEqual(["RUNNING", "PENDING"]);
    expect(await worker.waiting()).toEqual([]);
  });

  it("a turn from before the crash", async () => {
    await using hub = await openHub();
    const before = hub.worker();
    const turn = await firstTurn(hub, before);
    await hub.crash();
    const worker = hub.worker();
    await worker.complete(turn, [completed("stale")]);
    expect(await hub.status("a")).toBe("PENDING");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

describe("an answer with more than a turn may have", () => {
  it("fails the instance, also with more actions than a call may have arguments", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const actions = Array.from({ length: 150_000 }, (_, id) => scheduleTask(id));
    await worker.complete(await firstTurn(hub, worker), actions);
    expect(await hub.status("a")).toBe("FAILED");
  });

  it("fails the instance when its parts are too large together, and they are not kept", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    const large = scheduleTask(1, "Work", { input: "a".repeat(2 * 1024 * 1024) });
    for (let chunkIndex = 0; chunkIndex < 9; chunkIndex += 1) {
      await worker.complete(turn, [large], { isPartial: true, chunkIndex });
    }
    await worker.complete(turn, [], { chunkIndex: 9 });
    expect(await hub.status("a")).toBe("FAILED");
  });
});

describe("a chunked answer", () => {
  const part = (chunkIndex: number) => ({ isPartial: true, chunkIndex });

  it("is committed once, at its last part, in the order of its parts", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    // Actions of one id keep the order in which they come.
    await worker.complete(turn, [scheduleTask(1, "Second")], part(1));
    await worker.complete(turn, [scheduleTask(1, "First")], part(0));
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.history("a")).toEqual([]);
    await worker.complete(turn, [scheduleTask(1, "Third")], { chunkIndex: 2 });
    const names = (await hub.history("a")).flatMap(({ eventType: type }) =>
      type.case === "taskScheduled" ? [type.value.name] : [],
    );
    expect(names).toEqual(["First", "Second", "Third"]);
  });

  it("has a repeated part once, as it came last", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn, [scheduleTask(1)], part(0));
    await worker.complete(turn, [scheduleTask(1), scheduleTask(2)], part(0));
    await worker.complete(turn, [scheduleTask(3)], { chunkIndex: 1 });
    expect(await worker.waiting()).toEqual(["activity a 1", "activity a 2", "activity a 3"]);
  });

  it("whose last part is repeated is committed once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn, [scheduleTask(1)], part(0));
    await Promise.all(
      [1, 2].map(() => worker.complete(turn, [scheduleTask(2)], { chunkIndex: 1 })),
    );
    expect(await worker.waiting()).toEqual(["activity a 1", "activity a 2"]);
  });

  it("is dropped when the lease ends", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn, [scheduleTask(1)], part(0));
    await hub.pass(5 * 60_000);
    const again = await worker.turn();
    await worker.complete(turn, [scheduleTask(2)], { chunkIndex: 1 });
    expect(await hub.history("a")).toEqual([]);
    await worker.complete(again, [scheduleTask(7)]);
    expect(await worker.waiting()).toEqual(["activity a 7"]);
  });

  it("consumes all events, whatever its parts say of their number", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.raise("a", "E");
    const worker = hub.worker();
    const turn = await worker.turn();
    await worker.complete(turn, [], part(0));
    await worker.complete(turn, [], { chunkIndex: 1, numEventsProcessed: 0 });
    expect(await worker.waiting()).toEqual([]);
  });

  it("takes its custom status from the last part", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await worker.complete(turn, [], { ...part(0), customStatus: "first" });
    await worker.complete(turn, [], { chunkIndex: 1, customStatus: "last" });
    expect(await hub.hub.read("a", (state) => state.customStatus?.text)).toBe("last");
  });
});

describe("the number of processed events", () => {
  it("puts the rest back at the head of the inbox", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.raise("a", "E");
    await hub.raise("a", "F");
    const worker = hub.worker();
    const first = await worker.turn();
    await hub.raise("a", "G");
    await worker.complete(first, [], { numEventsProcessed: 3 });
    const second = await worker.turn();
    expect(newEvents(second)).toEqual(["orchestratorStarted", "eventRaised F", "eventRaised G"]);
  });

  it("above the events of the turn counts as all of them", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const turn = await firstTurn(hub, worker);
    await hub.raise("a", "E");
    await worker.complete(turn, [], { numEventsProcessed: 99 });
    expect(newEvents(await worker.turn())).toEqual(["orchestratorStarted", "eventRaised E"]);
  });
});
