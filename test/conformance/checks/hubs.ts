/** PROTOCOL.md 7: task hubs. */
import { Code } from "@connectrpc/connect";
import { completed, createTimer } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectAbsent, expectEqual } from "../check.ts";
import { readEntity, settleUntil, signal } from "../entity-helpers.ts";
import { fromNow } from "../events.ts";

const SOON_MS = 600;

export const hubChecks: readonly Check[] = [
  {
    id: "7/create-is-idempotent",
    needs: ["own-hub"],
    title: "creating a hub that exists changes nothing; recreating it empties it",
    async run(context) {
      const hub = context.ownHub();
      const instanceId = await hub.start();
      await hub.client.createTaskHub({});
      await hub.expectExists(instanceId, true);
      await hub.client.createTaskHub({ recreateIfExists: true });
      await hub.expectExists(instanceId, false);
    },
  },
  {
    id: "7/delete",
    needs: ["own-hub"],
    title: "a deleted hub is empty, can be deleted again, and is made anew by its next use",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      const instanceId = await hub.start();
      const turn = await worker.turn(instanceId);
      await hub.client.deleteTaskHub({});
      await hub.client.deleteTaskHub({});
      await hub.expectExists(instanceId, false);
      await worker.complete(turn, [completed('"late"')]);
      await hub.expectExists(instanceId, false);
      await hub.start({ input: '"new"' });
      expectEqual("the input", (await hub.state(instanceId)).input, '"new"');
    },
  },
  {
    id: "7/delete-ends-waits",
    needs: ["own-hub"],
    title: "calls that wait end with NOT_FOUND when the hub is deleted",
    async run(context) {
      const hub = context.ownHub();
      const instanceId = await hub.start();
      const waiting = hub.client.waitForInstanceCompletion({ instanceId }, { timeoutMs: 60_000 });
      await hub.state(instanceId);
      await hub.client.deleteTaskHub({});
      await hub.refused(waiting, Code.NotFound);
    },
  },
  {
    id: "7/delete-keeps-streams",
    needs: ["own-hub"],
    title: "open streams of work items survive the deletion of their hub",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      await worker.completeNext("1", await hub.start({ instanceId: hub.id("before") }));
      await hub.client.deleteTaskHub({});
      const instanceId = await hub.start({ instanceId: hub.id("after") });
      await worker.completeNext("2", instanceId);
      await hub.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "7/recreate-in-flight",
    needs: ["own-hub"],
    traps: ["T43"],
    title: "a turn that was in flight when its hub was recreated is stale",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      const instanceId = await hub.start();
      const turn = await worker.turn(instanceId);
      await hub.client.createTaskHub({ recreateIfExists: true });
      await worker.complete(turn, [completed('"late"')]);
      await hub.expectExists(instanceId, false);
    },
  },
  {
    id: "7/delete-work",
    needs: ["own-hub"],
    title: "timers and activities that wait are deleted with their hub",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await hub.start();
      const name = hub.name("Work");
      const actions = [task(1, { name }), task(2, { name }), createTimer(3, fromNow(SOON_MS))];
      await worker.answer(actions, instanceId);
      const running = await worker.activity();
      await hub.client.deleteTaskHub({});
      await worker.finish(running, { result: "1" });
      await hub.start({ instanceId: hub.id("after") });
      const later = [task(7, { name }), createTimer(8, fromNow(2 * SOON_MS))];
      await worker.answer(later, hub.id("after"));
      expectEqual("the next activity", (await worker.activity()).request.taskId, 7);
      const next = await worker.turn();
      expectEqual("the instance whose timer fires", next.request.instanceId, hub.id("after"));
      await hub.expectExists(instanceId, false);
    },
  },
  {
    id: "7/delete-entities",
    needs: ["entities", "own-hub"],
    title: "entities are deleted with their hub",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      const entityId = hub.entityId();
      await signal(hub, entityId, "make");
      await settleUntil(worker, entityId, "make", "1");
      await hub.client.deleteTaskHub({});
      expectAbsent("the entity", await readEntity(hub, entityId));
    },
  },
  {
    id: "7/delete-one-hub",
    needs: ["isolated-hubs"],
    title: "deleting a hub leaves others as they are",
    async run(context) {
      const [one, two] = [context.ownHub("one"), context.ownHub("two")];
      await one.start();
      await two.start();
      await one.client.deleteTaskHub({});
      await one.expectExists(one.id(), false);
      await two.expectExists(two.id(), true);
    },
  },
];
