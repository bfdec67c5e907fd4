/** PROTOCOL.md 6.6: locks of entities. */
import { completed, continueAsNew, failed } from "../../support/worker-actions.ts";
import { callEntity, lockEntities, unlockEntity } from "../actions.ts";
import { type Check, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { settleUntil, signal } from "../entity-helpers.ts";
import { kinds, onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const SUCCESS = (result: string) => ({
  resultType: { case: "success" as const, value: { result } },
});

async function lockedBy(context: CheckContext, instanceId: string): Promise<string | undefined> {
  const query = { instanceIdStartsWith: instanceId, includeTransient: true };
  const { entities } = await context.client.queryEntities({ query });
  return entities.find((entity) => entity.instanceId === instanceId)?.lockedBy;
}

/** An orchestration that holds these entities, and whose turn is the one of the grant. */
async function holder(
  context: CheckContext,
  worker: ConformanceWorker,
  entityIds: readonly string[],
  label = "holder",
) {
  const instanceId = await context.start({ instanceId: context.id(label) });
  const section = crypto.randomUUID();
  await worker.answer([lockEntities(1, entityIds, section, instanceId)], instanceId);
  const turn = await worker.turn(instanceId);
  const { criticalSectionId } = onlyEvent(turn.newEvents, "entityLockGranted");
  expectEqual("the critical section that was granted", criticalSectionId, section);
  return { instanceId, section, turn };
}

/** An operation of somebody else is handled: nobody holds the entity any more. */
async function expectFree(context: CheckContext, worker: ConformanceWorker, entityId: string) {
  await signal(context, entityId, "free");
  await settleUntil(worker, entityId, "free", "1");
  expectEqual("lockedBy", await lockedBy(context, entityId), undefined);
}

/** The lock is released when its holder ends like this, without an unlock. */
async function expectReleasedBy(
  context: CheckContext,
  ending: (worker: ConformanceWorker, held: Awaited<ReturnType<typeof holder>>) => Promise<unknown>,
) {
  const worker = context.worker();
  const entityId = context.entityId();
  const held = await holder(context, worker, [entityId]);
  await ending(worker, held);
  await expectFree(context, worker, entityId);
}

export const entityLockChecks: readonly Check[] = [
  {
    id: "6.6/lock",
    needs: ["entities"],
    traps: ["T27"],
    title:
      "a lock is granted without a worker; the holder is named; others wait; the holder goes first",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const { instanceId, section, turn } = await holder(context, worker, [entityId]);
      expectEqual("lockedBy", await lockedBy(context, entityId), instanceId);
      await signal(context, entityId, "waits");
      await worker.complete(turn, [callEntity(2, entityId, "mine")]);
      const batch = await worker.entity(entityId);
      expectEqual("the operations while it is locked", batch.operations, ["mine"]);
      await worker.settle(batch, { results: [SUCCESS("1")], entityState: "1" });
      const next = await worker.turn(instanceId);
      await worker.complete(next, [unlockEntity(3, entityId, section, instanceId), completed("1")]);
      const after = await worker.entity(entityId);
      expectEqual("the operations after the release", after.operations, ["waits"]);
      expectEqual("lockedBy", await lockedBy(context, entityId), undefined);
    },
  },
  {
    id: "6.6/several",
    needs: ["entities"],
    title: "several entities are locked one after the other, and granted when all are held",
    async run(context) {
      const worker = context.worker();
      const ids = [context.entityId("a"), context.entityId("b")];
      const [a = "", b = ""] = ids;
      const first = await holder(context, worker, [b], "first");
      const second = await context.start({ instanceId: context.id("second") });
      const section = crypto.randomUUID();
      await worker.answer([lockEntities(1, ids, section, second)], second);
      await context.start({ instanceId: context.id("barrier") });
      const { request } = await worker.completeNext("1");
      expectEqual("the next turn", request.instanceId, context.id("barrier"));
      await worker.complete(first.turn, [unlockEntity(2, b, first.section, first.instanceId)]);
      const { newEvents } = await worker.turn(second);
      expectPresent("the grant", onlyEvent(newEvents, "entityLockGranted"));
      expectEqual(
        "the holder of both",
        [await lockedBy(context, a), await lockedBy(context, b)],
        [second, second],
      );
    },
  },
  {
    id: "6.6/double-release",
    needs: ["entities"],
    title: "releasing twice, or what another one holds, changes nothing",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const { instanceId, section, turn } = await holder(context, worker, [entityId]);
      const release = (id: number) => unlockEntity(id, entityId, section, instanceId);
      await worker.complete(turn, [release(2), release(3), completed("1")]);
      const next = await holder(context, worker, [entityId], "next");
      const intruder = await context.start({ instanceId: context.id("intruder") });
      const forged = unlockEntity(1, entityId, section, intruder);
      await worker.answer([forged, completed("1")], intruder);
      await context.endedAs(intruder, "COMPLETED");
      expectEqual("lockedBy", await lockedBy(context, entityId), next.instanceId);
    },
  },
  {
    id: "6.6/no-lock-in-batches",
    needs: ["entities"],
    title: "lock messages are never part of a batch",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      await signal(context, entityId, "before");
      const batch = await worker.entity(entityId);
      const instanceId = await context.start();
      const lock = lockEntities(1, [entityId], crypto.randomUUID(), instanceId);
      await worker.answer([lock], instanceId);
      await signal(context, entityId, "after");
      await worker.settle(batch, { entityState: "1" });
      onlyEvent((await worker.turn(instanceId)).newEvents, "entityLockGranted");
      const lockKinds = worker.received.flatMap(({ request }) =>
        request.case === "entityRequestV2" ? kinds(request.value.operationRequests) : [],
      );
      expectThat(
        lockKinds.every((kind) => kind === "entityOperationSignaled"),
        `expected operations only, but got ${lockKinds.join(", ")}`,
      );
    },
  },
  {
    id: "6.6/released-by-failure",
    needs: ["entities"],
    title: "a lock is released when its holder fails",
    run: (context) =>
      expectReleasedBy(context, (worker, { turn }) => worker.complete(turn, [failed("crash")])),
  },
  {
    id: "6.6/released-by-completion",
    needs: ["entities"],
    title: "a lock is released when its holder completes",
    run: (context) =>
      expectReleasedBy(context, (worker, { turn }) => worker.complete(turn, [completed("1")])),
  },
  {
    id: "6.6/released-by-termination",
    needs: ["entities"],
    title: "a lock is released when its holder is terminated",
    run: (context) =>
      expectReleasedBy(context, async (worker, { turn, instanceId }) => {
        await worker.complete(turn);
        await context.client.terminateInstance({ instanceId });
        await context.endedAs(instanceId, "TERMINATED");
      }),
  },
  {
    id: "6.6/released-by-continue-as-new",
    needs: ["entities"],
    title: "a lock is released when its holder continues as new",
    run: (context) =>
      expectReleasedBy(context, (worker, { turn }) => worker.complete(turn, [continueAsNew("2")])),
  },
];
