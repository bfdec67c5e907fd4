/** PROTOCOL.md 4.13: rewind. */
import { Code } from "@connectrpc/connect";
import { failed, startChild } from "../../support/worker-actions.ts";
import { rewindTo, task } from "../actions.ts";
import { type Check, expectAbsent, expectEqual, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { kinds } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const NOT_ALLOWED = /precondition|not allow/i;
const BAD = { failureDetails: { errorType: "E", errorMessage: "bad" } };

/** An instance with one activity that succeeded and one that failed, which failed of it. */
async function failedInstance(context: CheckContext, worker: ConformanceWorker): Promise<string> {
  const instanceId = await context.start({ input: '"in"' });
  const name = context.name("Work");
  await worker.answer([task(1, { name })], instanceId);
  await worker.finish(await worker.activity(), { result: '"good"' });
  await worker.answer([task(2, { name })], instanceId);
  await worker.finish(await worker.activity(), BAD);
  await worker.answer([failed("bad")], instanceId);
  await context.endedAs(instanceId, "FAILED");
  return instanceId;
}

export const rewindChecks: readonly Check[] = [
  {
    id: "4.13/unknown",
    title: "rewinding an unknown instance is NOT_FOUND",
    async run(context) {
      const call = context.client.rewindInstance({ instanceId: context.id("unknown") });
      await context.refused(call, Code.NotFound);
    },
  },
  {
    id: "4.13/not-failed",
    title: "rewinding what has not failed is FAILED_PRECONDITION, in words that say so",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const running = context.client.rewindInstance({ instanceId });
      await context.refused(running, Code.FailedPrecondition, NOT_ALLOWED);
      await worker.completeNext("1", instanceId);
      await context.ended(instanceId);
      const ended = context.client.rewindInstance({ instanceId });
      await context.refused(ended, Code.FailedPrecondition, NOT_ALLOWED);
    },
  },
  {
    id: "4.13/failed-activity",
    title: "a rewound instance runs again without its failure, and keeps what has succeeded",
    async run(context) {
      const worker = context.worker();
      const instanceId = await failedInstance(context, worker);
      const old = await context.state(instanceId);
      await context.client.rewindInstance({ instanceId, reason: "repaired" });
      const turn = await worker.turn(instanceId);
      await context.expectStatus(instanceId, "RUNNING");
      const state = await context.state(instanceId);
      expectAbsent("failureDetails", state.failureDetails);
      expectAbsent("completedTimestamp", state.completedTimestamp);
      const events = kinds([...turn.pastEvents, ...turn.newEvents]);
      const count = (kind: string) => events.filter((each) => each === kind).length;
      expectEqual(
        "scheduled, completed and failed activities, and rewinds, that the worker sees",
        [
          count("taskScheduled"),
          count("taskCompleted"),
          count("taskFailed"),
          count("executionRewound"),
        ],
        [1, 1, 0, 0],
      );
      expectEqual("ExecutionStarted events", count("executionStarted"), 1);
      expectThat(
        turn.request.executionId !== old.executionId,
        "expected another executionId, but it is that of the failed generation",
      );
      await worker.complete(turn, [task(2, { name: context.name("Work") })]);
      await worker.finish(await worker.activity(2), { result: '"now good"' });
      await worker.completeNext('"end"', instanceId);
      expectEqual("the output", (await context.endedAs(instanceId, "COMPLETED")).output, '"end"');
    },
  },
  {
    id: "4.13/history",
    title: "the rewind is part of the history that readers get",
    async run(context) {
      const worker = context.worker();
      const instanceId = await failedInstance(context, worker);
      await context.client.rewindInstance({ instanceId });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      const events = kinds(await context.history(instanceId));
      expectThat(
        events.includes("executionRewound"),
        `expected ExecutionRewound in the history, but got ${events.join(", ")}`,
      );
    },
  },
  {
    id: "4.13/twice",
    title: "an instance that fails again can be rewound again",
    async run(context) {
      const worker = context.worker();
      const instanceId = await failedInstance(context, worker);
      for (let at = 0; at < 2; at += 1) {
        await context.client.rewindInstance({ instanceId, reason: `attempt ${at}` });
        await worker.answer([task(2, { name: context.name("Work") })], instanceId);
        await worker.finish(await worker.activity(2), BAD);
        await worker.answer([failed("bad again")], instanceId);
        await context.endedAs(instanceId, "FAILED");
      }
      await context.client.rewindInstance({ instanceId });
      await worker.completeNext('"at last"', instanceId);
      const { output } = await context.endedAs(instanceId, "COMPLETED");
      expectEqual("the output", output, '"at last"');
    },
  },
  {
    id: "4.13/failed-child",
    title: "a failed child is rewound with its parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([task(1, { name: context.name("Work") })], childId);
      await worker.finish(await worker.activity(), BAD);
      await worker.answer([failed("bad")], childId);
      await worker.answer([failed("child failed")], instanceId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.rewindInstance({ instanceId });
      await worker.answer([], instanceId);
      await worker.completeNext('"child"', childId);
      await context.endedAs(childId, "COMPLETED");
      const { newEvents } = await worker.completeNext('"end"', instanceId);
      expectEqual("the new events of the parent", kinds(newEvents), [
        "orchestratorStarted",
        "subOrchestrationInstanceCompleted",
      ]);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.13/purged-child",
    title: "a failed child that was purged is created again",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([failed("bad")], childId);
      await worker.answer([failed("child failed")], instanceId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.purgeInstances({ request: { case: "instanceId", value: childId } });
      await context.client.rewindInstance({ instanceId });
      await worker.answer([], instanceId);
      const { pastEvents } = await worker.completeNext('"child"', childId);
      expectEqual("the past of the new child", kinds(pastEvents), []);
      await worker.completeNext('"end"', instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.13/by-a-worker",
    title: "a worker that answers with rewindOrchestration replaces the history, and gets a turn",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const first = await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity(), BAD);
      const newHistory = [...first.newEvents];
      await worker.answer([rewindTo({ newHistory })], instanceId);
      const { pastEvents, newEvents } = await worker.turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), [
        "orchestratorStarted",
        "executionStarted",
      ]);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted"]);
      await context.expectStatus(instanceId, "RUNNING");
    },
  },
];
