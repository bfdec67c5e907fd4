/** PROTOCOL.md 4.10: suspend and resume. */
import { Code } from "@connectrpc/connect";
import { completed, continueAsNew, createTimer } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { fromNow, kinds } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

/** Starts another instance, and expects the next turn to be its own: nothing else was ready. */
async function expectNothingReady(context: CheckContext, worker: ConformanceWorker) {
  const barrier = await context.start({
    instanceId: context.id(`barrier${worker.received.length}`),
  });
  const { request } = await worker.completeNext("1");
  expectEqual("the instance of the next turn", request.instanceId, barrier);
}

async function runningInstance(context: CheckContext, worker: ConformanceWorker) {
  const instanceId = await context.start();
  await worker.answer([], instanceId);
  return instanceId;
}

export const suspensionChecks: readonly Check[] = [
  {
    id: "4.10/unknown",
    title: "suspending and resuming an unknown instance is NOT_FOUND",
    async run(context) {
      const instanceId = context.id("unknown");
      await context.refused(context.client.suspendInstance({ instanceId }), Code.NotFound);
      await context.refused(context.client.resumeInstance({ instanceId }), Code.NotFound);
    },
  },
  {
    id: "4.10/finished",
    title: "suspending and resuming a finished instance changes nothing",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext("1", instanceId);
      await context.ended(instanceId);
      await context.client.suspendInstance({ instanceId });
      await context.expectStatus(instanceId, "COMPLETED");
      await context.client.resumeInstance({ instanceId });
      await context.expectStatus(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.10/status",
    title: "the status is SUSPENDED at once, and RUNNING after the resume",
    async run(context) {
      const instanceId = await runningInstance(context, context.worker());
      await context.client.suspendInstance({ instanceId, reason: "why" });
      await context.expectStatus(instanceId, "SUSPENDED");
      await context.client.resumeInstance({ instanceId });
      await context.expectStatus(instanceId, "RUNNING");
    },
  },
  {
    id: "4.10/events-wait",
    traps: ["T6"],
    title: "while suspended no turn is handed out; events wait, and come after the resume in order",
    async run(context) {
      const worker = context.worker();
      const instanceId = await runningInstance(context, worker);
      await context.client.suspendInstance({ instanceId });
      await context.raise(instanceId, "one");
      await context.raise(instanceId, "two");
      await expectNothingReady(context, worker);
      await context.client.resumeInstance({ instanceId });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), [
        "orchestratorStarted",
        "eventRaised",
        "eventRaised",
      ]);
    },
  },
  {
    id: "4.10/never-delivered",
    traps: ["T4", "T5", "T6"],
    title: "workers never get ExecutionSuspended or ExecutionResumed",
    async run(context) {
      const worker = context.worker();
      const instanceId = await runningInstance(context, worker);
      for (let at = 0; at < 2; at += 1) {
        await context.client.suspendInstance({ instanceId });
        await context.raise(instanceId, "e");
        await context.client.resumeInstance({ instanceId });
        const { newEvents, pastEvents } = await worker.answer([], instanceId);
        const told = kinds([...pastEvents, ...newEvents]).filter(
          (kind) => kind === "executionSuspended" || kind === "executionResumed",
        );
        expectEqual("what the worker was told", told, []);
      }
    },
  },
  {
    id: "4.10/suspend-idempotent",
    traps: ["T5"],
    title: "suspending twice is OK, and recorded once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await runningInstance(context, worker);
      await context.client.suspendInstance({ instanceId });
      await context.client.suspendInstance({ instanceId });
      await context.expectStatus(instanceId, "SUSPENDED");
      await context.client.resumeInstance({ instanceId });
      await context.raise(instanceId, "go");
      await worker.completeNext("1", instanceId);
      await context.ended(instanceId);
      const events = kinds(await context.history(instanceId));
      const count = (kind: string) => events.filter((each) => each === kind).length;
      expectEqual("ExecutionSuspended events", count("executionSuspended"), 1);
      expectEqual("ExecutionResumed events", count("executionResumed"), 1);
    },
  },
  {
    id: "4.10/resume-without-suspend",
    traps: ["T4"],
    title: "resuming what is not suspended is OK, and leaves no event",
    async run(context) {
      const worker = context.worker();
      const instanceId = await runningInstance(context, worker);
      await context.client.resumeInstance({ instanceId });
      await context.expectStatus(instanceId, "RUNNING");
      await expectNothingReady(context, worker);
      const events = kinds(await context.history(instanceId));
      expectEqual("ExecutionResumed", events.includes("executionResumed"), false);
    },
  },
  {
    id: "4.10/turn-in-flight",
    title: "a turn in flight is committed; its activities wait for the resume",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.suspendInstance({ instanceId });
      const name = context.name("Work");
      await worker.complete(turn, [task(1, { name })], { customStatus: '"set"' });
      await context.expectStatus(instanceId, "SUSPENDED");
      expectEqual("the custom status", (await context.state(instanceId)).customStatus, '"set"');
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([task(7, { name })], other);
      expectEqual("the activity that runs", (await worker.activity()).request.taskId, 7);
      await context.client.resumeInstance({ instanceId });
      expectEqual("the activity after the resume", (await worker.activity()).request.taskId, 1);
    },
  },
  {
    id: "4.10/turn-in-flight-completes",
    title: "a turn in flight that completes the instance stands, and the suspension is dropped",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.suspendInstance({ instanceId });
      await worker.complete(turn, [completed("1")]);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.10/never-started",
    title: "a suspended instance that never started waits; the wait for its start sees SUSPENDED",
    async run(context) {
      const instanceId = await context.start();
      await context.client.suspendInstance({ instanceId });
      await context.expectStatus(instanceId, "SUSPENDED");
      const { exists } = await context.client.waitForInstanceStart(
        { instanceId },
        { timeoutMs: 60_000 },
      );
      expectEqual("exists", exists, true);
      const worker = context.worker();
      await expectNothingReady(context, worker);
      await context.client.resumeInstance({ instanceId });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.10/pending-again",
    title: "after the resume an instance that never had a turn is PENDING",
    async run(context) {
      const instanceId = await context.start();
      await context.client.suspendInstance({ instanceId });
      await context.client.resumeInstance({ instanceId });
      await context.expectStatus(instanceId, "PENDING");
    },
  },
  {
    id: "4.10/timers-run",
    title: "timers run while suspended, and their events wait for the resume",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.suspendInstance({ instanceId });
      await worker.complete(turn, [createTimer(1, fromNow(300))]);
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([createTimer(1, fromNow(600))], other);
      expectEqual("whose timer fires", (await worker.turn()).request.instanceId, other);
      await context.client.resumeInstance({ instanceId });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "timerFired"]);
    },
  },
  {
    id: "4.10/over-generations",
    title: "continue-as-new stays suspended",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.suspendInstance({ instanceId });
      await worker.complete(turn, [continueAsNew("2")]);
      await context.expectStatus(instanceId, "SUSPENDED");
      await expectNothingReady(context, worker);
      await context.client.resumeInstance({ instanceId });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
];
