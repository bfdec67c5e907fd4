/** PROTOCOL.md 6.4 to 6.6: what batches start, what fails, and locks that are wanted in vain. */
import { completed } from "../../support/worker-actions.ts";
import { callEntity, lockEntities, unlockEntity } from "../actions.ts";
import { type Check, exactTime, expectAbsent, expectEqual, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { expectModifiedAfter, readEntity, settleUntil, signal } from "../entity-helpers.ts";
import { fromNow, onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const GUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SOON_MS = 700;
const RETRIES_MS = 30_000;

/** A batch of one new entity, with one operation. */
async function firstBatch(context: CheckContext) {
  const worker = context.worker();
  const instanceId = context.entityId();
  await signal(context, instanceId, "a");
  return { worker, instanceId, batch: await worker.entity(instanceId) };
}

/** An instance that has asked for these locks. */
async function asking(
  context: CheckContext,
  worker: ConformanceWorker,
  label: string,
  entityIds: readonly string[],
) {
  const instanceId = await context.start({ instanceId: context.id(label) });
  const section = crypto.randomUUID();
  await worker.answer([lockEntities(1, entityIds, section, instanceId)], instanceId);
  return { instanceId, section };
}

async function granted(
  context: CheckContext,
  worker: ConformanceWorker,
  label: string,
  entityIds: readonly string[],
) {
  const asked = await asking(context, worker, label, entityIds);
  const turn = await worker.turn(asked.instanceId);
  onlyEvent(turn.newEvents, "entityLockGranted");
  return { ...asked, turn };
}

export const entityEffectChecks: readonly Check[] = [
  {
    id: "6.4/request-id",
    needs: ["entities"],
    title: "an operation has a GUID as its request id, also when its signal had none",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      await context.client.signalEntity({ instanceId, name: "op" });
      const { request } = await worker.entity(instanceId);
      const { requestId } = onlyEvent(request.operationRequests, "entityOperationSignaled");
      expectThat(GUID.test(requestId), `expected a GUID, but got "${requestId}"`);
    },
  },
  {
    id: "6.4/empty-state",
    needs: ["entities"],
    title: "a state that is an empty text means that the entity does not exist any more",
    async run(context) {
      const { worker, instanceId, batch } = await firstBatch(context);
      await worker.settle(batch, { entityState: '"s"' });
      await signal(context, instanceId, "delete");
      await worker.settle(await worker.entity(instanceId), { entityState: "" });
      expectAbsent("the entity", await readEntity(context, instanceId));
    },
  },
  {
    id: "6.4/failed-batch-call",
    needs: ["entities"],
    patienceMs: RETRIES_MS,
    title: "a call whose batch fails as a whole, also when it is tried again, fails in its caller",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      await worker.answer([callEntity(1, target, "get")], instanceId);
      const failureDetails = { errorType: "E", errorMessage: "worker is broken" };
      const failing = context.quietly(async () => {
        for (;;) await worker.settle(await worker.entity(target), { results: [], failureDetails });
      });
      const turn = await Promise.race([worker.turn(instanceId), failing]);
      const event = onlyEvent(turn.newEvents, "entityOperationFailed");
      expectEqual("the message", event.failureDetails?.errorMessage, "worker is broken");
    },
  },
  {
    id: "6.4/send-scheduled-signal",
    needs: ["entities"],
    title: "a signal that an entity sends for a later time comes then",
    async run(context) {
      const { worker, batch } = await firstBatch(context);
      const target = context.entityId("k", "other");
      const scheduledTime = fromNow(SOON_MS);
      const value = { instanceId: target, name: "later", scheduledTime };
      const actions = [{ operationActionType: { case: "sendSignal" as const, value } }];
      await worker.settle(batch, { entityState: "1", actions });
      await settleUntil(worker, target, "later", "1");
      await expectModifiedAfter(context, target, scheduledTime);
    },
  },
  {
    id: "6.4/start-contents",
    needs: ["entities"],
    title: "an orchestration that an entity starts has an id, its version and its trace context",
    async run(context) {
      const { worker, batch } = await firstBatch(context);
      const value = {
        name: context.name(),
        version: "2",
        parentTraceContext: { traceParent: TRACE_PARENT },
      };
      const actions = [{ operationActionType: { case: "startNewOrchestration" as const, value } }];
      await worker.settle(batch, { entityState: "1", actions });
      const { request, newEvents } = await worker.completeNext("1");
      context.remember(request.instanceId);
      expectThat(request.instanceId !== "", "expected a generated id, but it is empty");
      const started = onlyEvent(newEvents, "executionStarted");
      expectEqual("the version", started.version, "2");
      expectEqual("the trace", started.parentTraceContext?.traceParent, TRACE_PARENT);
    },
  },
  {
    id: "6.4/start-later",
    needs: ["entities"],
    title: "an orchestration that an entity starts for a later time is PENDING until then",
    async run(context) {
      const { worker, batch } = await firstBatch(context);
      const scheduledTime = fromNow(3 * SOON_MS);
      const value = { instanceId: context.id(), name: context.name(), scheduledTime };
      context.remember(value.instanceId);
      const actions = [{ operationActionType: { case: "startNewOrchestration" as const, value } }];
      await worker.settle(batch, { entityState: "1", actions });
      await context.expectStatus(value.instanceId, "PENDING");
      const { newEvents } = await worker.completeNext("1", value.instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      const told = exactTime(started.scheduledStartTimestamp);
      expectEqual("the start time", told, exactTime(scheduledTime));
    },
  },
  {
    id: "6.5/lock-in-history",
    needs: ["entities"],
    title: "requests of locks and releases are in the history, with the ids of their actions",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const { instanceId, section, turn } = await granted(context, worker, "main", [entityId]);
      await worker.complete(turn, [unlockEntity(5, entityId, section, instanceId)]);
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const { criticalSectionId, lockSet } = onlyEvent(pastEvents, "entityLockRequested");
      expectEqual("the request", [criticalSectionId, lockSet], [section, [entityId]]);
      const released = onlyEvent(pastEvents, "entityUnlockSent");
      expectEqual(
        "the release",
        [released.criticalSectionId, released.targetInstanceId],
        [section, entityId],
      );
      const ids = pastEvents.map(({ eventId }) => eventId).filter((id) => id >= 0);
      expectEqual("the event ids", ids, [1, 5]);
    },
  },
  {
    id: "6.6/wanted-by-one-that-ended",
    needs: ["entities"],
    title: "a lock that is wanted by an instance that has ended goes to nobody",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const first = await granted(context, worker, "first", [entityId]);
      const second = await asking(context, worker, "second", [entityId]);
      await signal(context, entityId, "waits");
      await context.client.terminateInstance({ instanceId: second.instanceId });
      await context.endedAs(second.instanceId, "TERMINATED");
      const release = unlockEntity(2, entityId, first.section, first.instanceId);
      await worker.complete(first.turn, [release, completed("1")]);
      await settleUntil(worker, entityId, "waits", "1");
      expectEqual("lockedBy", (await readEntity(context, entityId))?.lockedBy, undefined);
    },
  },
  {
    id: "6.6/ended-between",
    needs: ["entities"],
    title: "an instance that ends while it waits for its second lock releases the first",
    async run(context) {
      const worker = context.worker();
      const [a, b] = [context.entityId("a"), context.entityId("b")];
      await granted(context, worker, "first", [b]);
      const { instanceId } = await asking(context, worker, "second", [a, b]);
      await context.client.terminateInstance({ instanceId });
      await context.endedAs(instanceId, "TERMINATED");
      await signal(context, a, "free");
      await settleUntil(worker, a, "free", "1");
    },
  },
  {
    id: "6.6/contention",
    needs: ["entities"],
    title: "of several that want one lock each gets it, one after the other",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const first = await granted(context, worker, "one", [entityId]);
      const waiting = new Set<string>();
      for (const label of ["two", "three"]) {
        waiting.add((await asking(context, worker, label, [entityId])).instanceId);
      }
      await worker.complete(first.turn, [completed("1")]);
      while (waiting.size > 0) {
        const turn = await worker.turn();
        onlyEvent(turn.newEvents, "entityLockGranted");
        const isNext = waiting.delete(turn.request.instanceId);
        expectThat(isNext, `expected one that waits, but got ${turn.request.instanceId}`);
        const barrier = await context.start({ instanceId: context.id(`barrier${waiting.size}`) });
        const { request } = await worker.completeNext("1");
        expectEqual("the instance of the next turn", request.instanceId, barrier);
        await worker.complete(turn, [completed("1")]);
      }
      await signal(context, entityId, "free");
      await settleUntil(worker, entityId, "free", "1");
    },
  },
];
