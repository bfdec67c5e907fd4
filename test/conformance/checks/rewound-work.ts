/** PROTOCOL.md 4.13: what a rewind does with what was under way. */
import { failed, startChild } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

export const rewoundWorkChecks: readonly Check[] = [
  {
    id: "4.13/reason",
    title:
      "the reason of a rewind is in the history, and the worker gets a lone OrchestratorStarted",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([failed("bad")], instanceId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.rewindInstance({ instanceId, reason: "repaired" });
      const { newEvents } = await worker.completeNext("1", instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted"]);
      await context.endedAs(instanceId, "COMPLETED");
      const events = await context.history(instanceId);
      expectEqual("the reason", onlyEvent(events, "executionRewound").reason, "repaired");
    },
  },
  {
    id: "4.13/running-child",
    title: "a child that still runs reports to its rewound parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      const actions = [startChild(1, childId, context.name("Child")), failed("too early")];
      await worker.answer(actions, instanceId);
      const turn = await worker.turn(childId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.rewindInstance({ instanceId });
      await worker.answer([], instanceId);
      await worker.complete(turn, []);
      await context.raise(childId, "go");
      await worker.completeNext('"child"', childId);
      const { newEvents } = await worker.turn(instanceId);
      const { result } = onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
      expectEqual("the result", result, '"child"');
    },
  },
  {
    id: "4.13/succeeded-child",
    title: "a child that has succeeded is kept, and not run again",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], instanceId);
      await worker.completeNext('"good"', childId);
      await worker.answer([failed("bad")], instanceId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.rewindInstance({ instanceId });
      const { pastEvents } = await worker.completeNext('"end"', instanceId);
      const { result } = onlyEvent(pastEvents, "subOrchestrationInstanceCompleted");
      expectEqual("the result in the past", result, '"good"');
      await context.endedAs(instanceId, "COMPLETED");
      await context.expectStatus(childId, "COMPLETED");
    },
  },
  {
    id: "4.13/old-results",
    traps: ["T7", "T9"],
    title: "the result of an activity that was under way does not reach the rewound generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name })], instanceId);
      const old = await worker.activity();
      await context.raise(instanceId, "go");
      await worker.answer([failed("bad")], instanceId);
      await context.endedAs(instanceId, "FAILED");
      await context.client.rewindInstance({ instanceId });
      await worker.answer([], instanceId);
      await worker.finish(old, { result: '"old"' });
      await context.raise(instanceId, "barrier");
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "4.13/failed-grandchild",
    title: "a failed child of a failed child is rewound with both",
    async run(context) {
      const worker = context.worker();
      const top = await context.start();
      const [middle, leaf] = [context.id("middle"), context.id("leaf")];
      context.remember(middle, leaf);
      await worker.answer([startChild(1, middle, context.name("Child"))], top);
      await worker.answer([startChild(1, leaf, context.name("Grandchild"))], middle);
      for (const each of [leaf, middle, top]) await worker.answer([failed("bad")], each);
      await context.endedAs(top, "FAILED");
      await context.client.rewindInstance({ instanceId: top });
      await worker.answer([], top);
      await worker.answer([], middle);
      for (const each of [leaf, middle, top]) await worker.completeNext('"good"', each);
      for (const each of [leaf, middle, top]) await context.endedAs(each, "COMPLETED");
    },
  },
  {
    id: "5/removed-with-their-instance",
    traps: ["T43"],
    title: "activities that wait are not run any more when a rewind, a purge or a new start comes",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const name = context.name("Work");
      const ids = ["rewound", "purged", "replaced"].map((label) => context.id(label));
      const [rewound = "", purged = "", replaced = ""] = ids;
      const holder = await context.start({ instanceId: context.id("holder") });
      await worker.answer([task(0, { name })], holder);
      const held = await worker.activity();
      for (const instanceId of ids) {
        await context.start({ instanceId });
        await worker.answer([task(1, { name }), failed("bad")], instanceId);
        await context.endedAs(instanceId, "FAILED");
      }
      await context.client.rewindInstance({ instanceId: rewound });
      const request = { case: "instanceId" as const, value: purged };
      await context.client.purgeInstances({ request });
      await context.start({ instanceId: replaced, name: context.name("Nobody") });
      await context.start({ instanceId: context.id("after") });
      await worker.answer([], rewound);
      await worker.answer([task(7, { name })], context.id("after"));
      await worker.finish(held);
      expectEqual("the next activity", (await worker.activity()).request.taskId, 7);
    },
  },
];
