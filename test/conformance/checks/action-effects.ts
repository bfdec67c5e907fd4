/** PROTOCOL.md 4.5 to 4.8: what single actions leave in the history, and whom they reach. */
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, createTimer, sendEvent, startChild } from "../../support/worker-actions.ts";
import { action, child, end, nextGeneration, signalEntity, task } from "../actions.ts";
import { type Check, exactTime, expectEqual, expectPresent } from "../check.ts";
import { fromNow, kinds, onlyEvent } from "../events.ts";

const TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const HOUR_MS = 3_600_000;
const { COMPLETED, TERMINATED, CANCELED, FAILED } = OrchestrationStatus;

export const actionEffectChecks: readonly Check[] = [
  {
    id: "4.5/timer-created",
    title: "TimerCreated has the time that the action said, with its nanoseconds",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { seconds } = fromNow(HOUR_MS);
      const fireAt = { ...fromNow(HOUR_MS), seconds, nanos: 123_456_789 };
      await worker.answer([createTimer(6, fireAt)], instanceId);
      await context.raise(instanceId, "go");
      const created = onlyEvent((await worker.turn(instanceId)).pastEvents, "timerCreated");
      expectEqual("fireAt", exactTime(created.fireAt), exactTime(fireAt));
    },
  },
  {
    id: "4.5/execution-completed",
    title: "the history ends with ExecutionCompleted: the id of the action, status and result",
    async run(context) {
      const instanceId = await context.start();
      const finish = end({ orchestrationStatus: COMPLETED, result: '"r"' }, 12);
      await context.worker().answer([finish], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      const events = await context.history(instanceId);
      const last = expectPresent("the last event", events.at(-1));
      const { orchestrationStatus, result } = onlyEvent(events, "executionCompleted");
      expectEqual(
        "id, status and result",
        [last.eventId, orchestrationStatus, result],
        [12, COMPLETED, '"r"'],
      );
    },
  },
  {
    id: "4.5/execution-failed",
    title: "the history of a failed instance ends with its failureDetails",
    async run(context) {
      const instanceId = await context.start();
      const failureDetails = { errorType: "E", errorMessage: "bad" };
      const finish = end({ orchestrationStatus: FAILED, failureDetails });
      await context.worker().answer([finish], instanceId);
      await context.endedAs(instanceId, "FAILED");
      const ended = onlyEvent(await context.history(instanceId), "executionCompleted");
      expectEqual("the message", ended.failureDetails?.errorMessage, "bad");
    },
  },
  {
    id: "4.5/last-completion-counts",
    title: "of two completions in one answer the last one counts",
    async run(context) {
      const instanceId = await context.start();
      const twice = ['"first"', '"last"'].map((result, at) =>
        end({ orchestrationStatus: COMPLETED, result }, at),
      );
      await context.worker().answer(twice, instanceId);
      const { output } = await context.endedAs(instanceId, "COMPLETED");
      expectEqual("the output", output, '"last"');
    },
  },
  {
    id: "4.5/terminate-other-recursively",
    title: "the action terminateOrchestration with recurse ends the children of the other as well",
    async run(context) {
      const worker = context.worker();
      const other = await context.start({ instanceId: context.id("other") });
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], other);
      await worker.answer([], childId);
      const instanceId = await context.start();
      const value = { instanceId: other, reason: '"all"', recurse: true };
      await worker.answer(
        [action(1, { case: "terminateOrchestration", value }), completed("1")],
        instanceId,
      );
      for (const each of [other, childId]) {
        expectEqual("the output", (await context.endedAs(each, "TERMINATED")).output, '"all"');
      }
    },
  },
  {
    id: "4.6/created-contents",
    title: "SubOrchestrationInstanceCreated has version, input, tags and trace of the action",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const value = {
        instanceId: context.id("child"),
        name: context.name("Nobody"),
        version: "2",
        input: "[2]",
        tags: { a: "b" },
        parentTraceContext: { traceParent: TRACE_PARENT },
      };
      context.remember(value.instanceId);
      await worker.answer([child(8, value)], instanceId);
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const created = onlyEvent(pastEvents, "subOrchestrationInstanceCreated");
      expectEqual("version and input", [created.version, created.input], ["2", "[2]"]);
      expectEqual("the tag", created.tags.a, "b");
      expectEqual("the trace", created.parentTraceContext?.traceParent, TRACE_PARENT);
      expectEqual("the event id", pastEvents.at(-1)?.eventId, 8);
    },
  },
  {
    id: "4.6/canceled",
    title: "a child that its worker ends as CANCELED fails in its parent, with failureDetails",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([end({ orchestrationStatus: CANCELED })], childId);
      const { newEvents } = await worker.turn(instanceId);
      const event = onlyEvent(newEvents, "subOrchestrationInstanceFailed");
      expectPresent("failureDetails", event.failureDetails);
    },
  },
  {
    id: "4.8/execution-id-ignored",
    title: "the executionId of a target is ignored: the event reaches whatever generation there is",
    async run(context) {
      const worker = context.worker();
      const [from, to] = [context.id("from"), context.id("to")];
      await context.start({ instanceId: to });
      await worker.answer([], to);
      await context.start({ instanceId: from });
      const instance = { instanceId: to, executionId: "another" };
      const sent = action(1, { case: "sendEvent", value: { instance, name: "hi" } });
      await worker.answer([sent], from);
      const { newEvents } = await worker.turn(to);
      expectEqual("the event", onlyEvent(newEvents, "eventRaised").name, "hi");
    },
  },
  {
    id: "4.8/send-to-itself-at-the-end",
    traps: ["T25"],
    title: "an event that an instance sends to itself as it ends is dropped",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([sendEvent(1, instanceId, "mine"), completed('"end"')], instanceId);
      expectEqual("the output", (await context.endedAs(instanceId, "COMPLETED")).output, '"end"');
      const barrier = await context.start({ instanceId: context.id("barrier") });
      const { request } = await worker.completeNext("1");
      expectEqual("the instance of the next turn", request.instanceId, barrier);
    },
  },
  {
    id: "4.9/worker-terminates-with-actions",
    traps: ["T24"],
    title: "beside the status TERMINATED events are sent, but no activity and no child is started",
    async run(context) {
      const worker = context.worker();
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([], other);
      const instanceId = await context.start();
      const actions = [
        task(1, { name: context.name("Work") }),
        startChild(2, context.id("child"), context.name("Child")),
        sendEvent(3, other, "bye"),
        end({ orchestrationStatus: TERMINATED, result: '"by me"' }),
      ];
      context.remember(context.id("child"));
      await worker.answer(actions, instanceId);
      await context.endedAs(instanceId, "TERMINATED");
      const { newEvents } = await worker.answer([task(7, { name: context.name("Work") })], other);
      expectEqual("the event", onlyEvent(newEvents, "eventRaised").name, "bye");
      expectEqual("the next activity", (await worker.activity()).request.taskId, 7);
      await context.expectExists(context.id("child"), false);
    },
  },
  {
    id: "4.11/children-beside",
    traps: ["T24", "T7"],
    title: "a child that is started beside it runs, and does not report to the next generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      const orchestrationStatus = OrchestrationStatus.CONTINUED_AS_NEW;
      const again = end({ orchestrationStatus, result: "2" });
      await worker.answer([startChild(1, childId, context.name("Child")), again], instanceId);
      await worker.completeNext("1", childId);
      await context.endedAs(childId, "COMPLETED");
      await worker.answer([], instanceId);
      await context.raise(instanceId, "barrier");
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "4.11/kept",
    title:
      "tags, those of the action among them, and the trace context stay; a start time does not",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({
        tags: { a: "old", b: "old" },
        parentTraceContext: { traceParent: TRACE_PARENT },
        scheduledStartTimestamp: fromNow(100),
      });
      await worker.answer([nextGeneration({ result: "2", tags: { b: "new" } })], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      expectEqual("the tags", { ...started.tags }, { a: "old", b: "new" });
      expectEqual("the trace", started.parentTraceContext?.traceParent, TRACE_PARENT);
      expectEqual("the start time", started.scheduledStartTimestamp, undefined);
    },
  },
  {
    id: "4.11/signals-beside",
    needs: ["entities"],
    traps: ["T24"],
    title: "a signal that is sent beside it reaches its entity",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const actions = [signalEntity(1, target, "hi"), nextGeneration({ result: "2" })];
      await worker.answer(actions, instanceId);
      expectEqual("the operations", (await worker.entity(target)).operations, ["hi"]);
    },
  },
];
