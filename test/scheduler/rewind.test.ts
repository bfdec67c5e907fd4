/** Rewinding: a failed instance goes on, and of what was under way nothing does. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { OrchestratorActionSchema } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { holdHub, releaseHub } from "../support/hold-calls.ts";
import { MIB, streaming } from "../support/long-history.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import {
  type Activity,
  newEvents,
  pastEvents,
  type ScriptedWorker,
  shownEvent,
} from "../support/worker.ts";
import { completed, failed, scheduleTask } from "../support/worker-actions.ts";
import { broken, expectStored, failSecond, rewind } from "./kit/rewinding.ts";

const all = {};

async function rowsOf(hub: TestHub): Promise<Record<string, readonly string[]>> {
  const number = hub.hub.number ?? 0n;
  const idsOf = (rows: readonly { readonly instanceId: string }[]) =>
    rows.map(({ instanceId }) => instanceId);
  const inClass = async (instanceClass: "live" | "failed" | "completed") =>
    idsOf(await hub.store.readQuery(number, instanceClass, all, undefined, 10));
  return {
    live: await inClass("live"),
    failed: await inClass("failed"),
    completed: await inClass("completed"),
    finished: idsOf(await hub.store.readCompleted(number, all, undefined, 10)),
  };
}

describe("a rewound instance", () => {
  it("gets a turn without an event, behind the history of what has succeeded", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failSecond(hub, worker);
    const before = await hub.hub.read("a", (state) => state.executionId);
    await rewind(hub, "a", "again");
    expect(await hub.status("a")).toBe("RUNNING");
    const turn = await worker.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted"]);
    expect(pastEvents(turn)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted 1",
      "orchestratorStarted",
      "orchestratorStarted",
    ]);
    expect(turn.request.executionId).not.toBe(before);
    expect(turn.request.pastEvents[1]?.eventType).toMatchObject({
      value: { orchestrationInstance: { executionId: turn.request.executionId } },
    });
    await worker.complete(turn, [scheduleTask(2)]);
    const { orchestrationInstance } = (await worker.activity("a", 2)).request;
    expect(orchestrationInstance?.executionId).toBe(turn.request.executionId);
  });

  it("is shown to readers with the reason", async () => {
    await using hub = await openHub();
    await failSecond(hub, hub.worker());
    await rewind(hub, "a", "again");
    const last = (await hub.history("a")).at(-1);
    expect(last?.eventType).toMatchObject({ case: "executionRewound", value: { reason: "again" } });
    expect((await hub.history("a", true)).map(shownEvent)).not.toContain("executionRewound");
  });

  it("is waited for, and is listed among those that go on", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failSecond(hub, worker);
    expect(await rowsOf(hub)).toMatchObject({ live: [], failed: ["a"], finished: ["a"] });
    await rewind(hub, "a");
    expect(await rowsOf(hub)).toMatchObject({ live: ["a"], failed: [], finished: [] });
    const wait = watch(hub.waitForEnd("a"));
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.settled();
    expect(wait.state).toBe("done");
    expect(await rowsOf(hub)).toEqual({
      live: [],
      failed: [],
      completed: ["a"],
      finished: ["a"],
    });
    await expectStored(hub, "a");
  });

  it("gets its turn also when the process ends first", async () => {
    await using hub = await openHub();
    await failSecond(hub, hub.worker());
    await rewind(hub, "a");
    await hub.crash();
    const worker = hub.worker();
    expect(newEvents(await worker.turn("a"))).toEqual(["orchestratorStarted"]);
    await hub.crash();
    const next = hub.worker();
    const turn = await next.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted"]);
    await next.complete(turn);
    await hub.crash();
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("is not rewound before that is durable, and not at all when it is lost", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failSecond(hub, worker);
    hub.bytes.hold();
    const call = watch(rewind(hub, "a"));
    expect(await worker.waiting()).toEqual([]);
    expect(call.state).toBe("pending");
    await hub.crash();
    expect(await hub.status("a")).toBe("FAILED");
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("is rewound when it was not in memory", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    const worker = hub.worker();
    await failSecond(hub, worker);
    await hub.crash();
    await rewind(hub, "a");
    expect(pastEvents(await hub.worker().turn("a"))).toContain("taskCompleted 1");
  });

  it("is held by a window that covers it, and goes on behind it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await failSecond(hub, worker);
    await holdHub(hub);
    await rewind(hub, "a");
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("is suspended before its turn, and gets it behind the resume", async () => {
    await using hub = await openHub();
    await failSecond(hub, hub.worker());
    await rewind(hub, "a");
    await hub.suspend("a");
    await hub.crash();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await hub.resume("a");
    expect(newEvents(await worker.turn("a"))).toEqual(["orchestratorStarted"]);
  });
});

describe("what workers have of the failed run", () => {
  async function failWithOpenWork(hub: TestHub, worker: ScriptedWorker): Promise<Activity> {
    await hub.start("a");
    const tasks = [scheduleTask(1), scheduleTask(2), scheduleTask(3)];
    await worker.complete(await worker.turn("a"), tasks);
    await worker.finish(await worker.activity("a", 1), undefined, broken);
    const inFlight = await worker.activity("a", 2);
    await worker.complete(await worker.turn("a"), [failed("broken")]);
    await hub.settled();
    return inFlight;
  }

  it("is void: a queued activity is not handed out, the result of another one is dropped", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    const inFlight = await failWithOpenWork(hub, worker);
    await rewind(hub, "a");
    const turn = await worker.turn("a");
    await worker.finish(inFlight, "late");
    await worker.complete(turn);
    await hub.settled();
    expect((await hub.history("a")).map(shownEvent)).not.toContain("taskCompleted 2");
    expect(await worker.waiting()).toEqual([]);
  });

  it("keeps no place: the worker gets new work though it has not answered", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await failWithOpenWork(hub, worker);
    await rewind(hub, "a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("is asked for again", async () => {
    await using hub = await openHub();
    const before = hub.worker({ activities: 1 });
    await failWithOpenWork(hub, before);
    await before.close();
    await rewind(hub, "a");
    const worker = hub.worker();
    const turn = await worker.turn("a");
    expect(pastEvents(turn)).not.toContain("taskScheduled");
    await worker.complete(turn, [scheduleTask(1), scheduleTask(2), scheduleTask(3)]);
    await worker.finish(await worker.activity("a", 2), "two");
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual(["taskCompleted 2"]);
    expect(await worker.waiting()).toEqual(["activity a 1", "activity a 3"]);
  });
});

describe("a large history", () => {
  const results = Array.from({ length: 5 }, (_, at) => `${at}`.repeat(600_000));

  async function failLarge(hub: TestHub): Promise<void> {
    const worker = hub.worker();
    await hub.start("a");
    for (const [at, result] of results.entries()) {
      await worker.complete(await worker.turn("a"), [scheduleTask(at + 1)]);
      await worker.finish(await worker.activity("a"), result);
    }
    await worker.complete(await worker.turn("a"), [failed("broken")]);
    await hub.settled();
  }

  it("begins its generation with several values, and is whole after a crash", async () => {
    await using hub = await openHub();
    await failLarge(hub);
    const written: number[] = [];
    const { writeDurably } = hub.bytes;
    hub.bytes.writeDurably = (writes) => {
      for (const write of writes) if (write.type === "put") written.push(write.value.length);
      return writeDurably.call(hub.bytes, writes);
    };
    await rewind(hub, "a");
    await hub.settled();
    expect(Math.max(...written)).toBeLessThan(2 * LIMITS.logPutBytesMax);
    expect(written.reduce((sum, bytes) => sum + bytes)).toBeGreaterThan(5 * 600_000);
    const before = await hub.history("a");
    await hub.crash();
    expect(await hub.history("a")).toEqual(before);
    const texts = (await hub.history("a")).flatMap(({ eventType: type }) =>
      type.case === "taskCompleted" ? [type.value.result] : [],
    );
    expect(texts).toEqual(results);
    await expectStored(hub, "a");
  });
});

describe("a long history", () => {
  it("is read again for its rewind when the turn that ended it lets go of it meanwhile", async () => {
    await using hub = await openHub();
    const worker = hub.worker(streaming);
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await worker.finish(await worker.activity("a"), "x".repeat(1.5 * MIB));
    await worker.complete(await worker.turn("a"), [scheduleTask(2)]);
    // The next turn comes without its past, and leaves it to the disk.
    await worker.finish(await worker.activity("a"), "y");
    await worker.complete(await worker.turn("a"), [scheduleTask(3)]);
    await worker.finish(await worker.activity("a"), "z".repeat(1.5 * MIB));
    hub.bytes.hold();
    const failing = worker.complete(await worker.turn("a"), [failed("broken")]);
    await hub.settled();
    hub.bytes.holdReads();
    const rewinding = rewind(hub, "a");
    await hub.settled();
    hub.bytes.release();
    await failing;
    hub.bytes.releaseReads();
    await rewinding;
    expect(newEvents(await worker.turn("a"))).toEqual(["orchestratorStarted"]);
    await expectStored(hub, "a");
  });
});

describe("a turn that a worker answers with a rewound history", () => {
  it("begins anew with that history, and nothing of the earlier run goes on", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    const late = await worker.activity("a", 2);
    await worker.finish(await worker.activity("a", 1), undefined, broken);
    const turn = await worker.turn("a");
    const { pastEvents: past, newEvents: fresh, executionId } = turn.request;
    const newHistory = [...past, ...fresh].filter(
      ({ eventType: type, eventId }) => type.case !== "taskFailed" && eventId !== 1,
    );
    const value = { newHistory };
    const orchestratorActionType = { case: "rewindOrchestration", value } as const;
    const action = create(OrchestratorActionSchema, { id: -1, orchestratorActionType });
    await worker.complete(turn, [action]);
    await worker.finish(late, "late");
    await hub.crash();
    const next = await hub.worker().turn("a");
    expect(newEvents(next)).toEqual(["orchestratorStarted"]);
    expect(pastEvents(next)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "orchestratorStarted",
    ]);
    expect(next.request.executionId).not.toBe(executionId);
    await expectStored(hub, "a");
  });
});
