/** PROTOCOL.md 4.2 and 4.3: what becomes of an instance that is replaced, and of one that waits. */
import { Code } from "@connectrpc/connect";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { createTimer, failed, startChild } from "../../support/worker-actions.ts";
import { lockEntities, task } from "../actions.ts";
import { type Check, exactTime, expectEqual } from "../check.ts";
import { settleUntil, signal } from "../entity-helpers.ts";
import { fromNow, kinds, onlyEvent } from "../events.ts";

const SOON_MS = 500;
const HOUR_MS = 3_600_000;
const { RUNNING, COMPLETED, FAILED, CANCELED, TERMINATED, PENDING, SUSPENDED } =
  OrchestrationStatus;
const REPLACE_ANY = {
  input: '"new"',
  orchestrationIdReusePolicy: {
    replaceableStatus: [COMPLETED, FAILED, TERMINATED, CANCELED, PENDING, RUNNING, SUSPENDED],
  },
};

export const replacementChecks: readonly Check[] = [
  {
    id: "4.2/legacy-terminate-not-listed",
    title: "the legacy action TERMINATE refuses what is in another status than those listed",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
      const policy = { replaceableStatus: [FAILED], legacyAction: 2 };
      const again = context.start({ orchestrationIdReusePolicy: policy });
      await context.refused(again, Code.AlreadyExists);
      await context.expectStatus(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.2/empty-policy-live",
    title: "a policy that lists nothing refuses a live instance as well",
    async run(context) {
      await context.start();
      const again = context.start({ orchestrationIdReusePolicy: {} });
      await context.refused(again, Code.AlreadyExists);
    },
  },
  {
    id: "4.2/replace-failed",
    title: "without a policy an instance that has failed, or was terminated, is replaced",
    async run(context) {
      const worker = context.worker();
      const bad = await context.start({ instanceId: context.id("bad") });
      await worker.answer([failed("bad")], bad);
      await context.endedAs(bad, "FAILED");
      const name = context.name("Nobody");
      const ended = await context.start({ instanceId: context.id("ended"), name });
      await context.client.terminateInstance({ instanceId: ended });
      await context.endedAs(ended, "TERMINATED");
      for (const instanceId of [bad, ended]) {
        await context.start({ instanceId, name });
        await context.expectStatus(instanceId, "PENDING");
      }
    },
  },
  {
    id: "4.2/replace-suspended",
    title: "a suspended instance is replaced by one that is not suspended",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId);
      await context.client.suspendInstance({ instanceId });
      await context.expectStatus(instanceId, "SUSPENDED");
      await context.start(REPLACE_ANY);
      const { newEvents } = await worker.completeNext("1", instanceId);
      expectEqual("the input", onlyEvent(newEvents, "executionStarted").input, '"new"');
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.2/replaced-work-is-gone",
    traps: ["T43"],
    title: "events, timers and activities that waited are gone when their instance is replaced",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await context.start();
      const name = context.name("Work");
      const [early, late] = [fromNow(SOON_MS), fromNow(2 * SOON_MS)];
      const actions = [task(1, { name }), task(2, { name }), createTimer(3, early)];
      await worker.answer(actions, instanceId);
      const running = await worker.activity();
      await context.client.suspendInstance({ instanceId });
      await context.raise(instanceId, "old");
      await context.start(REPLACE_ANY);
      await worker.finish(running, { result: '"late"' });
      const { newEvents } = await worker.answer([task(1, { name })], instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "executionStarted"]);
      await worker.finish(await worker.activity(), { result: '"new"' });
      const next = await worker.answer([createTimer(9, late)], instanceId);
      expectEqual("the next events", kinds(next.newEvents), [
        "orchestratorStarted",
        "taskCompleted",
      ]);
      expectEqual("the result", onlyEvent(next.newEvents, "taskCompleted").result, '"new"');
      const last = await worker.turn(instanceId);
      expectEqual("the timer", onlyEvent(last.newEvents, "timerFired").timerId, 9);
    },
  },
  {
    id: "4.2/replaced-child",
    title: "the parent of a child that is replaced by a client is not told anything",
    async run(context) {
      const worker = context.worker();
      const parent = await context.start({ instanceId: context.id("parent") });
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], parent);
      await worker.answer([], childId);
      await context.start({ ...REPLACE_ANY, instanceId: childId });
      await worker.completeNext("1", childId);
      await context.endedAs(childId, "COMPLETED");
      await context.raise(parent, "barrier");
      const { newEvents } = await worker.turn(parent);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "4.2/replaced-lock",
    needs: ["entities"],
    title: "a lock is released when its holder is replaced",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const instanceId = await context.start();
      const lock = lockEntities(1, [entityId], crypto.randomUUID(), instanceId);
      await worker.answer([lock], instanceId);
      onlyEvent((await worker.answer([], instanceId)).newEvents, "entityLockGranted");
      await context.start(REPLACE_ANY);
      await signal(context, entityId, "free");
      await settleUntil(worker, entityId, "free", "1");
    },
  },
  {
    id: "4.3/suspend-at-once",
    title:
      "suspending an instance that is to start later acts at once, and holds it when it is due",
    async run(context) {
      const scheduledStartTimestamp = fromNow(SOON_MS);
      const instanceId = await context.start({ scheduledStartTimestamp });
      await context.client.suspendInstance({ instanceId });
      await context.expectStatus(instanceId, "SUSPENDED");
      const worker = context.worker();
      const other = await context.start({ instanceId: context.id("other") });
      await worker.answer([createTimer(1, fromNow(2 * SOON_MS))], other);
      expectEqual("whose turn comes", (await worker.turn()).request.instanceId, other);
      await context.client.resumeInstance({ instanceId });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "4.3/shown",
    title: "the time of a later start is shown by the state, and reaches ExecutionStarted",
    async run(context) {
      const scheduledStartTimestamp = fromNow(3 * SOON_MS);
      const instanceId = await context.start({ scheduledStartTimestamp });
      const { newEvents } = await context.worker().turn(instanceId);
      const { scheduledStartTimestamp: told } = onlyEvent(newEvents, "executionStarted");
      const expected = exactTime(scheduledStartTimestamp);
      expectEqual("the time in the event", exactTime(told), expected);
      const { scheduledStartTimestamp: shown } = await context.state(instanceId);
      expectEqual("the time in the state", exactTime(shown), expected);
    },
  },
  {
    id: "4.3/later-than-a-turn",
    title: "a start in an hour does not keep the id from being terminated and taken again",
    async run(context) {
      const instanceId = await context.start({ scheduledStartTimestamp: fromNow(HOUR_MS) });
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
      await context.start({ input: '"now"' });
      await context.worker().completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
];
