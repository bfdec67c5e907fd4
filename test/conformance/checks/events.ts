/** PROTOCOL.md 2.2 RaiseEvent and 4.8: external events, and events between orchestrations. */
import { Code } from "@connectrpc/connect";
import { completed, sendEvent, startChild } from "../../support/worker-actions.ts";
import { type Check, expectEqual } from "../check.ts";
import { eventsOf, kinds, onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

/** Takes turns until so many events were raised, and returns them. */
async function raisedEvents(worker: ConformanceWorker, instanceId: string, count: number) {
  const raised: { readonly name: string; readonly input: string | undefined }[] = [];
  while (raised.length < count) {
    const { newEvents } = await worker.answer([], instanceId);
    for (const { name, input } of eventsOf(newEvents, "eventRaised")) raised.push({ name, input });
  }
  return raised;
}

export const eventChecks: readonly Check[] = [
  {
    id: "2.2/raise-unknown",
    title: "raising an event for an unknown instance is NOT_FOUND",
    async run(context) {
      await context.refused(context.raise(context.id("unknown"), "e"), Code.NotFound);
    },
  },
  {
    id: "2.2/raise-finished",
    title: "an event for a finished instance is dropped with OK",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext("1", instanceId);
      await context.ended(instanceId);
      await context.raise(instanceId, "late");
      await context.expectStatus(instanceId, "COMPLETED");
    },
  },
  {
    id: "2.2/raise-verbatim",
    traps: ["T1", "T40"],
    title: "name and input arrive verbatim, the event id is -1, and an absent input stays absent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.raise(instanceId, "MiXed Näme", '{"a": 1 }');
      await context.raise(instanceId, "bare");
      const raised = await raisedEvents(worker, instanceId, 2);
      expectEqual("the events", raised, [
        { name: "MiXed Näme", input: '{"a": 1 }' },
        { name: "bare", input: undefined },
      ]);
    },
  },
  {
    id: "2.2/raise-before-start",
    title: "an event for a pending instance arrives with its first turn, after ExecutionStarted",
    async run(context) {
      const instanceId = await context.start();
      await context.raise(instanceId, "early", "1");
      const { newEvents } = await context.worker().turn(instanceId);
      expectEqual("the new events", kinds(newEvents), [
        "orchestratorStarted",
        "executionStarted",
        "eventRaised",
      ]);
      expectEqual("the event id", newEvents[2]?.eventId, -1);
    },
  },
  {
    id: "2.2/raise-in-order",
    title: "events that one client raises one after another arrive in that order",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      const names = Array.from({ length: 20 }, (_, at) => `e${at}`);
      for (const name of names) await context.raise(instanceId, name);
      const raised = await raisedEvents(worker, instanceId, names.length);
      expectEqual(
        "the names",
        raised.map(({ name }) => name),
        names,
      );
    },
  },
  {
    id: "2.2/raise-in-parallel",
    title: "100 events that are raised at once arrive, each once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      const names = Array.from({ length: 100 }, (_, at) => `e${at}`);
      await Promise.all(names.map((name) => context.raise(instanceId, name)));
      const raised = await raisedEvents(worker, instanceId, names.length);
      expectEqual("the names", raised.map(({ name }) => name).toSorted(), names.toSorted());
    },
  },
  {
    id: "2.2/raise-during-turn",
    title: "an event that arrives during a turn waits for the next one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.raise(instanceId, "meanwhile");
      await worker.complete(turn);
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), [
        "orchestratorStarted",
        "executionStarted",
      ]);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "4.8/send-event",
    title:
      "an event that an orchestration sends reaches the other, and is EventSent in its history",
    async run(context) {
      const worker = context.worker();
      const [from, to] = [context.id("from"), context.id("to")];
      await context.start({ instanceId: to });
      await worker.answer([], to);
      await context.start({ instanceId: from });
      await worker.answer([sendEvent(3, to, "Hi", "[1]")], from);
      const { newEvents } = await worker.turn(to);
      const { name, input } = onlyEvent(newEvents, "eventRaised");
      expectEqual("the event", { name, input }, { name: "Hi", input: "[1]" });
      await context.raise(from, "go");
      const { pastEvents } = await worker.turn(from);
      const sent = onlyEvent(pastEvents, "eventSent");
      expectEqual("the target", sent.instanceId, to);
      expectEqual("the name in EventSent", sent.name, "Hi");
      expectEqual("the payload in EventSent", sent.input, "[1]");
      const event = pastEvents.find(({ eventType }) => eventType.case === "eventSent");
      expectEqual("the event id of EventSent", event?.eventId, 3);
    },
  },
  {
    id: "4.8/send-to-nobody",
    traps: ["T25"],
    title: "an event for an unknown or a finished instance is dropped, and the sender goes on",
    async run(context) {
      const worker = context.worker();
      const done = await context.start({ instanceId: context.id("done") });
      await worker.completeNext("1", done);
      await context.ended(done);
      const instanceId = await context.start();
      const events = [sendEvent(1, context.id("unknown"), "e"), sendEvent(2, done, "e")];
      await worker.answer([...events, completed("2")], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      await context.expectExists(context.id("unknown"), false);
    },
  },
  {
    id: "4.8/send-to-itself",
    title: "an event that an orchestration sends to itself arrives with its next turn",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([sendEvent(1, instanceId, "mine", "1")], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the event", onlyEvent(newEvents, "eventRaised").name, "mine");
    },
  },
  {
    id: "4.8/send-with-completion",
    traps: ["T24"],
    title: "events and children of the turn that completes the sender are carried out",
    async run(context) {
      const worker = context.worker();
      const [from, to] = [context.id("from"), context.id("to")];
      await context.start({ instanceId: to });
      await worker.answer([], to);
      await context.start({ instanceId: from });
      const childId = context.id("child");
      const actions = [
        completed("1"),
        startChild(2, childId, context.name("Child")),
        sendEvent(1, to, "bye"),
      ];
      context.remember(childId);
      await worker.answer(actions, from);
      expectEqual(
        "the event",
        onlyEvent((await worker.turn(to)).newEvents, "eventRaised").name,
        "bye",
      );
      await worker.completeNext("1", childId);
      await context.endedAs(childId, "COMPLETED");
    },
  },
];
