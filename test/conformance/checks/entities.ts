import { Code } from "@connectrpc/connect";
import { type Check, expectAbsent, expectEqual, expectPresent } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { expectModifiedAfter, readEntity, settleUntil, signal } from "../entity-helpers.ts";
import { fromNow } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const SOON_MS = 800;
const LATER_MS = 3_600_000;

async function existing(
  context: CheckContext,
  worker: ConformanceWorker,
  instanceId: string,
  entityState = '"s"',
): Promise<void> {
  await signal(context, instanceId, "make");
  await settleUntil(worker, instanceId, "make", entityState);
}

async function found(context: CheckContext, query = {}): Promise<(string | undefined)[]> {
  const instanceIdStartsWith = `@counter-${context.tag}@`;
  const answer = await context.client.queryEntities({ query: { instanceIdStartsWith, ...query } });
  return answer.entities.map(({ instanceId }) => instanceId);
}

export const entityChecks: readonly Check[] = [
  {
    id: "6.9/signal",
    needs: ["entities"],
    title: "a signal creates the entity, whose state can be read when it was handled",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      await signal(context, instanceId, "add", { input: "5" });
      const batch = await worker.entity(instanceId);
      expectEqual("the operations", batch.operations, ["add"]);
      expectAbsent("the state of a new entity", batch.request.entityState);
      await worker.settle(batch, { entityState: "5" });
      const read = expectPresent("the entity", await readEntity(context, instanceId));
      expectEqual("id and state", [read.instanceId, read.serializedState], [instanceId, "5"]);
      expectPresent("lastModifiedTime", read.lastModifiedTime);
      expectAbsent("lockedBy", read.lockedBy);
      const bare = expectPresent("the entity", await readEntity(context, instanceId, false));
      expectAbsent("the state that was not asked for", bare.serializedState);
    },
  },
  {
    id: "6.9/get-unknown",
    needs: ["entities"],
    title: "an unknown entity does not exist",
    async run(context) {
      expectAbsent("the entity", await readEntity(context, context.entityId("unknown")));
    },
  },
  {
    id: "6.9/malformed-id",
    needs: ["entities"],
    title: "an id that is not of the form @name@key is INVALID_ARGUMENT",
    async run(context) {
      const call = signal(context, `counter-${context.tag}`, "add");
      await context.refused(call, Code.InvalidArgument);
    },
  },
  {
    id: "6.1/identity",
    needs: ["entities"],
    title: "names are lower-cased, keys are not, and may be empty or contain @",
    async run(context) {
      const worker = context.worker();
      const id = (key: string) => `@Counter-${context.tag}@${key}`;
      for (const key of ["Key", "key", "a@b", ""]) {
        await signal(context, id(key), "add");
        const batch = await worker.entity();
        expectEqual("the id", batch.request.instanceId, context.entityId(key));
        await worker.settle(batch, { entityState: "1" });
      }
      const read = expectPresent("the entity", await readEntity(context, id("Key")));
      expectEqual("the id that is shown", read.instanceId, context.entityId("Key"));
    },
  },
  {
    id: "6.3/signals-in-order",
    needs: ["entities"],
    title: "signals of one client are handled in the order of its calls",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      const names = Array.from({ length: 10 }, (_, at) => `op${at}`);
      for (const name of names) await signal(context, instanceId, name);
      const seen: string[] = [];
      while (seen.length < names.length) {
        const batch = await worker.entity(instanceId);
        seen.push(...batch.operations);
        await worker.settle(batch, { entityState: "1" });
      }
      expectEqual("the operations", seen, names);
    },
  },
  {
    id: "6.3/scheduled-signal",
    needs: ["entities"],
    title: "a scheduled signal comes when it is due, and blocks nothing before that",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      await signal(context, instanceId, "later", { afterMs: LATER_MS });
      await signal(context, instanceId, "now");
      await settleUntil(worker, instanceId, "now", "1");
      const due = fromNow(SOON_MS);
      await signal(context, instanceId, "soon", { scheduledTime: due });
      const batch = await settleUntil(worker, instanceId, "soon", "2");
      expectEqual("the operations", batch.operations, ["soon"]);
      await expectModifiedAfter(context, instanceId, due);
    },
  },
  {
    id: "6.9/same-request-twice",
    needs: ["entities"],
    title: "a signal that is repeated with its requestId is handled once",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      const requestId = crypto.randomUUID();
      await signal(context, instanceId, "add", { requestId });
      await signal(context, instanceId, "add", { requestId });
      await signal(context, instanceId, "last");
      const seen: string[] = [];
      while (!seen.includes("last")) {
        const batch = await worker.entity(instanceId);
        seen.push(...batch.operations);
        await worker.settle(batch, { entityState: "1" });
      }
      expectEqual("the operations", seen, ["add", "last"]);
    },
  },
  {
    id: "6.9/backlog",
    needs: ["entities"],
    title: "backlogQueueSize counts what waits, not what is in flight",
    async run(context) {
      const instanceId = context.entityId();
      const worker = context.worker();
      await existing(context, worker, instanceId);
      await signal(context, instanceId, "first");
      const batch = await worker.entity(instanceId);
      await signal(context, instanceId, "second");
      await signal(context, instanceId, "third");
      const read = expectPresent("the entity", await readEntity(context, instanceId));
      expectEqual("backlogQueueSize", read.backlogQueueSize, 2);
      await worker.settle(batch, { entityState: "1" });
    },
  },
  {
    id: "6.7/deleted",
    needs: ["entities"],
    title: "an entity without state does not exist any more, and is not listed",
    async run(context) {
      const worker = context.worker();
      const instanceId = context.entityId();
      await signal(context, instanceId, "make");
      await settleUntil(worker, instanceId, "make", "1");
      await signal(context, instanceId, "delete");
      await worker.settle(await worker.entity(instanceId));
      expectAbsent("the entity", await readEntity(context, instanceId));
      expectEqual("the list", await found(context), []);
    },
  },
  {
    id: "6.9/query",
    needs: ["entities"],
    traps: ["T14"],
    title: "entities are listed by prefix in the order of their ids, page by page",
    async run(context) {
      const ids = ["a", "b", "c"].map((key) => context.entityId(key));
      const worker = context.worker();
      for (const instanceId of ids) {
        await existing(context, worker, instanceId, `"${instanceId}"`);
      }
      expectEqual("all", await found(context), ids);
      expectEqual(
        "those of a longer prefix",
        await found(context, { instanceIdStartsWith: ids[1] }),
        [ids[1]],
      );
      const query = { instanceIdStartsWith: `@counter-${context.tag}@`, includeState: true };
      const first = await context.client.queryEntities({ query: { ...query, pageSize: 2 } });
      expectEqual("the size of the first page", first.entities.length, 2);
      expectEqual("a state", first.entities[0]?.serializedState, `"${ids[0]}"`);
      const continuationToken = expectPresent("the token", first.continuationToken);
      const second = await context.client.queryEntities({ query: { ...query, continuationToken } });
      expectEqual(
        "the second page",
        second.entities.map(({ instanceId }) => instanceId),
        [ids[2]],
      );
      expectAbsent("the token of the last page", second.continuationToken);
    },
  },
  {
    id: "6.7/transient",
    needs: ["entities"],
    title: "an entity with nothing but a backlog is only listed with includeTransient",
    async run(context) {
      const instanceId = context.entityId();
      await signal(context, instanceId, "waits");
      expectEqual("without", await found(context), []);
      expectEqual("with", await found(context, { includeTransient: true }), [instanceId]);
      const worker = context.worker();
      await worker.settle(await worker.entity(instanceId));
    },
  },
  {
    id: "6.9/clean",
    needs: ["entities"],
    traps: ["T14"],
    title: "cleaning up takes one call, and has no token at the end",
    async run(context) {
      const request = { removeEmptyEntities: false, releaseOrphanedLocks: true };
      const { continuationToken } = await context.client.cleanEntityStorage(request);
      expectAbsent("the token", continuationToken);
    },
  },
  {
    id: "2.2/purge-entity",
    needs: ["entities"],
    title: "an entity can be purged by its id",
    async run(context) {
      const instanceId = context.entityId();
      await existing(context, context.worker(), instanceId);
      const request = { case: "instanceId" as const, value: instanceId };
      const { deletedInstanceCount } = await context.client.purgeInstances({ request });
      expectEqual("the number of deleted instances", deletedInstanceCount, 1);
      expectAbsent("the entity", await readEntity(context, instanceId));
    },
  },
];
