/** PROTOCOL.md 4.11: continue-as-new. */
import { continueAsNew, createTimer, sendEvent } from "../../support/worker-actions.ts";
import { nextGeneration, task } from "../actions.ts";
import { type Check, expectEqual, expectPresent, expectThat } from "../check.ts";
import { eventsOf, fromNow, kinds, onlyEvent } from "../events.ts";

export const generationChecks: readonly Check[] = [
  {
    id: "4.11/fresh-generation",
    traps: ["T13"],
    title: "the next generation has another executionId, a new input, and no past",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: "1", tags: { a: "b" }, version: "1" });
      const first = await worker.answer([continueAsNew("2")], instanceId);
      const next = await worker.turn(instanceId);
      expectThat(
        next.request.executionId !== first.request.executionId,
        "expected another executionId, but it is that of the generation before",
      );
      expectEqual("the past events", kinds(next.pastEvents), []);
      const started = onlyEvent(next.newEvents, "executionStarted");
      const { orchestrationInstance, input, version, tags, name } = started;
      expectEqual(
        "executionId inside ExecutionStarted",
        orchestrationInstance?.executionId,
        next.request.executionId,
      );
      expectEqual(
        "what the generation has",
        [name, input, version, { ...tags }],
        [context.name(), "2", "1", { a: "b" }],
      );
    },
  },
  {
    id: "4.11/status-and-input",
    title: "the status stays RUNNING, the input shown is the new one, createdTimestamp the old",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: "1" });
      const { createdTimestamp } = await context.state(instanceId);
      await worker.answer([continueAsNew("2")], instanceId);
      await worker.turn(instanceId);
      await context.expectStatus(instanceId, "RUNNING");
      const state = await context.state(instanceId);
      expectEqual("the input", state.input, "2");
      expectEqual("createdTimestamp", state.createdTimestamp, createdTimestamp);
    },
  },
  {
    id: "4.11/new-version",
    title: "newVersion becomes the version of the next generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ version: "1" });
      await worker.answer([nextGeneration({ result: "2", newVersion: "2.0" })], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the version", onlyEvent(newEvents, "executionStarted").version, "2.0");
      expectEqual("the version of the state", (await context.state(instanceId)).version, "2.0");
    },
  },
  {
    id: "4.11/order-of-events",
    traps: ["T23"],
    title: "carried-over events come first, then those sent to itself, then what arrived meanwhile",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.raise(instanceId, "arrived");
      const actions = [sendEvent(1, instanceId, "sent"), continueAsNew("2", ["carried", "too"])];
      await worker.complete(turn, actions);
      const { newEvents } = await worker.turn(instanceId);
      const names = eventsOf(newEvents, "eventRaised").map(({ name }) => name);
      expectEqual("the first two events", kinds(newEvents).slice(0, 2), [
        "orchestratorStarted",
        "executionStarted",
      ]);
      expectEqual("the events raised", names, ["carried", "too", "sent", "arrived"]);
      for (const { timestamp, eventType } of newEvents) {
        expectPresent(`the timestamp of ${eventType.case}`, timestamp);
      }
    },
  },
  {
    id: "4.11/activities-still-run",
    traps: ["T24"],
    title: "an activity that is scheduled beside it still runs; a timer is dropped",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const actions = [
        task(1, { name: context.name("Work") }),
        createTimer(2, fromNow(-1_000)),
        continueAsNew("2"),
      ];
      await worker.answer(actions, instanceId);
      await worker.finish(await worker.activity(), { result: '"dropped"' });
      const { newEvents } = await worker.answer([], instanceId);
      expectEqual("the events of the next generation", kinds(newEvents), [
        "orchestratorStarted",
        "executionStarted",
      ]);
      await context.raise(instanceId, "barrier");
      const next = await worker.turn(instanceId);
      expectEqual("the events after that", kinds(next.newEvents), [
        "orchestratorStarted",
        "eventRaised",
      ]);
    },
  },
  {
    id: "4.11/events-sent-beside",
    traps: ["T24"],
    title: "an event that is sent beside it arrives",
    async run(context) {
      const worker = context.worker();
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([], other);
      const instanceId = await context.start();
      await worker.answer([sendEvent(1, other, "hi"), continueAsNew("2")], instanceId);
      const { newEvents } = await worker.turn(other);
      expectEqual("the event", onlyEvent(newEvents, "eventRaised").name, "hi");
    },
  },
  {
    id: "4.11/loop",
    title: "50 generations in a row are made, with clocks that only go forward, and others run",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: "0" });
      const generations = new Set<string | undefined>();
      let clock = 0n;
      for (let at = 1; at <= 50; at += 1) {
        const turn = await worker.answer([continueAsNew(String(at))], instanceId);
        generations.add(turn.request.executionId);
        const time = expectPresent("the clock", turn.newEvents[0]?.timestamp);
        const next = time.seconds * 1_000_000_000n + BigInt(time.nanos);
        expectThat(next > clock, `expected a clock after ${clock}, but got ${next}`);
        clock = next;
      }
      expectEqual("the number of generations", generations.size, 50);
      const other = await context.start({ instanceId: context.id("other") });
      await worker.completeNext("1", other);
      await worker.completeNext("1", instanceId);
      expectEqual("the input", (await context.ended(instanceId)).input, "50");
    },
  },
  {
    id: "4.11/trace-context-reset",
    title: "orchestrationTraceContext does not outlive its generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const orchestrationTraceContext = { spanID: "00f067aa0ba902b7" };
      await worker.answer([continueAsNew("2")], instanceId, { orchestrationTraceContext });
      const { request } = await worker.turn(instanceId);
      const span = request.orchestrationTraceContext?.spanID ?? "";
      expectEqual("the span id", span, "");
    },
  },
];
