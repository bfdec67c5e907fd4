/** PROTOCOL.md 4.4 and 4.5: what a turn contains, and what becomes of its actions. */
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { compareTimestamps, nanosecondsBetween } from "../../../sidecar/wire/timestamp.ts";
import { completed, createTimer, sendEvent, terminateOther } from "../../support/worker-actions.ts";
import { action, end, task } from "../actions.ts";
import { type Check, exactTime, expectEqual, expectPresent, expectThat } from "../check.ts";
import { fromNow, kinds } from "../events.ts";

const HOUR_MS = 3_600_000;
const MILLISECOND = 1_000_000n;

export const turnChecks: readonly Check[] = [
  {
    id: "4.4/first-turn",
    title: "the first turn has no past, and OrchestratorStarted and ExecutionStarted as new events",
    async run(context) {
      const instanceId = await context.start();
      const { newEvents, pastEvents } = await context.worker().turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), []);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "executionStarted"]);
    },
  },
  {
    id: "4.4/later-turn",
    title:
      "a later turn has the committed history as its past, and begins with OrchestratorStarted",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const actions = [task(0, { name: context.name("Work") }), createTimer(1, fromNow(HOUR_MS))];
      await worker.answer(actions, instanceId);
      await worker.finish(await worker.activity(), { result: "1" });
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), [
        "orchestratorStarted",
        "executionStarted",
        "taskScheduled",
        "timerCreated",
      ]);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "taskCompleted"]);
    },
  },
  {
    id: "4.4/entity-parameters",
    traps: ["T30"],
    title: "entityParameters is there, with a reorder window of zero that is present",
    async run(context) {
      const instanceId = await context.start();
      const { request } = await context.worker().turn(instanceId);
      const parameters = expectPresent("entityParameters", request.entityParameters);
      const window = expectPresent(
        "entityMessageReorderWindow",
        parameters.entityMessageReorderWindow,
      );
      expectEqual("the window", [window.seconds, window.nanos], [0n, 0]);
    },
  },
  {
    id: "4.4/event-ids",
    traps: ["T1"],
    title: "events from actions have the id of the action, all others -1",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const actions = [
        task(0, { name: context.name("Work") }),
        createTimer(5, fromNow(-1_000)),
        sendEvent(7, context.id("nobody"), "e"),
      ];
      await worker.answer(actions, instanceId);
      await worker.finish(await worker.activity());
      await context.raise(instanceId, "e");
      const seen = new Map<string, number>();
      // The three may come in several turns.
      while (!seen.has("taskCompleted") || !seen.has("timerFired") || !seen.has("eventRaised")) {
        const { pastEvents, newEvents } = await worker.answer([], instanceId);
        for (const { eventId, eventType } of [...pastEvents, ...newEvents]) {
          if (eventType.case === "orchestratorCompleted") continue;
          seen.set(eventType.case ?? "", eventId);
        }
      }
      expectEqual("the event ids", Object.fromEntries([...seen].toSorted()), {
        eventRaised: -1,
        eventSent: 7,
        executionStarted: -1,
        orchestratorStarted: -1,
        taskCompleted: -1,
        taskScheduled: 0,
        timerCreated: 5,
        timerFired: -1,
      });
    },
  },
  {
    id: "4.4/timestamps",
    traps: ["T11"],
    title: "every event has a timestamp",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity());
      const { pastEvents, newEvents } = await worker.turn(instanceId);
      for (const { timestamp, eventType } of [...pastEvents, ...newEvents]) {
        expectPresent(`the timestamp of ${eventType.case}`, timestamp);
      }
    },
  },
  {
    id: "4.4/clock",
    traps: ["T12"],
    title:
      "the clock of each turn is at least 1 ms later than that of the one before, and is stored exactly",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const clocks = [];
      for (let at = 0; at < 6; at += 1) {
        await context.raise(instanceId, `e${at}`);
        const turn = await worker.answer([], instanceId);
        clocks.push(expectPresent("a clock", turn.newEvents[0]?.timestamp));
      }
      for (const [at, clock] of clocks.entries()) {
        const before = clocks[at - 1];
        if (before === undefined) continue;
        expectThat(
          nanosecondsBetween(before, clock) >= MILLISECOND,
          `expected a clock at least 1 ms after ${exactTime(before)}, but got ${exactTime(clock)}`,
        );
      }
      await context.raise(instanceId, "last");
      const { pastEvents } = await worker.turn(instanceId);
      const stored = pastEvents.filter(({ eventType }) => eventType.case === "orchestratorStarted");
      expectEqual(
        "the clocks of the past",
        stored.map(({ timestamp }) => exactTime(timestamp)),
        clocks.map(exactTime),
      );
    },
  },
  {
    id: "4.4/one-turn-at-a-time",
    title: "an instance has one turn at a time, whatever arrives meanwhile",
    async run(context) {
      const [one, two] = [context.worker(), context.worker()];
      const instanceId = await context.start();
      const first = await Promise.race([one.turn(instanceId), two.turn(instanceId)]);
      for (const name of ["a", "b", "c"]) await context.raise(instanceId, name);
      await context.start({ instanceId: context.id("barrier") });
      await Promise.race([one.turn(context.id("barrier")), two.turn(context.id("barrier"))]);
      const turns = [...one.received, ...two.received].filter(
        ({ request }) =>
          request.case === "orchestratorRequest" && request.value.instanceId === instanceId,
      );
      expectEqual("the number of turns handed out", turns.length, 1);
      await one.complete(first);
    },
  },
  {
    id: "4.5/any-order",
    title: "actions are carried out in the order of their ids, in whatever order they were sent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      const actions = [task(3, { name }), createTimer(1, fromNow(HOUR_MS)), task(2, { name })];
      await worker.answer(actions, instanceId);
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const ids = pastEvents.map(({ eventId }) => eventId).filter((id) => id >= 0);
      expectEqual("the ids in history", ids, [1, 2, 3]);
    },
  },
  {
    id: "4.5/any-id",
    title: "negative and zero ids of actions are accepted",
    async run(context) {
      const instanceId = await context.start();
      const orchestrationStatus = OrchestrationStatus.COMPLETED;
      const actions = [task(0, { name: context.name("Work") }), end({ orchestrationStatus }, -1)];
      await context.worker().answer(actions, instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.5/unknown-action",
    title: "an action that is not known ends the instance as FAILED instead of failing the call",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().answer([action(1, { case: undefined })], instanceId);
      const { failureDetails } = await context.endedAs(instanceId, "FAILED");
      const details = expectPresent("failureDetails", failureDetails);
      expectThat(details.errorMessage !== "", "expected a message in failureDetails, but got none");
    },
  },
  {
    id: "4.5/failed-with-details",
    title: "failure details are kept whole: type, message, trace, cause and properties",
    async run(context) {
      const instanceId = await context.start();
      const failureDetails = {
        errorType: "Outer",
        errorMessage: "",
        stackTrace: "at …",
        isNonRetriable: true,
        innerFailure: { errorType: "Inner", errorMessage: "why" },
        properties: { code: { kind: { case: "numberValue" as const, value: 7 } } },
      };
      const orchestrationStatus = OrchestrationStatus.FAILED;
      await context.worker().answer([end({ orchestrationStatus, failureDetails })], instanceId);
      const state = await context.endedAs(instanceId, "FAILED");
      const { errorType, errorMessage, stackTrace, isNonRetriable, innerFailure, properties } =
        expectPresent("failureDetails", state.failureDetails);
      expectEqual(
        "failureDetails",
        [errorType, errorMessage, stackTrace, isNonRetriable, innerFailure?.errorMessage],
        ["Outer", "", "at …", true, "why"],
      );
      expectEqual("the property", properties.code?.kind.value, 7);
    },
  },
  {
    id: "4.5/activity-of-completing-turn",
    traps: ["T24"],
    title: "an activity that is scheduled by the completing turn still runs; its result is dropped",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") }), completed("1")], instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      await worker.finish(await worker.activity(), { result: "2" });
      expectEqual("the output", (await context.state(instanceId)).output, "1");
    },
  },
  {
    id: "4.5/terminate-other",
    title: "the action terminateOrchestration ends another instance with the reason as its output",
    async run(context) {
      const worker = context.worker();
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([], other);
      const instanceId = await context.start();
      await worker.answer([terminateOther(1, other, '"enough"'), completed("1")], instanceId);
      expectEqual("the output", (await context.endedAs(other, "TERMINATED")).output, '"enough"');
    },
  },
  {
    id: "4.5/trace-context-echo",
    title: "orchestrationTraceContext comes back with the next turn of the generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const spanStartTime = { seconds: 1_700_000_000n, nanos: 123_456_700 };
      const orchestrationTraceContext = { spanID: "00f067aa0ba902b7", spanStartTime };
      await worker.answer([], instanceId, { orchestrationTraceContext });
      await context.raise(instanceId, "go");
      const { request } = await worker.turn(instanceId);
      const echoed = expectPresent("the trace context", request.orchestrationTraceContext);
      expectEqual("the span id", echoed.spanID, "00f067aa0ba902b7");
      expectEqual("its start", exactTime(echoed.spanStartTime), "1700000000.123456700");
    },
  },
  {
    id: "4.5/last-updated",
    title: "lastUpdatedTimestamp does not go back when a turn is committed",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const before = (await context.state(instanceId)).lastUpdatedTimestamp;
      await worker.answer([], instanceId);
      const after = (await context.state(instanceId)).lastUpdatedTimestamp;
      const [left, right] = [expectPresent("the time", before), expectPresent("the time", after)];
      expectThat(
        compareTimestamps(left, right) <= 0,
        `expected a time after ${exactTime(left)}, but got ${exactTime(right)}`,
      );
    },
  },
];
