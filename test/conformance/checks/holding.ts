/** PROTOCOL.md 4.9, 4.10 and 4.12: what readers see of terminations, suspensions and answers. */
import { completed, startChild } from "../../support/worker-actions.ts";
import { rewindTo, task } from "../actions.ts";
import { type Check, expectAbsent, expectEqual, expectThat } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

export const holdingChecks: readonly Check[] = [
  {
    id: "4.9/history-of-pending",
    title:
      "the history of an instance that is terminated before its first turn has all four events",
    async run(context) {
      const instanceId = await context.start();
      await context.client.terminateInstance({ instanceId, output: '"out"', recursive: true });
      await context.endedAs(instanceId, "TERMINATED");
      const events = await context.history(instanceId);
      expectEqual("the events", kinds(events), [
        "orchestratorStarted",
        "executionStarted",
        "executionTerminated",
        "executionCompleted",
      ]);
      const { input, recurse } = onlyEvent(events, "executionTerminated");
      expectEqual("output and recursion", [input, recurse], ['"out"', true]);
    },
  },
  {
    id: "4.9/recursive-turn-in-flight",
    title: "a recursive termination ends a child that the turn in flight has yet to create",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      const output = '"all"';
      await context.client.terminateInstance({ instanceId, output, recursive: true });
      const childId = context.id("child");
      context.remember(childId);
      await worker.complete(turn, [startChild(1, childId, context.name("Nobody"))]);
      for (const each of [instanceId, childId]) {
        expectEqual("the output", (await context.endedAs(each, "TERMINATED")).output, output);
      }
    },
  },
  {
    id: "4.9/abandoned-turn",
    title: "an instance whose turn is given back is terminated if it was to be, without a worker",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { token: completionToken } = await worker.turn(instanceId);
      await context.client.terminateInstance({ instanceId, output: '"out"' });
      worker.close();
      await context.client.abandonTaskOrchestratorWorkItem({ completionToken });
      expectEqual("the output", (await context.endedAs(instanceId, "TERMINATED")).output, '"out"');
    },
  },
  {
    id: "4.10/reasons",
    title: "readers of the history see both reasons, once and in order",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.client.suspendInstance({ instanceId, reason: "why" });
      await context.client.resumeInstance({ instanceId, reason: "enough" });
      const events = await context.history(instanceId);
      expectEqual("the last two events", kinds(events).slice(-2), [
        "executionSuspended",
        "executionResumed",
      ]);
      const reasons = [
        onlyEvent(events, "executionSuspended").input,
        onlyEvent(events, "executionResumed").input,
      ];
      expectEqual("the reasons", reasons, ["why", "enough"]);
    },
  },
  {
    id: "4.10/history-of-never-started",
    title: "what was suspended before its first turn shows it right after ExecutionStarted",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await context.client.suspendInstance({ instanceId });
      await context.client.resumeInstance({ instanceId });
      const { newEvents } = await worker.completeNext("1", instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "executionStarted"]);
      await context.endedAs(instanceId, "COMPLETED");
      expectEqual("the history", kinds(await context.history(instanceId)), [
        "orchestratorStarted",
        "executionStarted",
        "executionSuspended",
        "executionResumed",
        "executionCompleted",
      ]);
    },
  },
  {
    id: "4.10/queued-activities",
    title: "activities that are queued already are not handed out while suspended",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name }), task(2, { name })], instanceId);
      const first = await worker.activity();
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([task(7, { name })], other);
      await context.client.suspendInstance({ instanceId });
      await worker.finish(first, { result: "1" });
      const next = await worker.activity();
      expectEqual("the next activity", next.request.orchestrationInstance?.instanceId, other);
      await worker.finish(next);
      await context.client.resumeInstance({ instanceId });
      const after = await worker.activity();
      const caller = after.request.orchestrationInstance?.instanceId;
      expectEqual("the activity after the resume", caller, instanceId);
    },
  },
  {
    id: "4.10/children-of-turn-in-flight",
    title: "children and events of a turn in flight leave at its commit, though it is suspended",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.client.suspendInstance({ instanceId });
      const childId = context.id("child");
      context.remember(childId);
      await worker.complete(turn, [startChild(1, childId, context.name("Child"))]);
      await worker.completeNext('"c"', childId);
      await context.endedAs(childId, "COMPLETED");
      await context.expectStatus(instanceId, "SUSPENDED");
      await context.client.resumeInstance({ instanceId });
      const { newEvents } = await worker.turn(instanceId);
      onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
    },
  },
  {
    id: "4.12/abandoned-parts",
    traps: ["T33"],
    title: "parts of an answer are dropped when the turn is given back",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      const name = context.name("Work");
      await worker.complete(turn, [task(1, { name })], { isPartial: true, chunkIndex: 0 });
      const { token: completionToken } = turn;
      await context.client.abandonTaskOrchestratorWorkItem({ completionToken });
      await worker.answer([task(2, { name })], instanceId);
      expectEqual("the activity", (await worker.activity()).request.taskId, 2);
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const scheduled = pastEvents.filter(({ eventType }) => eventType.case === "taskScheduled");
      expectEqual("activities in the history", scheduled.length, 1);
    },
  },
  {
    id: "4.12/no-custom-status",
    traps: ["T22"],
    title: "an instance has no custom status until a turn sets one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      expectEqual("when pending", (await context.state(instanceId)).customStatus ?? "", "");
      await worker.answer([], instanceId);
      expectEqual("after a turn", (await context.state(instanceId)).customStatus ?? "", "");
    },
  },
  {
    id: "4.12/custom-status-kept-by-rewind",
    title: "an answer with rewindOrchestration leaves the custom status as it is",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const first = await worker.answer([], instanceId, { customStatus: '"kept"' });
      await context.raise(instanceId, "go");
      await worker.answer([rewindTo({ newHistory: [...first.newEvents] })], instanceId);
      await worker.turn(instanceId);
      expectEqual("the status", (await context.state(instanceId)).customStatus, '"kept"');
    },
  },
  {
    id: "4.12/events-all-given-back",
    title: "numEventsProcessed of 0 gives all events of the turn back, and nothing is lost",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.raise(instanceId, "e");
      await worker.answer([], instanceId, { numEventsProcessed: 0 });
      const { newEvents } = await worker.answer([completed("1")], instanceId);
      expectEqual("the event", onlyEvent(newEvents, "eventRaised").name, "e");
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.14/child-version",
    title: "a child without a version has none, whatever its parent has",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ version: "5" });
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      const { newEvents } = await worker.turn(childId);
      expectEqual("the version", onlyEvent(newEvents, "executionStarted").version ?? "", "");
    },
  },
  {
    id: "4.14/no-invented-trace-of-work",
    title: "activities and children have no trace context where the action has none",
    async run(context) {
      const worker = context.worker();
      const parentTraceContext = {
        traceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      };
      const instanceId = await context.start({ parentTraceContext });
      const childId = context.id("child");
      context.remember(childId);
      const actions = [
        task(1, { name: context.name("Work") }),
        startChild(2, childId, context.name("Child")),
      ];
      await worker.answer(actions, instanceId);
      expectAbsent("of the activity", (await worker.activity()).request.parentTraceContext);
      const { newEvents } = await worker.turn(childId);
      expectAbsent("of the child", onlyEvent(newEvents, "executionStarted").parentTraceContext);
    },
  },
  {
    id: "5/void-results",
    traps: ["T9", "T43"],
    title: "results of activities of instances that were purged or replaced are dropped with OK",
    async run(context) {
      const worker = context.worker();
      const name = context.name("Work");
      const instanceId = await context.start({ input: '"old"' });
      await worker.answer([task(1, { name })], instanceId);
      const old = await worker.activity();
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
      const request = { case: "instanceId" as const, value: instanceId };
      await context.client.purgeInstances({ request });
      await worker.finish(old, { result: '"purged"' });
      await context.expectExists(instanceId, false);
      await context.start({ input: '"new"' });
      await worker.answer([task(1, { name })], instanceId);
      await worker.finish(old, { result: '"replaced"' });
      await worker.finish(await worker.activity(), { result: '"mine"' });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"mine"');
      expectThat(!kinds(newEvents).includes("taskFailed"), "expected no failure, but there is one");
    },
  },
  {
    id: "5/queued-still-runs",
    title: "an activity that waits when its instance completes still runs; its result is dropped",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name }), task(2, { name })], instanceId);
      const first = await worker.activity();
      await context.raise(instanceId, "go");
      await worker.answer([completed('"end"')], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      await worker.finish(first, { result: "1" });
      await worker.finish(await worker.activity(), { result: "2" });
      expectEqual("the output", (await context.state(instanceId)).output, '"end"');
    },
  },
];
