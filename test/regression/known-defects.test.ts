/** Defects that users of others have reported about suspension, and that this hub must not have. */
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { InstanceStatus } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type { CompatWorker } from "../support/compat-worker.ts";
import { failureOf } from "../support/compat-world.ts";
import { transports } from "../support/rpc-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";
import { INSTANCE, openWorld, waysToSuspend } from "./suspended-world.ts";

const MINUTE = 60_000;

type Turn = Awaited<ReturnType<CompatWorker["turn"]>>;

function kindsOf(events: Turn["request"]["newEvents"]) {
  return events.map(({ eventType }) => eventType.case);
}

function raisedIn({ request }: Turn): readonly string[] {
  return request.newEvents.flatMap(({ eventType }) =>
    eventType.case === "eventRaised" ? [eventType.value.name] : [],
  );
}

describe.each(transports)("over $name", ({ serve }) => {
  it.each(waysToSuspend)(
    "durabletask-go#21: an orchestration suspended by %s schedules none of its five activities again",
    async (way) => {
      await using world = await openWorld(serve);
      const five = [1, 2, 3, 4, 5];
      const worker = await world.running(five.map((id) => scheduleTask(id)));
      const activities = await Promise.all(five.map(() => worker.activity()));
      await world.suspend(way);
      const before = await world.kinds("a");
      expect(before.filter((kind) => kind === "taskScheduled")).toHaveLength(5);
      // Things that would make others replay the history: time, events, results.
      world.hub.clock.advance(10 * MINUTE);
      await world.raise("E");
      for (const activity of activities) await worker.finish(activity, { result: "1" });
      await world.passBy(worker);
      expect(await world.kinds("a")).toEqual(before);
      await world.resume(way);
      const turn = await worker.turn();
      expect(kindsOf(turn.request.newEvents)).toEqual([
        "orchestratorStarted",
        "eventRaised",
        ...five.map(() => "taskCompleted"),
      ]);
      await worker.complete(turn, [completed("5")]);
      const after = await world.kinds("a");
      expect(after.filter((kind) => kind === "taskScheduled")).toHaveLength(5);
      expect(await world.status("a")).toBe("COMPLETED");
    },
  );

  it.each(waysToSuspend)(
    "durabletask-java#155: suspended by %s while an activity runs, it writes nothing until it is resumed, and then completes",
    async (way) => {
      await using world = await openWorld(serve);
      const worker = await world.running([scheduleTask(1, "First")]);
      const first = await worker.activity();
      await world.suspend(way);
      await worker.finish(first, { result: "1" });
      const before = await world.kinds("a");
      const { durablePosition } = world.hub.store;
      for (let minute = 0; minute < 60; minute += 1) world.hub.clock.advance(MINUTE);
      await world.hub.settled();
      expect(world.hub.store.durablePosition).toBe(durablePosition);
      await world.passBy(worker);
      expect(await world.kinds("a")).toEqual(before);
      await world.resume(way);
      const turn = await worker.turn();
      expect(kindsOf(turn.request.newEvents)).toEqual(["orchestratorStarted", "taskCompleted"]);
      await worker.complete(turn, [scheduleTask(2, "Second")]);
      await worker.finish(await worker.activity(), { result: "2" });
      await worker.completeNext('"both"');
      expect(await world.state("a")).toMatchObject({
        orchestrationStatus: OrchestrationStatus.COMPLETED,
        output: '"both"',
      });
    },
  );

  it.each(waysToSuspend)(
    "durabletask-js#306: what was buffered under %s is delivered once, in order, and never buffered again",
    async (way) => {
      await using world = await openWorld(serve);
      const worker = await world.running();
      for (const cycle of ["1", "2", "3"]) {
        await world.suspend(way);
        await world.raise(`first ${cycle}`);
        // A second suspend was buffered by that SDK, and suspended it again after the resume.
        await world.suspend(way);
        await world.raise(`second ${cycle}`);
        await world.resume(way);
        const turn = await worker.turn();
        expect(raisedIn(turn)).toEqual([`first ${cycle}`, `second ${cycle}`]);
        const seen = kindsOf([...turn.request.pastEvents, ...turn.request.newEvents]);
        expect(seen).not.toContain("executionSuspended");
        expect(seen).not.toContain("executionResumed");
        await worker.complete(turn);
        await world.passBy(worker);
        expect(await world.status("a")).toBe("RUNNING");
      }
    },
  );

  it.each(waysToSuspend)(
    "durabletask-js#176: the status follows suspend and resume by %s at once, and those who wait are told",
    async (way) => {
      await using world = await openWorld(serve);
      const worker = await world.running();
      const arrived = world.calls.next("watchInstance");
      const watching = world.v1.watchInstance(INSTANCE)[Symbol.asyncIterator]();
      const next = async () => (await watching.next()).value?.instance?.status;
      const first = next();
      await arrived;
      expect(await first).toBe(InstanceStatus.RUNNING);
      await world.suspend(way);
      expect(await world.status("a")).toBe("SUSPENDED");
      expect(await next()).toBe(InstanceStatus.SUSPENDED);
      await world.resume(way);
      expect(await world.status("a")).toBe("RUNNING");
      expect(await next()).toBe(InstanceStatus.RUNNING);
      await watching.return?.();
      // Resuming what runs and suspending what has finished change nothing.
      const facts = await world.facts("a");
      await world.resume(way);
      expect(await world.facts("a")).toMatchObject({ state: facts.state });
      await world.raise("end");
      await worker.completeNext();
      await world.client.suspendInstance(INSTANCE);
      const finished = await failureOf(world.v1.suspendInstance({ ...INSTANCE, name: "audit" }));
      expect(finished).toEqual({
        code: Code[Code.FailedPrecondition],
        message: expect.stringContaining("COMPLETED"),
      });
      expect(await world.status("a")).toBe("COMPLETED");
    },
  );

  it.each(waysToSuspend)(
    "dotnet-sdk#1215: every read says of what %s has suspended that it is suspended",
    async (way) => {
      await using world = await openWorld(serve);
      await world.running();
      await world.suspend(way);
      const SUSPENDED = OrchestrationStatus.SUSPENDED;
      // The number on the wire, which client libraries know.
      expect(SUSPENDED).toBe(7);
      const compatible = await Promise.all([
        world.client.getInstance(INSTANCE),
        world.client.waitForInstanceStart(INSTANCE),
      ]);
      expect(compatible.map((it) => it.orchestrationState?.orchestrationStatus)).toEqual([
        SUSPENDED,
        SUSPENDED,
      ]);
      const { v1 } = world;
      const statuses = [InstanceStatus.SUSPENDED];
      const [found] = (await v1.queryInstances({ filter: { statuses } })).instances;
      const watching = v1.watchInstance(INSTANCE)[Symbol.asyncIterator]();
      const shown = [
        found?.status,
        (await v1.getSuspension(INSTANCE)).instance?.status,
        (await v1.getCustomStatus(INSTANCE)).status,
        (await v1.explainInstance(INSTANCE)).instance?.status,
        (await v1.waitForInstance({ ...INSTANCE, timeout: {} })).instance?.status,
        (await watching.next()).value?.instance?.status,
      ];
      await watching.return?.();
      expect(shown).toEqual(shown.map(() => InstanceStatus.SUSPENDED));
      const { counts } = await v1.countInstances({ filter: { statuses } });
      expect(counts.map(({ count }) => count)).toEqual([1n]);
    },
  );

  it.each(waysToSuspend)(
    "temporal#10239: a turn in flight that completes after %s neither resumes the instance nor brings on another turn",
    async (way) => {
      await using world = await openWorld(serve);
      await world.start("a");
      const worker = await world.worker();
      const turn = await worker.turn();
      await world.raise("waits already");
      await world.suspend(way);
      await worker.complete(turn, [scheduleTask(1)]);
      await world.passBy(worker);
      expect(await world.status("a")).toBe("SUSPENDED");
      const held = await world.v1.getSuspension(INSTANCE);
      expect(held).toMatchObject({
        turnHeldBack: true,
        activitiesHeldBack: 1,
        inFlight: [],
        quiescent: true,
      });
      expect(held.instance?.holds).toHaveLength(1);
      await world.resume(way);
      expect(await world.status("a")).toBe("RUNNING");
      expect((await world.v1.getSuspension(INSTANCE)).instance?.holds).toEqual([]);
      expect(raisedIn(await worker.turn())).toEqual(["waits already"]);
      expect((await worker.activity()).request.taskId).toBe(1);
    },
  );

  it.each(waysToSuspend)(
    "dapr/docs#4916: suspended by %s for far longer than 100 seconds, it resumes, completes, and those who waited are told",
    async (way) => {
      await using world = await openWorld(serve);
      const worker = await world.running();
      await world.suspend(way);
      const arrivals = [
        world.calls.next("waitForInstanceCompletion"),
        world.calls.next("waitForInstance"),
      ];
      const compatible = world.client.waitForInstanceCompletion(INSTANCE);
      const limited = world.v1.waitForInstance({ ...INSTANCE, timeout: { seconds: 100n } });
      await Promise.all(arrivals);
      await world.hub.settled();
      for (let minute = 0; minute < 60; minute += 1) {
        world.hub.clock.advance(MINUTE);
        world.hub.steady.advance(MINUTE);
      }
      // The time is up: that is no error, and the answer says why.
      const { reached, instance } = await limited;
      expect(reached).toBe(false);
      expect(instance?.status).toBe(InstanceStatus.SUSPENDED);
      expect(instance?.holds).toHaveLength(1);
      await world.resume(way);
      await world.raise("E");
      await worker.completeNext('"in the end"');
      expect((await compatible).orchestrationState).toMatchObject({
        orchestrationStatus: OrchestrationStatus.COMPLETED,
      });
      expect((await world.state("a"))?.output).toBe('"in the end"');
    },
  );
});
