/** PROTOCOL.md section 9 for .NET, as raw calls: no .NET runs beside these checks. */
import { WorkerCapability } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, continueAsNew, createTimer, sendEvent } from "../../support/worker-actions.ts";
import { lockEntities, task, unlockEntity } from "../actions.ts";
import { type Check, exactTime, expectEqual, expectPresent } from "../check.ts";
import { settleUntil, signal } from "../entity-helpers.ts";
import { eventsOf, fromNow, kinds } from "../events.ts";

export const dotnetQuirkChecks: readonly Check[] = [
  {
    id: "9.3/dotnet-stream",
    title: ".NET: a stream with all limits, filters and history streaming is served",
    async run(context) {
      const worker = context.worker({
        maxConcurrentActivityWorkItems: 200,
        maxConcurrentOrchestrationWorkItems: 200,
        maxConcurrentEntityWorkItems: 200,
        capabilities: [WorkerCapability.HISTORY_STREAMING],
      });
      const instanceId = await context.start();
      const { request } = await worker.turn(instanceId);
      expectEqual(
        "requiresHistoryStreaming of a first turn",
        request.requiresHistoryStreaming,
        false,
      );
    },
  },
  {
    id: "9.3/dotnet-one-execution-started",
    title: ".NET: past and new events together have ExecutionStarted exactly once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      for (let at = 0; at < 4; at += 1) {
        await context.raise(instanceId, `e${at}`);
        const again = at === 1 ? [continueAsNew("2")] : [];
        const { pastEvents, newEvents } = await worker.answer(again, instanceId);
        const started = eventsOf([...pastEvents, ...newEvents], "executionStarted");
        expectEqual(`ExecutionStarted events in turn ${at}`, started.length, 1);
      }
    },
  },
  {
    id: "9.3/dotnet-preserved-events",
    traps: ["T23"],
    title: ".NET: events that it preserves over continue-as-new, by sending them to itself, arrive",
    async run(context) {
      const instanceId = await context.start();
      for (const name of ["a", "b"]) await context.raise(instanceId, name, `"${name}"`);
      const worker = context.worker();
      const preserved = ["a", "b"].map((name, at) => sendEvent(at, instanceId, name, `"${name}"`));
      await worker.answer([...preserved, continueAsNew("2")], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      const raised = eventsOf(newEvents, "eventRaised").map(({ name, input }) => [name, input]);
      expectEqual("the events", raised, [
        ["a", '"a"'],
        ["b", '"b"'],
      ]);
    },
  },
  {
    id: "9.3/dotnet-split-completion",
    traps: ["T33"],
    title: ".NET: a completion in parts keeps trace context of the first part and custom status",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      const spanStartTime = { seconds: 1_700_000_000n, nanos: 100 };
      const customStatus = '"parts"';
      await worker.complete(turn, [task(0, { name: context.name("Work") })], {
        isPartial: true,
        chunkIndex: 0,
        customStatus,
        orchestrationTraceContext: { spanID: "00f067aa0ba902b7", spanStartTime },
      });
      await worker.complete(turn, [createTimer(1, fromNow(-1))], {
        isPartial: false,
        chunkIndex: 1,
        customStatus,
        numEventsProcessed: 0,
      });
      expectEqual(
        "the custom status",
        (await context.state(instanceId)).customStatus,
        customStatus,
      );
      const { request, pastEvents } = await worker.turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), [
        "orchestratorStarted",
        "executionStarted",
        "taskScheduled",
        "timerCreated",
      ]);
      const traceContext = expectPresent("the trace context", request.orchestrationTraceContext);
      expectEqual("its start", exactTime(traceContext.spanStartTime), "1700000000.000000100");
    },
  },
  {
    id: "9.3/dotnet-repeats-completions",
    traps: ["T9"],
    title: ".NET: ten repeats of a completion are all OK, and count once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      const actions = [task(0, { name: context.name("Work") })];
      await Promise.all(Array.from({ length: 10 }, () => worker.complete(turn, actions)));
      await worker.finish(await worker.activity(), { result: "1" });
      const { pastEvents } = await worker.turn(instanceId);
      expectEqual("TaskScheduled events", eventsOf(pastEvents, "taskScheduled").length, 1);
    },
  },
  {
    id: "9.3/dotnet-results-with-equal-ids",
    traps: ["T1"],
    title: ".NET: no two events that it must tell apart have the same non-negative id",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(0, { name }), task(1, { name })], instanceId);
      for (const taskId of [0, 1]) await worker.finish(await worker.activity(taskId));
      const ids: number[] = [];
      while (ids.length < 2) {
        const { newEvents } = await worker.answer([], instanceId);
        for (const { eventId, eventType } of newEvents) {
          if (eventType.case === "taskCompleted") ids.push(eventId);
        }
      }
      expectEqual("the event ids of the results", ids, [-1, -1]);
    },
  },
  {
    id: "9.3/dotnet-unlock-shares-id",
    needs: ["entities"],
    title: ".NET: an unlock that shares its id with the completion beside it is carried out",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const instanceId = await context.start();
      const section = crypto.randomUUID();
      await worker.answer([lockEntities(0, [entityId], section, instanceId)], instanceId);
      const unlock = unlockEntity(999, entityId, section, instanceId);
      await worker.answer([unlock, completed("1")], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      await signal(context, entityId, "free");
      await settleUntil(worker, entityId, "free", "1");
    },
  },
];
