/** PROTOCOL.md 6.7, 6.9 and 2.2: lists of entities, purging them, and CleanEntityStorage. */
import { Code } from "@connectrpc/connect";
import { addMilliseconds, addNanoseconds } from "../../../sidecar/wire/timestamp.ts";
import { completed } from "../../support/worker-actions.ts";
import { lockEntities } from "../actions.ts";
import { type Check, expectAbsent, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { readEntity, settleUntil, signal } from "../entity-helpers.ts";
import { onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const ALL_PAGES_MAX = 50;

async function made(context: CheckContext, worker: ConformanceWorker, instanceId: string) {
  await signal(context, instanceId, "make");
  await settleUntil(worker, instanceId, "make", '"s"');
}

/** Ids of the list. */
async function found(context: CheckContext, query = {}): Promise<string[]> {
  const instanceIdStartsWith = `@counter-${context.tag}@`;
  const answer = await context.client.queryEntities({ query: { instanceIdStartsWith, ...query } });
  return answer.entities.map(({ instanceId }) => instanceId);
}

/** An instance that holds the entity, and waits. */
async function holderOf(context: CheckContext, worker: ConformanceWorker, entityId: string) {
  const instanceId = await context.start();
  const lock = lockEntities(1, [entityId], crypto.randomUUID(), instanceId);
  await worker.answer([lock], instanceId);
  const turn = await worker.turn(instanceId);
  onlyEvent(turn.newEvents, "entityLockGranted");
  return { instanceId, turn };
}

/** As the JavaScript and the .NET SDK do: again while there is a token. Returns both counts. */
async function clean(context: CheckContext, what: object): Promise<readonly [number, number]> {
  let [removed, released] = [0, 0];
  let continuationToken: string | undefined;
  let pages = 0;
  do {
    const token = continuationToken === undefined ? {} : { continuationToken };
    const answer = await context.client.cleanEntityStorage({ ...what, ...token });
    removed += answer.emptyEntitiesRemoved;
    released += answer.orphanedLocksReleased;
    continuationToken = answer.continuationToken;
    pages += 1;
    expectThat(pages < ALL_PAGES_MAX, "expected no token at the end, but they do not end");
  } while (continuationToken !== undefined);
  return [removed, released];
}

export const entityCareChecks: readonly Check[] = [
  {
    id: "6.9/clean-empty",
    needs: ["entities", "own-hub"],
    traps: ["T14"],
    title: "cleaning up removes entities that have nothing, and no others",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      const ids = ["empty", "kept", "waits"].map((key) => hub.entityId(key));
      const [empty = "", kept = "", waits = ""] = ids;
      for (const instanceId of ids) await made(hub, worker, instanceId);
      for (const instanceId of [empty, waits]) {
        await signal(hub, instanceId, "delete");
        await worker.settle(await worker.entity(instanceId));
      }
      await signal(hub, waits, "op");
      await worker.entity(waits);
      await signal(hub, waits, "waits");
      const before = await found(hub, { includeTransient: true });
      const [removed] = await clean(hub, { removeEmptyEntities: true });
      // A service may have removed it by itself, when it became empty.
      expectEqual("the number removed", removed, before.includes(empty) ? 1 : 0);
      expectEqual("what is left", await found(hub, { includeTransient: true }), [kept, waits]);
      expectEqual("removed the next time", (await clean(hub, { removeEmptyEntities: true }))[0], 0);
    },
  },
  {
    id: "6.9/clean-orphaned-lock",
    needs: ["entities"],
    title: "after cleaning up nothing is held by an instance that has ended, and what waited runs",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const { instanceId, turn } = await holderOf(context, worker, entityId);
      await signal(context, entityId, "waits");
      await worker.complete(turn, [completed("1")]);
      await context.endedAs(instanceId, "COMPLETED");
      await clean(context, { releaseOrphanedLocks: true });
      await settleUntil(worker, entityId, "waits", "1");
      const read = expectPresent("the entity", await readEntity(context, entityId));
      expectAbsent("lockedBy", read.lockedBy);
    },
  },
  {
    id: "6.9/clean-held-lock",
    needs: ["entities"],
    title: "cleaning up does not release the lock of an instance that lives, nor remove its entity",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const { instanceId } = await holderOf(context, worker, entityId);
      await clean(context, { releaseOrphanedLocks: true, removeEmptyEntities: true });
      const query = { instanceIdStartsWith: entityId, includeTransient: true };
      const { entities } = await context.client.queryEntities({ query });
      expectEqual("lockedBy", entities[0]?.lockedBy, instanceId);
    },
  },
  {
    id: "6.7/transient-lock",
    needs: ["entities"],
    title: "an entity with nothing but a lock is only listed with includeTransient",
    async run(context) {
      const entityId = context.entityId();
      await holderOf(context, context.worker(), entityId);
      expectEqual("without", await found(context), []);
      expectEqual("with", await found(context, { includeTransient: true }), [entityId]);
      expectAbsent("the entity", await readEntity(context, entityId));
    },
  },
  {
    id: "6.9/query-modified",
    needs: ["entities"],
    title: "entities are listed by the time of their last change, its lower bound included",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      await made(context, worker, entityId);
      const read = expectPresent("the entity", await readEntity(context, entityId));
      const at = expectPresent("lastModifiedTime", read.lastModifiedTime);
      expectEqual("from then on", await found(context, { lastModifiedFrom: at }), [entityId]);
      const later = { lastModifiedFrom: addMilliseconds(at, 60_000) };
      expectEqual("from later on", await found(context, later), []);
      const earlier = { lastModifiedTo: addNanoseconds(at, -1n) };
      expectEqual("up to before", await found(context, earlier), []);
    },
  },
  {
    id: "6.9/query-prefix-forms",
    needs: ["entities"],
    title: "a prefix without @, or with a name in another case, finds the same; an empty one all",
    async run(context) {
      const entityId = context.entityId();
      await made(context, context.worker(), entityId);
      const name = `counter-${context.tag}`;
      for (const instanceIdStartsWith of [name, `@${name.toUpperCase()}@`, `@${name}@k`]) {
        expectEqual(instanceIdStartsWith, await found(context, { instanceIdStartsWith }), [
          entityId,
        ]);
      }
      const all = await found(context, { instanceIdStartsWith: "" });
      expectThat(all.length > 0, "expected entities without a prefix, but there are none");
    },
  },
  {
    id: "6.9/query-broken-token",
    needs: ["entities"],
    title: "a broken token of the list of entities is INVALID_ARGUMENT",
    async run(context) {
      const call = found(context, { continuationToken: "broken" });
      await context.refused(call, Code.InvalidArgument);
    },
  },
  {
    id: "6.9/query-last-page",
    needs: ["entities"],
    traps: ["T14"],
    title:
      "a page that holds the last entity has no token, also when it is full; an empty one begins",
    async run(context) {
      const worker = context.worker();
      for (const key of ["a", "b"]) await made(context, worker, context.entityId(key));
      const query = {
        instanceIdStartsWith: `@counter-${context.tag}@`,
        pageSize: 2,
        continuationToken: "",
      };
      const page = await context.client.queryEntities({ query });
      expectEqual("the number of entities", page.entities.length, 2);
      expectAbsent("the token", page.continuationToken);
    },
  },
  {
    id: "6.9/malformed-id-of-reads",
    needs: ["entities"],
    title: "reading an id that is not of the form @name@key is INVALID_ARGUMENT",
    async run(context) {
      const call = context.client.getEntity({ instanceId: `counter-${context.tag}` });
      await context.refused(call, Code.InvalidArgument);
    },
  },
  {
    id: "2.2/purge-entity-backlog",
    needs: ["entities"],
    title: "what waits for a purged entity, and its lock, are purged with it",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      await made(context, worker, entityId);
      await holderOf(context, worker, entityId);
      await signal(context, entityId, "waits");
      const request = { case: "instanceId" as const, value: entityId };
      const { deletedInstanceCount } = await context.client.purgeInstances({ request });
      expectEqual("the number deleted", deletedInstanceCount, 1);
      await signal(context, entityId, "after");
      const batch = await worker.entity(entityId);
      expectEqual("the operations", batch.operations, ["after"]);
      expectAbsent("the state", batch.request.entityState);
    },
  },
];
