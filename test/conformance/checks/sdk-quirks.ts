import { completed, continueAsNew, createTimer, sendEvent } from "../../support/worker-actions.ts";
import { child, task } from "../actions.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import { settleUntil, signal } from "../entity-helpers.ts";
import { eventsOf, fromNow, kinds, onlyEvent } from "../events.ts";

/** Section 9.2: every other kind makes the worker of some SDK fail. */
const ACCEPTED_BY_ALL = new Set([
  "orchestratorStarted",
  "executionStarted",
  "taskScheduled",
  "taskCompleted",
  "taskFailed",
  "subOrchestrationInstanceCreated",
  "subOrchestrationInstanceCompleted",
  "subOrchestrationInstanceFailed",
  "timerCreated",
  "timerFired",
  "eventSent",
  "eventRaised",
]);

export const sdkQuirkChecks: readonly Check[] = [
  {
    id: "9.2/accepted-events",
    title:
      "workers get only kinds of events that every SDK accepts, whatever the instance went through",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      const value = { instanceId: childId, name: context.name("Child") };
      const actions = [
        task(0, { name: context.name("Work") }),
        child(1, value),
        createTimer(2, fromNow(-1_000)),
        sendEvent(3, context.id("nobody"), "e"),
      ];
      await worker.answer(actions, instanceId);
      const activity = await worker.activity();
      await context.client.suspendInstance({ instanceId });
      await worker.finish(activity, { failureDetails: { errorMessage: "bad" } });
      await context.client.resumeInstance({ instanceId });
      await worker.completeNext("1", childId);
      await context.raise(instanceId, "last");
      const seen = new Set<string | undefined>();
      const isAll = () =>
        ["taskFailed", "timerFired", "subOrchestrationInstanceCompleted", "eventRaised"].every(
          (kind) => seen.has(kind),
        );
      while (!isAll()) {
        const { pastEvents, newEvents } = await worker.answer([], instanceId);
        for (const kind of kinds([...pastEvents, ...newEvents])) seen.add(kind);
      }
      const strange = [...seen].filter((kind) => !ACCEPTED_BY_ALL.has(kind ?? ""));
      expectEqual("kinds that some SDK does not accept", strange, []);
    },
  },
  {
    id: "9.3/java-restart",
    title: "Java: restart is GetInstance and StartInstance with the same id and no policy",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: '"in"' });
      await worker.completeNext("1", instanceId);
      const { name, input } = await context.ended(instanceId);
      await context.start({ instanceId, name, input: input ?? "" });
      await worker.completeNext("2", instanceId);
      expectEqual("the output", (await context.endedAs(instanceId, "COMPLETED")).output, "2");
    },
  },
  {
    id: "9.3/java-entities-without-filter",
    needs: ["entities"],
    title:
      "Java: its filters list no entities, and it gets them all the same when it states a limit",
    async run(context) {
      const { orchestrations, activities } = context.filters();
      const worker = context.worker({
        userAgent: "grpc-java-netty/1.60.0",
        maxConcurrentEntityWorkItems: 10,
        workItemFilters: { orchestrations, activities, entities: [] },
      });
      const entityId = context.entityId();
      await signal(context, entityId, "add");
      await settleUntil(worker, entityId, "add", "1");
    },
  },
  {
    id: "9.3/go-worker",
    traps: ["T10"],
    title: "Go: no tokens, actions in any order, children without ids and an empty custom status",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const first = await worker.turn(instanceId);
      const actions = [
        child(1, { name: context.name("Child") }),
        task(0, { name: context.name("Work") }),
      ];
      await worker.complete({ ...first, token: "" }, actions, { customStatus: "" });
      const childTurn = await worker.turn(`${instanceId}:0001`);
      context.remember(childTurn.request.instanceId);
      await worker.complete({ ...childTurn, token: "" }, [completed('"c"')]);
      const activity = await worker.activity(0);
      await worker.finish({ ...activity, token: "" }, { result: '"w"' });
      const seen = new Set<string | undefined>();
      while (!seen.has("taskCompleted") || !seen.has("subOrchestrationInstanceCompleted")) {
        const turn = await worker.turn(instanceId);
        for (const kind of kinds(turn.newEvents)) seen.add(kind);
        await worker.complete({ ...turn, token: "" }, [], { customStatus: "" });
      }
      await context.raise(instanceId, "end");
      const last = await worker.turn(instanceId);
      await worker.complete({ ...last, token: "" }, [completed("1")], { customStatus: "" });
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "9.3/go-gets-no-entities",
    needs: ["entities", "own-hub"],
    title: "Go: a worker that knows no entities gets none, and they wait for another one",
    async run(context) {
      const hub = context.ownHub();
      // As its SDK asks for work: without filters, and without limits.
      const go = hub.worker({ userAgent: "grpc-go/1.60.0", unfiltered: true });
      await go.completeNext("1", await hub.start());
      const entityId = hub.entityId();
      await signal(hub, entityId, "add");
      await go.completeNext("1", await hub.start({ instanceId: hub.id("barrier") }));
      const batches = go.received.filter(({ request }) => request.case === "entityRequestV2");
      expectEqual("the batches that the Go worker got", batches.length, 0);
      await settleUntil(hub.worker(), entityId, "add", "1");
    },
  },
  {
    id: "9.3/python-child-id",
    traps: ["T3"],
    title: "Python: a child that is retried under its id and the same action id is run again",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const value = { instanceId: `${instanceId}:0001`, name: context.name("Child") };
      context.remember(value.instanceId);
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        await worker.answer([child(1, value)], instanceId);
        await worker.answer([completed(`${attempt}`)], value.instanceId);
      }
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      const { result } = onlyEvent(newEvents, "subOrchestrationInstanceCompleted");
      expectEqual("the result of the last attempt", result, "3");
      const created = eventsOf(pastEvents, "subOrchestrationInstanceCreated");
      expectEqual("SubOrchestrationInstanceCreated events", created.length, 3);
    },
  },
  {
    id: "9.3/javascript-worker",
    traps: ["T13"],
    title: "JavaScript: child ids that it derives from the executionId differ for each generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: "" });
      const ids = new Set<string>();
      for (let at = 0; at < 3; at += 1) {
        const { request } = await worker.answer([continueAsNew(String(at))], instanceId);
        ids.add(`${request.executionId}:0001`);
      }
      expectThat(!ids.has("undefined:0001"), "expected executionId in every turn");
      expectEqual("the number of different child ids", ids.size, 3);
    },
  },
];
