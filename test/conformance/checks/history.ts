/** PROTOCOL.md 2.2 StreamInstanceHistory, 3.3 capabilities and trap T34. */
import { Code } from "@connectrpc/connect";
import { WorkerCapability } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, continueAsNew, createTimer, startChild } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, exactTime, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { allKinds, fromNow, kinds } from "../events.ts";
import type { ConformanceWorker, Turn } from "../worker.ts";

const LARGE = "x".repeat(600_000);
const LARGE_PATIENCE_MS = 20_000;

/** Gives an instance a history of about 1.2 MB for each turn that it takes. */
async function growHistory(
  context: CheckContext,
  worker: ConformanceWorker,
  instanceId: string,
  turns: number,
): Promise<void> {
  const name = context.name("Nobody");
  for (let at = 0; at < turns; at += 1) {
    if (at > 0) await context.raise(instanceId, "more");
    const tasks = [0, 1].map((id) => task(2 * at + id, { name, input: LARGE }));
    await worker.answer(tasks, instanceId);
  }
}

async function expectPast(context: CheckContext, turn: Turn, expected: number): Promise<void> {
  const { request, pastEvents } = turn;
  const { instanceId, executionId } = request;
  const events = request.requiresHistoryStreaming
    ? await context.history(instanceId, { executionId, forWorkItemProcessing: true })
    : pastEvents;
  expectEqual(
    "TaskScheduled events of the past",
    kinds(events).filter((kind) => kind === "taskScheduled").length,
    expected,
  );
}

export const historyChecks: readonly Check[] = [
  {
    id: "2.2/history-unknown",
    title: "the history of an unknown instance is NOT_FOUND",
    async run(context) {
      await context.refused(context.history(context.id("unknown")), Code.NotFound);
    },
  },
  {
    id: "4.4/exact-history",
    traps: ["T15"],
    title:
      "activity, timer and child leave exactly the twelve events that the JavaScript SDK expects",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity(), { result: "1" });
      await worker.answer([createTimer(2, fromNow(10))], instanceId);
      await worker.answer([startChild(3, childId, context.name("Child"))], instanceId);
      await worker.completeNext("2", childId);
      await worker.answer([completed("3")], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      const events = await context.history(instanceId);
      expectEqual("the events", allKinds(events), [
        "orchestratorStarted",
        "executionStarted",
        "taskScheduled",
        "orchestratorStarted",
        "taskCompleted",
        "timerCreated",
        "orchestratorStarted",
        "timerFired",
        "subOrchestrationInstanceCreated",
        "orchestratorStarted",
        "subOrchestrationInstanceCompleted",
        "executionCompleted",
      ]);
      for (const { timestamp, eventType } of events) {
        expectPresent(`the timestamp of ${eventType.case}`, timestamp);
      }
    },
  },
  {
    id: "2.2/history-of-generation",
    title: "the history is that of the current generation, and another executionId is NOT_FOUND",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { request } = await worker.answer([continueAsNew("2")], instanceId);
      const next = await worker.answer([], instanceId);
      const events = await context.history(instanceId, { executionId: next.request.executionId });
      expectEqual("the events", kinds(events), ["orchestratorStarted", "executionStarted"]);
      const old = context.history(instanceId, { executionId: request.executionId });
      await context.refused(old, Code.NotFound);
    },
  },
  {
    id: "2.2/history-of-turn",
    title: "for a work item the history is its past events, not what came since",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.raise(instanceId, "e");
      const { pastEvents } = await worker.turn(instanceId);
      await context.raise(instanceId, "later");
      const events = await context.history(instanceId, { forWorkItemProcessing: true });
      expectEqual("the events", kinds(events), kinds(pastEvents));
      const times = (of: readonly (typeof events)[number][]) =>
        of.map(({ timestamp }) => exactTime(timestamp));
      expectEqual("their times", times(events), times(pastEvents));
    },
  },
  {
    id: "2.2/history-chunks",
    patienceMs: LARGE_PATIENCE_MS,
    title: "a history of 3.6 MB comes in chunks well under 4 MB",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await growHistory(context, worker, instanceId, 3);
      let chunks = 0;
      let events = 0;
      for await (const chunk of context.client.streamInstanceHistory({ instanceId })) {
        chunks += 1;
        events += kinds(chunk.events).length;
      }
      expectThat(chunks > 1, `expected several chunks, but got ${chunks}`);
      expectEqual("the number of events", events, 3 * 2 + 1 + 1 + 2 * 2);
    },
  },
  {
    id: "4.4/large-history-streamed",
    patienceMs: LARGE_PATIENCE_MS,
    title: "a worker that announces history streaming gets a past of 3.6 MB, embedded or streamed",
    async run(context) {
      const capabilities = [WorkerCapability.HISTORY_STREAMING];
      const worker = context.worker({ capabilities, ownConnection: true });
      const instanceId = await context.start();
      for (let at = 0; at < 4; at += 1) {
        if (at > 0) await context.raise(instanceId, "more");
        const turn = await worker.turn(instanceId);
        await expectPast(context, turn, 2 * at);
        const name = context.name("Nobody");
        const tasks = [0, 1].map((id) => task(2 * at + id, { name, input: LARGE }));
        await worker.complete(turn, tasks);
      }
    },
  },
  {
    id: "4.4/no-unasked-streaming",
    patienceMs: LARGE_PATIENCE_MS,
    title: "a worker that has not announced history streaming gets its past embedded",
    async run(context) {
      const worker = context.worker({ ownConnection: true });
      const instanceId = await context.start();
      await growHistory(context, worker, instanceId, 2);
      await context.raise(instanceId, "more");
      const { request, pastEvents } = await worker.turn(instanceId);
      expectEqual("requiresHistoryStreaming", request.requiresHistoryStreaming, false);
      expectEqual("the first past event", kinds(pastEvents)[0], "orchestratorStarted");
    },
  },
  {
    id: "3.1/work-item-too-large",
    traps: ["T34"],
    patienceMs: LARGE_PATIENCE_MS,
    title: "a work item that no worker could receive ends its instance with a failure that says so",
    async run(context) {
      // Services may know that the JavaScript SDK receives without a limit.
      const worker = context.worker({ userAgent: "grpc-python/1.60.0" });
      const instanceId = await context.start();
      await growHistory(context, worker, instanceId, 4);
      await context.raise(instanceId, "more");
      const { failureDetails } = await context.endedAs(instanceId, "FAILED");
      const { errorMessage } = expectPresent("failureDetails", failureDetails);
      expectThat(errorMessage !== "", "expected a message, but it is empty");
      const after = await context.start({ instanceId: context.id("after") });
      await worker.completeNext("1", after);
    },
  },
];
