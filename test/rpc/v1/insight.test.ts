/** ExplainInstance in words for every kind of reason, ListWorkers, GetTaskHub. */
import { describe, expect, it } from "vitest";
import {
  ExpiryAction,
  HoldScope,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { ReasonKindSchema } from "../../../sidecar/wire/gen/taskhub/v1/insight_pb.ts";
import { WorkKind } from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { inHub } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openV1, type V1World } from "../../support/v1-world.ts";
import { completed, createTimer, scheduleTask, startChild } from "../../support/worker-actions.ts";

const A = { instanceId: "a" };
const FREEZE = TimerPolicy.FREEZE;

/** Kinds and texts of all reasons, the summary first. */
async function explained(world: V1World, instanceId = "a"): Promise<string[]> {
  const { summary, reasons } = await world.v1.explainInstance({ instanceId });
  expect(reasons[0]?.text).toBe(summary);
  return reasons.map(({ kind, text }) => `${ReasonKindSchema.value[kind]?.localName}: ${text}`);
}

describe.each(transports)("ExplainInstance over $name", ({ serve }) => {
  it("says that no worker accepts it, and then that one is about to get it or has it", async () => {
    await using world = await openV1(serve);
    await world.client.startInstance({ ...A, name: "Order", version: "2" });
    expect(await explained(world)).toEqual([
      'NO_WORKER: no connected worker accepts orchestrator "Order" version "2"',
    ]);
    const filters = { orchestrations: [{ name: "Mail", versions: [] }] };
    await world.worker({ workItemFilters: filters });
    expect((await explained(world))[0]).toMatch(/^NO_WORKER/);
    const worker = await world.worker();
    await worker.turn();
    const [text] = await explained(world);
    expect(text).toMatch(/^IN_FLIGHT: a turn is with worker \S+ since 2026-01-01T10:00:00.000Z$/);
    const { reasons } = await world.v1.explainInstance(A);
    expect(reasons[0]).toMatchObject({
      since: world.hub.clock.now(),
      work: { instanceId: "a", kind: WorkKind.TURN, name: "Order" },
    });
  });

  it("says that all workers that accept it have as much as they asked for", async () => {
    await using world = await openV1(serve);
    const worker = await world.worker({ maxConcurrentOrchestrationWorkItems: 1 });
    await world.start("b");
    await worker.turn();
    await world.start("a");
    expect(await explained(world)).toEqual([
      'WORKERS_BUSY: all workers that accept orchestrator "Main" have as much as they asked for',
    ]);
  });

  it("names every hold, the most important first, with what is known of it", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const at = "2026-01-01T10:00:00.000Z";
    await world.client.suspendInstance({ ...A, reason: "lunch" });
    await world.v1.suspendInstance({
      ...A,
      name: "audit",
      reason: "books\n\nare closed",
      requestedBy: "ann",
      expiresAfter: { seconds: 60n },
      expiryAction: ExpiryAction.KEEP,
    });
    await world.v1.suspendInstance({ ...A, name: "t", scope: HoldScope.TREE });
    await world.v1.suspendTaskHub({ name: "night" });
    const until = "2026-01-01T10:01:00.000Z";
    expect((await explained(world)).slice(0, 4)).toEqual([
      `HELD: held by a suspend since ${at}: lunch`,
      `HELD: held by hold "audit" since ${at} by ann until ${until}: books are closed`,
      `HELD: held by hold "t" on the tree of "a" since ${at}`,
      `HELD: held by maintenance window "night" since ${at}`,
    ]);
    const { reasons } = await world.v1.explainInstance(A);
    expect(reasons[1]).toMatchObject({ hold: { name: "audit" }, until: { seconds: 1767261660n } });
    expect(reasons[3]).toMatchObject({ hold: { name: "night", scope: HoldScope.SELECTOR } });
  });

  it("says that a window is being released step by step to who waits for it", async () => {
    await using world = await openV1(serve);
    await world.v1.suspendTaskHub({ name: "w" });
    for (const id of ["a", "b"]) await world.start(id);
    const pace = { canaries: 1, instancesPerSecond: 1 };
    await world.v1.resumeTaskHub({ name: "w", pace });
    await world.hub.settled();
    const texts = [await explained(world, "a"), await explained(world, "b")].map(([text]) => text);
    const held = texts.filter((text) => text?.startsWith("HELD"));
    expect(held).toHaveLength(1);
    expect(held[0]).toMatch(/"w" since \S+, which is being released step by step$/);
  });

  it("says for what it waits: activities, a child, a timer, an event", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const filters = { orchestrations: [{ name: "Main", versions: [] }], activities: [] };
    const worker = await world.worker({ workItemFilters: filters });
    const at = world.hub.clock.in(60_000);
    await worker.complete(await worker.turn(), [
      scheduleTask(1, "Pay"),
      scheduleTask(2, "Pay"),
      startChild(3, "child"),
      createTimer(4, at),
      createTimer(5, world.hub.clock.in(90_000)),
    ]);
    await world.hub.settled();
    expect(await explained(world)).toEqual([
      'NO_WORKER: no connected worker accepts activity "Pay"',
      'ACTIVITY: it waits for activity "Pay", and for 1 other',
      "TIMER: it waits for a timer, due at 2026-01-01T10:01:00.000Z, and for 1 other",
      'CHILD: it waits for child "child"',
    ]);
    await world.start("b");
    await worker.complete(await worker.turn());
    expect(await explained(world, "b")).toEqual(["EVENT: it waits for an event from outside"]);
  });

  it("says that timers stand still under a freeze of an instance or a window", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [createTimer(1, world.hub.clock.in(60_000))]);
    await world.v1.suspendInstance({ ...A, name: "n", timerPolicy: FREEZE });
    expect((await explained(world)).at(-1)).toMatch(
      /^TIMER: 1 timer stands still while it is held$/,
    );
    await world.v1.resumeInstance({ ...A, name: "n" });
    await world.v1.suspendTaskHub({ name: "w", timerPolicy: FREEZE });
    await world.hub.pass(30_000);
    expect((await explained(world)).at(-1)).toMatch(
      /^TIMER: 1 timer stands still while it is held$/,
    );
    await world.v1.resumeTaskHub({ name: "w" });
    expect((await explained(world)).at(-1)).toBe(
      "TIMER: it waits for a timer, due at 2026-01-01T10:01:30.000Z",
    );
  });

  it("says that work was given back and waits, that it ends, and that it starts later", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    for (let lost = 0; lost < 2; lost += 1) {
      const { token } = await worker.turn();
      await world.client.abandonTaskOrchestratorWorkItem({ completionToken: token });
      await world.hub.settled();
      const [delayed] = await explained(world);
      expect(delayed).toMatch(
        /^DELAYED: orchestrator "Main" was lost or given back by a worker, and waits until 2026/,
      );
      await world.hub.pass(60_000);
    }
    const at = world.hub.clock.in(60_000);
    await world.client.startInstance({
      instanceId: "later",
      name: "Main",
      scheduledStartTimestamp: at,
    });
    expect(await explained(world, "later")).toContain(
      "SCHEDULED_START: its start is scheduled for 2026-01-01T10:03:00.000Z",
    );
    await worker.turn();
    await world.v1.terminateInstance(A);
    expect(await explained(world)).toContain(
      "TERMINATING: it ends as soon as the turn in flight is over",
    );
  });

  it("says that it has finished, whatever covers it, and NOT_FOUND of nobody", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed()]);
    await world.v1.suspendTaskHub({ name: "w" });
    expect(await explained(world)).toEqual(["FINISHED: it has finished: COMPLETED"]);
    const call = () => world.v1.explainInstance({ instanceId: "nobody" });
    await world.expectV1Refused(call, "NotFound", /"nobody"/);
    const empty = () => world.v1.explainInstance({ instanceId: "" });
    await world.expectV1Refused(empty, "InvalidArgument", /instance_id is empty/);
  });
});

