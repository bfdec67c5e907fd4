/** PROTOCOL.md 5: activities. */
import { completed, continueAsNew } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual, expectPresent, expectThat } from "../check.ts";
import { eventsOf, kinds, onlyEvent } from "../events.ts";

const TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

export const activityChecks: readonly Check[] = [
  {
    id: "5/request",
    title: "an activity gets name, version, input, tags, trace, task id and the calling generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      const { request: turn } = await worker.answer(
        [
          task(4, {
            name,
            version: "2",
            input: "[1]",
            tags: { a: "b" },
            parentTraceContext: { traceParent: TRACE_PARENT },
          }),
        ],
        instanceId,
      );
      const { request, token } = await worker.activity();
      const { orchestrationInstance: caller } = request;
      expectEqual("the name", request.name, name);
      expectEqual("the version", request.version, "2");
      expectEqual("the input", request.input, "[1]");
      expectEqual("the tags", { ...request.tags }, { a: "b" });
      expectEqual("the trace parent", request.parentTraceContext?.traceParent, TRACE_PARENT);
      expectEqual("the task id", request.taskId, 4);
      expectEqual("the calling instance", caller?.instanceId, instanceId);
      expectThat(!!caller?.executionId, "expected the calling executionId, but it is absent");
      expectEqual("the calling executionId", caller?.executionId, turn.executionId);
      expectThat(token !== "", "expected a completion token, but it is empty");
    },
  },
  {
    id: "5/scheduled-event",
    title: "TaskScheduled has what the action said",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer(
        [task(4, { name, version: "2", input: "[1]", tags: { a: "b" } })],
        instanceId,
      );
      await context.raise(instanceId, "go");
      const scheduled = onlyEvent((await worker.turn(instanceId)).pastEvents, "taskScheduled");
      expectEqual(
        "TaskScheduled",
        [scheduled.name, scheduled.version, scheduled.input, { ...scheduled.tags }],
        [name, "2", "[1]", { a: "b" }],
      );
    },
  },
  {
    id: "5/result",
    title: "a result becomes TaskCompleted, an absent one stays absent, an empty one empty",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name }), task(2, { name }), task(3, { name })], instanceId);
      await worker.finish(await worker.activity(1), { result: '"x"' });
      await worker.finish(await worker.activity(2));
      await worker.finish(await worker.activity(3), { result: "" });
      const results = new Map<number, string | undefined>();
      while (results.size < 3) {
        const { newEvents } = await worker.answer([], instanceId);
        for (const { taskScheduledId, result } of eventsOf(newEvents, "taskCompleted")) {
          results.set(taskScheduledId, result);
        }
      }
      expectEqual("the results", [results.get(1), results.get(2)], ['"x"', undefined]);
      expectEqual("the empty result", results.get(3) ?? "", "");
    },
  },
  {
    id: "5/failure-by-presence",
    title: "failureDetails without any text is a failure all the same",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity(), { failureDetails: {}, result: "1" });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "taskFailed"]);
      expectPresent("failureDetails", onlyEvent(newEvents, "taskFailed").failureDetails);
    },
  },
  {
    id: "5/failure-details",
    title: "failure details reach the orchestrator as they were sent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      const failureDetails = {
        errorType: "E",
        errorMessage: "bad",
        isNonRetriable: true,
        innerFailure: { errorType: "F", errorMessage: "why" },
      };
      await worker.finish(await worker.activity(), { failureDetails });
      const failed = onlyEvent((await worker.turn(instanceId)).newEvents, "taskFailed");
      const details = expectPresent("failureDetails", failed.failureDetails);
      expectEqual(
        "failureDetails",
        [
          failed.taskScheduledId,
          details.errorType,
          details.errorMessage,
          details.isNonRetriable,
          details.innerFailure?.errorMessage,
        ],
        [1, "E", "bad", true, "why"],
      );
    },
  },
  {
    id: "5/never-retried",
    title: "a failed activity is not run again by the service",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity(), { failureDetails: { errorMessage: "bad" } });
      await worker.answer([task(2, { name: context.name("Other") })], instanceId);
      expectEqual("the next activity", (await worker.activity()).request.taskId, 2);
    },
  },
  {
    id: "5/same-id-twice",
    traps: ["T2"],
    title: "two activities of one action id run both, and both results arrive",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name, input: '"first"' })], instanceId);
      await worker.finish(await worker.activity(), { failureDetails: { errorMessage: "bad" } });
      await worker.answer([task(1, { name, input: '"second"' })], instanceId);
      const { request, ...rest } = await worker.activity();
      expectEqual("the input of the second", request.input, '"second"');
      await worker.finish({ request, ...rest }, { result: '"2"' });
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"2"');
      expectEqual("TaskScheduled events", eventsOf(pastEvents, "taskScheduled").length, 2);
    },
  },
  {
    id: "5/many",
    title: "100 activities of one turn all run, and each result arrives once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const count = 100;
      const name = context.name("Work");
      const tasks = Array.from({ length: count }, (_, id) => task(id, { name }));
      await worker.answer(tasks, instanceId);
      const seen: number[] = [];
      const answering = context.quietly(async () => {
        for (let at = 0; at < count; at += 1) {
          const activity = await worker.activity();
          await worker.finish(activity, { result: String(activity.request.taskId) });
        }
      });
      while (seen.length < count) {
        const { newEvents } = await worker.answer([], instanceId);
        for (const event of eventsOf(newEvents, "taskCompleted")) {
          expectEqual("the result", event.result, String(event.taskScheduledId));
          seen.push(event.taskScheduledId);
        }
      }
      await answering;
      expectEqual("the number of different results", new Set(seen).size, count);
    },
  },
  {
    id: "5/stale-generation",
    traps: ["T7"],
    title: "a result for a generation that has continued as new does not reach the next one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name, input: '"old"' })], instanceId);
      const old = await worker.activity();
      await context.raise(instanceId, "go");
      await worker.answer([continueAsNew("2")], instanceId);
      await worker.answer([task(1, { name, input: '"new"' })], instanceId);
      await worker.finish(old, { result: '"old"' });
      await worker.finish(await worker.activity(), { result: '"new"' });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"new"');
    },
  },
  {
    id: "5/after-the-end",
    traps: ["T9"],
    title: "a result for a finished instance is dropped with OK",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      const activity = await worker.activity();
      await context.raise(instanceId, "go");
      await worker.answer([completed('"end"')], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      await worker.finish(activity, { result: '"late"' });
      expectEqual("the output", (await context.state(instanceId)).output, '"end"');
    },
  },
  {
    id: "5/second-result",
    traps: ["T9"],
    title: "a second result of the same activity is dropped with OK",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      const activity = await worker.activity();
      await worker.finish(activity, { result: '"first"' });
      await worker.finish(activity, { result: '"second"' });
      const { newEvents } = await worker.answer([], instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"first"');
      await context.raise(instanceId, "barrier");
      const next = await worker.turn(instanceId);
      expectEqual("the events of the next turn", kinds(next.newEvents), [
        "orchestratorStarted",
        "eventRaised",
      ]);
    },
  },
];
