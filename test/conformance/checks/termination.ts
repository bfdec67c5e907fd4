/** PROTOCOL.md 4.9: termination. */
import { Code } from "@connectrpc/connect";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, continueAsNew, startChild } from "../../support/worker-actions.ts";
import { end, task } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import { kinds } from "../events.ts";

export const terminationChecks: readonly Check[] = [
  {
    id: "4.9/unknown",
    title: "terminating an unknown instance is NOT_FOUND",
    async run(context) {
      const call = context.client.terminateInstance({ instanceId: context.id("unknown") });
      await context.refused(call, Code.NotFound);
    },
  },
  {
    id: "4.9/finished",
    title: "terminating a finished instance changes nothing",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext('"end"', instanceId);
      await context.ended(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"late"' });
      const { output } = await context.endedAs(instanceId, "COMPLETED");
      expectEqual("the output", output, '"end"');
    },
  },
  {
    id: "4.9/pending-without-worker",
    title: "a pending instance ends as TERMINATED without any worker, with the output as it is",
    async run(context) {
      const instanceId = await context.start();
      await context.client.terminateInstance({ instanceId, output: '{"a": 1}' });
      const { output } = await context.endedAs(instanceId, "TERMINATED");
      expectEqual("the output", output, '{"a": 1}');
    },
  },
  {
    id: "4.9/running-without-worker",
    title: "a running instance ends as TERMINATED when no worker is connected",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      worker.close();
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
    },
  },
  {
    id: "4.9/suspended",
    traps: ["T35"],
    title: "a suspended instance ends as TERMINATED",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.client.suspendInstance({ instanceId });
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      expectEqual("the output", (await context.endedAs(instanceId, "TERMINATED")).output, '"out"');
    },
  },
  {
    id: "4.9/never-delivered",
    traps: ["T46"],
    title: "a worker is never told of a termination, also when it has a turn in flight",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      await context.raise(instanceId, "e");
      await worker.complete(turn);
      await context.endedAs(instanceId, "TERMINATED");
      const barrier = await context.start({ instanceId: context.id("barrier") });
      const { request } = await worker.completeNext("1");
      expectEqual("the instance of the next turn", request.instanceId, barrier);
    },
  },
  {
    id: "4.9/turn-in-flight-completes",
    title: "a turn in flight that completes the instance stands, and the termination is dropped",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      await worker.complete(turn, [completed('"end"')]);
      expectEqual("the output", (await context.endedAs(instanceId, "COMPLETED")).output, '"end"');
    },
  },
  {
    id: "4.9/turn-in-flight-continues",
    title: "a turn in flight that continues as new does not escape the termination",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      await worker.complete(turn, [continueAsNew("2")]);
      expectEqual("the output", (await context.endedAs(instanceId, "TERMINATED")).output, '"out"');
    },
  },
  {
    id: "4.9/first-output-wins",
    title: "of several terminations the output of the first is kept",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"first"' });
      await context.client.terminateInstance({ instanceId, output: '"second"' });
      await worker.complete(turn);
      const { output } = await context.endedAs(instanceId, "TERMINATED");
      expectEqual("the output", output, '"first"');
    },
  },
  {
    id: "4.9/recursive",
    title: "a recursive termination ends children and their children",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const [childId, grandchildId] = [context.id("child"), context.id("grandchild")];
      context.remember(childId, grandchildId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([startChild(1, grandchildId, context.name("Grandchild"))], childId);
      await worker.answer([], grandchildId);
      const output = '"all"';
      await context.client.terminateInstance({ instanceId, output, recursive: true });
      for (const each of [instanceId, childId, grandchildId]) {
        expectEqual("the output", (await context.endedAs(each, "TERMINATED")).output, output);
      }
    },
  },
  {
    id: "4.9/not-recursive",
    title: "without recursive, children go on",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      const turn = await worker.turn(childId);
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
      await worker.complete(turn, [completed('"mine"')]);
      const { output } = await context.endedAs(childId, "COMPLETED");
      expectEqual("the output of the child", output, '"mine"');
    },
  },
  {
    id: "4.9/activities-removed",
    title: "activities that wait are not run any more, and results of others are dropped with OK",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name }), task(2, { name })], instanceId);
      const running = await worker.activity();
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
      await worker.finish(running, { result: "1" });
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([task(7, { name })], other);
      expectEqual("the next activity", (await worker.activity()).request.taskId, 7);
    },
  },
  {
    id: "4.9/history",
    title: "the history of a terminated instance ends with its termination and its completion",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      await context.endedAs(instanceId, "TERMINATED");
      const events = await context.history(instanceId);
      expectEqual("the last two events", kinds(events).slice(-2), [
        "executionTerminated",
        "executionCompleted",
      ]);
    },
  },
  {
    id: "4.9/worker-terminates",
    title: "a worker that answers with the status TERMINATED ends the instance as such",
    async run(context) {
      const instanceId = await context.start();
      const orchestrationStatus = OrchestrationStatus.TERMINATED;
      await context.worker().answer([end({ orchestrationStatus, result: '"by me"' })], instanceId);
      const { output } = await context.endedAs(instanceId, "TERMINATED");
      expectEqual("the output", output, '"by me"');
    },
  },
];