describe.each(transports)("ListWorkers over $name", ({ serve }) => {
  it("tells who is connected, what they accept, and what they have since when", async () => {
    await using world = await openV1(serve);
    expect((await world.v1.listWorkers({})).workers).toEqual([]);
    await world.worker({
      maxConcurrentOrchestrationWorkItems: 3,
      maxConcurrentActivityWorkItems: 5,
      workItemFilters: {
        orchestrations: [{ name: "Order", versions: ["1", "2"] }],
        activities: [{ name: "Pay", versions: [] }],
      },
    });
    const second = await world.worker();
    await world.start("a");
    await second.turn();
    const since = world.hub.clock.now();
    const { workers } = await world.v1.listWorkers({});
    expect(workers).toMatchObject([
      {
        filtered: true,
        orchestrations: [{ name: "Order", versions: ["1", "2"] }],
        activities: [{ name: "Pay", versions: [] }],
        turnCredit: 3,
        activityCredit: 5,
        inFlight: [],
        waiting: true,
        detached: false,
      },
      {
        filtered: false,
        orchestrations: [],
        inFlight: [{ instanceId: "a", kind: WorkKind.TURN, name: "Main", since }],
        detached: false,
      },
    ]);
    for (const { address } of workers) expect(address).not.toBe("");
  });

  it("tells of another hub nothing, and of a stream that is gone as long as it may answer", async () => {
    await using world = await openV1(serve);
    const worker = await world.worker();
    await world.start("a");
    await worker.turn();
    expect((await world.v1.listWorkers({}, inHub("other"))).workers).toEqual([]);
    worker.close();
    await worker.ended;
    await world.hub.settled();
    const { workers } = await world.v1.listWorkers({});
    for (const gone of workers) expect(gone).toMatchObject({ detached: true, waiting: false });
  });
});

