/** PROTOCOL.md 4.6: sub-orchestrations. */
import { completed, continueAsNew, failed, startChild } from "../../support/worker-actions.ts";
import { child } from "../actions.ts";
import { type Check, expectEqual, expectPresent, expectThat } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

const TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

export const childChecks: readonly Check[] = [
  {
    id: "4.6/parent-info",
    title: "the child knows its parent: id, generation, name, version and the id of the action",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ version: "5" });
      const childId = context.id("child");
      context.remember(childId);
      const value = {
        instanceId: childId,
        name: context.name("Child"),
        version: "6",
        input: "[2]",
        parentTraceContext: { traceParent: TRACE_PARENT },
      };
      const { request } = await worker.answer([child(3, value)], instanceId);
      const started = onlyEvent((await worker.turn(childId)).newEvents, "executionStarted");
      const parent = expectPresent("parentInstance", started.parentInstance);
      expectEqual(
        "the parent",
        [
          parent.orchestrationInstance?.instanceId,
          parent.orchestrationInstance?.executionId,
          parent.name,
          parent.version,
          parent.taskScheduledId,
        ],
        [instanceId, request.executionId, context.name(), "5", 3],
      );
      expectEqual("version and input", [started.version, started.input], ["6", "[2]"]);
      expectEqual("the trace parent", started.parentTraceContext?.traceParent, TRACE_PARENT);
      const { parentInstanceId } = await context.state(childId);
      expectEqual("parentInstanceId of the state", parentInstanceId, instanceId);
    },
  },
  {
    id: "4.6/created-event",
    title: "SubOrchestrationInstanceCreated has the id that the child really has",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(2, childId, context.name("Child"))], instanceId);
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const created = onlyEvent(pastEvents, "subOrchestrationInstanceCreated");
      expectEqual("the id", created.instanceId, childId);
      expectEqual("the name", created.name, context.name("Child"));
    },
  },
  {
    id: "4.6/default-id",
    title: "a child without an id gets one, of its parent's id and the id of the action",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([startChild(10, "", context.name("Child"))], instanceId);
      const turn = await worker.turn(`${instanceId}:000a`);
      await worker.complete(turn, [completed('"c"')]);
      context.remember(turn.request.instanceId);
      const { pastEvents, newEvents } = await worker.turn(instanceId);
      const created = onlyEvent(pastEvents, "subOrchestrationInstanceCreated");
      expectEqual("the id in history", created.instanceId, turn.request.instanceId);
      const { taskScheduledId } = onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
      expectEqual("taskScheduledId", taskScheduledId, 10);
    },
  },
  {
    id: "4.6/tags",
    title: "tags of the action are tags of the child",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ tags: { a: "parent", b: "parent" } });
      const value = {
        instanceId: context.id("child"),
        name: context.name("Child"),
        tags: { b: "child" },
      };
      context.remember(value.instanceId);
      await worker.answer([child(1, value)], instanceId);
      const { newEvents } = await worker.turn(value.instanceId);
      const { tags } = onlyEvent(newEvents, "executionStarted");
      expectEqual("the child's own tag", tags.b, "child");
      expectEqual("the tag of the state", (await context.state(value.instanceId)).tags.b, "child");
    },
  },
  {
    id: "4.6/merged-tags",
    title: "tags of the parent are merged into those of the child",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ tags: { a: "parent" } });
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      const { newEvents } = await worker.turn(childId);
      expectEqual("the tag", onlyEvent(newEvents, "executionStarted").tags.a, "parent");
    },
  },
  {
    id: "4.6/fire-and-forget",
    title: "a child with the tag FireAndForget does not report to its parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const value = {
        instanceId: context.id("child"),
        name: context.name("Child"),
        tags: { FireAndForget: "" },
      };
      context.remember(value.instanceId);
      await worker.answer([child(1, value)], instanceId);
      await worker.completeNext("1", value.instanceId);
      await context.endedAs(value.instanceId, "COMPLETED");
      await context.raise(instanceId, "barrier");
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "4.6/completed",
    title: "the result of a child reaches its parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.completeNext("[7]", childId);
      const { newEvents } = await worker.turn(instanceId);
      const { taskScheduledId, result } = onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
      expectEqual("id and result", [taskScheduledId, result], [1, "[7]"]);
      expectEqual("the event id", newEvents[1]?.eventId, -1);
    },
  },
  {
    id: "4.6/failed",
    title: "the failure of a child reaches its parent with its details",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([failed("child went wrong")], childId);
      const event = onlyEvent(
        (await worker.turn(instanceId)).newEvents,
        "subOrchestrationInstanceFailed",
      );
      expectEqual("the message", event.failureDetails?.errorMessage, "child went wrong");
    },
  },
  {
    id: "4.6/terminated",
    traps: ["T38"],
    title: "a terminated child fails in its parent, with failureDetails that name the output",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([], childId);
      await context.client.terminateInstance({ instanceId: childId, output: '"because"' });
      const event = onlyEvent(
        (await worker.turn(instanceId)).newEvents,
        "subOrchestrationInstanceFailed",
      );
      const details = expectPresent("failureDetails", event.failureDetails);
      expectThat(
        details.errorMessage.includes("because"),
        `expected a message with the output, but got "${details.errorMessage}"`,
      );
    },
  },
  {
    id: "4.6/replaces-finished",
    traps: ["T3"],
    title: "a child whose id a finished instance has replaces it",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      const name = context.name("Child");
      await worker.answer([startChild(1, childId, name)], instanceId);
      await worker.answer([failed("first try")], childId);
      await worker.answer([startChild(2, childId, name)], instanceId);
      await worker.completeNext('"second"', childId);
      const { newEvents } = await worker.turn(instanceId);
      const { taskScheduledId, result } = onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
      expectEqual("id and result", [taskScheduledId, result], [2, '"second"']);
    },
  },
  {
    id: "4.6/collides-with-live",
    traps: ["T3"],
    title: "a child whose id a live instance has fails in its parent, and the other is not touched",
    async run(context) {
      const worker = context.worker();
      const taken = await context.start({ instanceId: context.id("taken"), input: '"mine"' });
      await worker.answer([], taken);
      const instanceId = await context.start();
      await worker.answer([startChild(1, taken, context.name("Child"))], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      const event = onlyEvent(newEvents, "subOrchestrationInstanceFailed");
      expectEqual("taskScheduledId", event.taskScheduledId, 1);
      const { errorMessage } = expectPresent("failureDetails", event.failureDetails);
      expectThat(
        errorMessage.includes(taken),
        `expected a message that names ${taken}, but got "${errorMessage}"`,
      );
      expectEqual("the input of the other", (await context.state(taken)).input, '"mine"');
      await context.expectStatus(taken, "RUNNING");
    },
  },
  {
    id: "4.6/link-over-generations",
    title: "a child that continues as new reports only its final completion to its parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.answer([continueAsNew("2")], childId);
      const { newEvents: again } = await worker.completeNext('"end"', childId);
      const { parentInstance } = onlyEvent(again, "executionStarted");
      expectEqual("the parent", parentInstance?.orchestrationInstance?.instanceId, instanceId);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the events of the parent", kinds(newEvents), [
        "orchestratorStarted",
        "subOrchestrationInstanceCompleted",
      ]);
    },
  },
  {
    id: "4.6/parent-of-another-generation",
    traps: ["T7"],
    title: "a child of an earlier generation does not report to a later one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      const turn = await worker.turn(childId);
      await context.raise(instanceId, "go");
      await worker.answer([continueAsNew("2")], instanceId);
      await worker.answer([], instanceId);
      await worker.complete(turn, [completed('"late"')]);
      await context.endedAs(childId, "COMPLETED");
      await context.raise(instanceId, "barrier");
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
];
