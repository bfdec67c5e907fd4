/** PROTOCOL.md 4.5 and section 8: timers. */
import { compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import { completed, continueAsNew, createTimer } from "../../support/worker-actions.ts";
import { type Check, exactTime, expectEqual, expectPresent, expectThat } from "../check.ts";
import { fromNow, kinds, onlyEvent } from "../events.ts";

const YEAR_MS = 31_536_000_000;
const SOON_MS = 600;

export const timerChecks: readonly Check[] = [
  {
    id: "4.5/timer-fires",
    traps: ["T44"],
    title: "a timer fires at its time or later, by the clock of the turn that gets it",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const { seconds, nanos } = fromNow(SOON_MS);
      const fireAt = { ...fromNow(SOON_MS), seconds, nanos: nanos + 987 };
      await worker.answer([createTimer(4, fireAt)], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      const fired = onlyEvent(newEvents, "timerFired");
      expectEqual("timerId", fired.timerId, 4);
      expectEqual("fireAt as it was asked for", exactTime(fired.fireAt), exactTime(fireAt));
      const clock = expectPresent("the clock of the turn", newEvents[0]?.timestamp);
      expectThat(
        compareTimestamps(clock, fireAt) >= 0,
        `expected a clock of at least ${exactTime(fireAt)}, but got ${exactTime(clock)}`,
      );
    },
  },
  {
    id: "4.5/timer-in-the-past",
    title: "a timer of the past fires at once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([createTimer(1, fromNow(-YEAR_MS))], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "timerFired"]);
    },
  },
  {
    id: "4.5/timer-far-away",
    traps: ["T20"],
    title: "a timer in 100 years does not fire, nor get in the way of others",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const timers = [createTimer(1, fromNow(100 * YEAR_MS)), createTimer(2, fromNow(SOON_MS))];
      await worker.answer(timers, instanceId);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the timer that fired", onlyEvent(newEvents, "timerFired").timerId, 2);
    },
  },
  {
    id: "4.5/timer-of-old-generation",
    traps: ["T7"],
    title: "a timer of an earlier generation does not fire in the next one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const [early, late] = [fromNow(SOON_MS), fromNow(2 * SOON_MS)];
      await worker.answer([createTimer(1, early)], instanceId);
      await context.raise(instanceId, "go");
      await worker.answer([continueAsNew("2")], instanceId);
      await worker.answer([createTimer(1, late)], instanceId);
      const { newEvents } = await worker.turn(instanceId);
      const { fireAt } = onlyEvent(newEvents, "timerFired");
      expectEqual("the time of the timer that fired", exactTime(fireAt), exactTime(late));
    },
  },
  {
    id: "4.5/timer-of-finished",
    title: "a timer of a finished instance does not wake it",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([createTimer(1, fromNow(SOON_MS)), completed('"end"')], instanceId);
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([createTimer(1, fromNow(2 * SOON_MS))], other);
      const { request } = await worker.turn();
      expectEqual("the instance that was woken", request.instanceId, other);
      await context.expectStatus(instanceId, "COMPLETED");
    },
  },
];