describe.each(transports)("GetTaskHub over $name", ({ serve }) => {
  it("of one that does not exist says so, and does not create it", async () => {
    await using world = await openV1(serve);
    const answer = await world.v1.getTaskHub({}, inHub("none"));
    expect(answer).toMatchObject({ name: "none", exists: false, incarnation: "", holds: [] });
    expect(answer.serverTime).toEqual(world.hub.clock.now());
    expect(await world.hub.store.listHubs()).toEqual([]);
  });

  it("tells of windows and trees, of workers, and of what is held back", async () => {
    await using world = await openV1(serve);
    await world.start("a", "Order");
    const worker = await world.worker();
    const turn = await worker.turn();
    const createdAt = world.hub.clock.now();
    await world.v1.suspendTaskHub({ name: "w", reason: "night" });
    await world.v1.suspendTaskHub({ name: "later", startsAt: world.hub.clock.in(60_000) });
    await world.start("b", "Order");
    await world.v1.raiseEvent({ instanceId: "b", name: "E", input: "12345" });
    await world.hub.pass(1_500);
    const busy = await world.v1.getTaskHub({});
    expect(busy).toMatchObject({
      name: "default",
      exists: true,
      createdAt,
      workers: 1,
      inFlight: [{ instanceId: "a", kind: WorkKind.TURN, name: "Order", since: createdAt }],
      inFlightCount: 1,
      instancesHeldBack: 1n,
      quiescent: false,
      serverVersion: "1.2.3",
      uptime: { seconds: 1n, nanos: 500_000_000 },
      bufferedEvents: { count: 1 },
      holds: [
        { hold: { name: "w" }, active: true, inFlight: 1, instancesHeldBack: 1n, quiescent: false },
        { hold: { name: "later" }, active: false, quiescent: false },
      ],
    });
    expect(busy.incarnation).not.toBe("");
    expect(busy.bufferedEvents?.bytes).toBeGreaterThan(5n);
    await worker.complete(turn);
    expect(await world.v1.getTaskHub({})).toMatchObject({
      inFlightCount: 0,
      quiescent: true,
      holds: [{ quiescent: true }, { quiescent: false }],
    });
  });

  it("counts for ListSuspensions what a window holds back", async () => {
    await using world = await openV1(serve);
    await world.v1.suspendTaskHub({ name: "w" });
    for (const id of ["a", "b"]) await world.start(id);
    await world.v1.raiseEvent({ ...A, name: "E" });
    await world.hub.settled();
    const { suspensions } = await world.v1.listSuspensions({});
    expect(suspensions).toMatchObject([
      { hold: { name: "w" }, instancesHeld: 2n, bufferedEvents: 1n },
    ]);
  });
});
