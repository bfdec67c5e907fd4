/** PROTOCOL.md 4.3: instances that start later. */
import { Code } from "@connectrpc/connect";
import { compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import { type Check, exactTime, expectEqual, expectPresent, expectThat } from "../check.ts";
import { fromNow, kinds, onlyEvent } from "../events.ts";

const HOUR_MS = 3_600_000;
const SOON_MS = 1_500;
const EPOCH = { seconds: 0n, nanos: 0 };

export const scheduledStartChecks: readonly Check[] = [
  {
    id: "4.3/pending-until-due",
    title: "an instance with a later start is PENDING, and nobody gets its turn",
    async run(context) {
      const worker = context.worker();
      const scheduledStartTimestamp = fromNow(HOUR_MS);
      await context.start({ instanceId: context.id("later"), scheduledStartTimestamp });
      await context.raise(context.id("later"), "early");
      await context.start({ instanceId: context.id("now") });
      const { request } = await worker.completeNext();
      expectEqual("the instance of the first turn", request.instanceId, context.id("now"));
      await context.expectStatus(context.id("later"), "PENDING");
    },
  },
  {
    id: "4.3/starts-when-due",
    traps: ["T44"],
    title: "it starts when it is due, not earlier by the orchestrator's clock, with early events",
    async run(context) {
      const scheduledStartTimestamp = fromNow(SOON_MS);
      const instanceId = await context.start({ scheduledStartTimestamp });
      await context.raise(instanceId, "early", "1");
      const { newEvents } = await context.worker().turn(instanceId);
      expectEqual("the events of the first turn", kinds(newEvents), [
        "orchestratorStarted",
        "executionStarted",
        "eventRaised",
      ]);
      const clock = expectPresent("the time of OrchestratorStarted", newEvents[0]?.timestamp);
      expectThat(
        compareTimestamps(clock, scheduledStartTimestamp) >= 0,
        `expected a clock of at least ${exactTime(scheduledStartTimestamp)}, but got ${exactTime(clock)}`,
      );
    },
  },
  {
    id: "4.3/exact-time",
    traps: ["T12"],
    title: "the time comes back with all its nanoseconds",
    async run(context) {
      const { seconds } = fromNow(HOUR_MS);
      const scheduledStartTimestamp = { seconds, nanos: 123_456_789 };
      const instanceId = await context.start({ scheduledStartTimestamp });
      const { scheduledStartTimestamp: shown } = await context.state(instanceId);
      expectEqual("the time", exactTime(shown), `${seconds}.123456789`);
    },
  },
  {
    id: "4.3/epoch-is-now",
    traps: ["T21"],
    title: "1970-01-01 means now, and is not shown as a scheduled time",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ scheduledStartTimestamp: EPOCH });
      const { newEvents } = await worker.answer([], instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      expectEqual("the scheduled time", started.scheduledStartTimestamp, undefined);
      const { scheduledStartTimestamp } = await context.state(instanceId);
      expectEqual("the scheduled time of the state", scheduledStartTimestamp, undefined);
    },
  },
  {
    id: "4.3/past-is-now",
    traps: ["T21"],
    title: "a start in the past does not delay",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ scheduledStartTimestamp: fromNow(-HOUR_MS) });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.3/far-future",
    traps: ["T20"],
    title: "a start in 100 years is accepted, and waits",
    async run(context) {
      const worker = context.worker();
      const scheduledStartTimestamp = fromNow(876_000 * HOUR_MS);
      await context.start({ instanceId: context.id("later"), scheduledStartTimestamp });
      await context.start({ instanceId: context.id("now") });
      const { request } = await worker.completeNext();
      expectEqual("the instance of the first turn", request.instanceId, context.id("now"));
    },
  },
  {
    id: "4.3/terminate-at-once",
    title: "terminating an instance that is to start later acts at once",
    async run(context) {
      const instanceId = await context.start({ scheduledStartTimestamp: fromNow(HOUR_MS) });
      await context.client.terminateInstance({ instanceId, output: '"no"' });
      const { output } = await context.endedAs(instanceId, "TERMINATED");
      expectEqual("the output", output, '"no"');
    },
  },
  {
    id: "4.3/wait-for-start",
    traps: ["T8"],
    title: "WaitForInstanceStart does not return while the instance waits for its time",
    async run(context) {
      const instanceId = await context.start({ scheduledStartTimestamp: fromNow(HOUR_MS) });
      const waiting = context.client.waitForInstanceStart({ instanceId }, { timeoutMs: 200 });
      await context.refused(waiting, Code.DeadlineExceeded);
      await context.expectStatus(instanceId, "PENDING");
    },
  },
];
