/** PROTOCOL.md 2.2: PurgeInstances. */
import { Code } from "@connectrpc/connect";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, startChild } from "../../support/worker-actions.ts";
import { type Check, expectEqual, expectPresent } from "../check.ts";
import type { CheckContext } from "../context.ts";

const MINUTE = { seconds: 60n };

async function completedInstance(
  context: CheckContext,
  label: string,
  worker = context.worker(),
): Promise<string> {
  const instanceId = await context.start({ instanceId: context.id(label) });
  await worker.completeNext("1", instanceId);
  await context.endedAs(instanceId, "COMPLETED");
  return instanceId;
}

/** Purges one instance, and returns how many were deleted. */
async function purge(context: CheckContext, value: string, recursive = false): Promise<number> {
  const request = { case: "instanceId" as const, value };
  const answer = await context.client.purgeInstances({ request, recursive });
  expectEqual("isComplete", answer.isComplete, true);
  return answer.deletedInstanceCount;
}

/** A finished parent and its finished child. */
async function finishedTree(context: CheckContext) {
  const worker = context.worker();
  const parent = await context.start({ instanceId: context.id("parent") });
  const childId = context.id("child");
  context.remember(childId);
  await worker.answer([startChild(1, childId, context.name("Child"))], parent);
  await worker.completeNext("1", childId);
  await worker.completeNext("1", parent);
  await context.endedAs(parent, "COMPLETED");
  return { parent, childId };
}

export const purgeChecks: readonly Check[] = [
  {
    id: "2.2/purge-one",
    title: "a purged instance is gone, and its id is free",
    async run(context) {
      const instanceId = await completedInstance(context, "main");
      expectEqual("the number of deleted instances", await purge(context, instanceId), 1);
      await context.expectExists(instanceId, false);
      await context.refused(context.history(instanceId), Code.NotFound);
      await context.start({ orchestrationIdReusePolicy: {} });
      await context.expectStatus(instanceId, "PENDING");
    },
  },
  {
    id: "2.2/purge-live",
    traps: ["T45"],
    title: "a live or unknown instance is not purged: none is deleted, and the purge is complete",
    async run(context) {
      const instanceId = await context.start();
      expectEqual("of a live one", await purge(context, instanceId), 0);
      await context.expectStatus(instanceId, "PENDING");
      expectEqual("of an unknown one", await purge(context, context.id("unknown")), 0);
    },
  },
  {
    id: "2.2/purge-batch",
    traps: ["T45"],
    title: "a batch deletes the finished ones among its ids",
    async run(context) {
      const worker = context.worker();
      const ids = [
        await completedInstance(context, "a", worker),
        await completedInstance(context, "b", worker),
        await context.start({ instanceId: context.id("live") }),
        context.id("unknown"),
      ];
      const request = { case: "instanceBatch" as const, value: { instanceIds: ids } };
      const { deletedInstanceCount, isComplete } = await context.client.purgeInstances({ request });
      expectEqual("count and isComplete", [deletedInstanceCount, isComplete], [2, true]);
      await context.expectExists(context.id("live"), true);
      await context.expectExists(context.id("a"), false);
    },
  },
  {
    id: "2.2/purge-batch-limit",
    title: "a batch of more than 500 ids is INVALID_ARGUMENT",
    async run(context) {
      const instanceIds = Array.from({ length: 501 }, (_, at) => context.id(`i${at}`));
      const request = { case: "instanceBatch" as const, value: { instanceIds } };
      await context.refused(context.client.purgeInstances({ request }), Code.InvalidArgument);
    },
  },
  {
    id: "2.2/purge-recursive",
    title: "a recursive purge deletes finished children as well, and counts them",
    async run(context) {
      const { parent, childId } = await finishedTree(context);
      expectEqual("the number of deleted instances", await purge(context, parent, true), 2);
      await context.expectExists(childId, false);
    },
  },
  {
    id: "2.2/purge-not-recursive",
    title: "without recursive exactly one instance is deleted, and the child stays",
    async run(context) {
      const { parent, childId } = await finishedTree(context);
      expectEqual("the number of deleted instances", await purge(context, parent), 1);
      await context.expectExists(childId, true);
    },
  },
  {
    id: "2.2/purge-in-flight",
    traps: ["T43"],
    title: "a late completion does not bring a purged instance back",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await worker.complete(turn, [completed("1")]);
      await context.ended(instanceId);
      await purge(context, instanceId);
      await worker.complete(turn, [completed("2")]);
      await worker.complete({ ...turn, token: "" }, [completed("3")]);
      await context.expectExists(instanceId, false);
    },
  },
  {
    id: "2.2/purge-filter",
    needs: ["own-hub"],
    traps: ["T45"],
    title: "a filter purges what it matches and is finished, and skips live instances",
    async run(context) {
      const hub = context.ownHub();
      await completedInstance(hub, "a");
      const name = hub.name("Nobody");
      const terminated = await hub.start({ instanceId: hub.id("terminated"), name });
      await hub.client.terminateInstance({ instanceId: terminated });
      await hub.ended(terminated);
      await hub.start({ instanceId: hub.id("live") });
      const purgeBy = async (...runtimeStatus: OrchestrationStatus[]) => {
        const value = { runtimeStatus, timeout: MINUTE };
        const request = { case: "purgeInstanceFilter" as const, value };
        const answer = await hub.client.purgeInstances({ request });
        expectEqual("isComplete", answer.isComplete, true);
        return answer.deletedInstanceCount;
      };
      expectEqual("FAILED", await purgeBy(OrchestrationStatus.FAILED), 0);
      expectEqual("COMPLETED", await purgeBy(OrchestrationStatus.COMPLETED), 1);
      expectEqual("RUNNING", await purgeBy(OrchestrationStatus.RUNNING), 0);
      expectEqual("any", await purgeBy(), 1);
      await hub.expectExists(hub.id("live"), true);
    },
  },
  {
    id: "2.2/purge-filter-range",
    needs: ["own-hub"],
    title: "a filter purges by time of creation, its bounds included",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker();
      const instanceId = await completedInstance(hub, "main", worker);
      const other = await completedInstance(hub, "other", worker);
      const { createdTimestamp } = await hub.state(instanceId);
      const created = expectPresent("createdTimestamp", createdTimestamp);
      const value = { createdTimeFrom: created, createdTimeTo: created };
      const request = { case: "purgeInstanceFilter" as const, value };
      const answer = await hub.client.purgeInstances({ request });
      expectEqual("the number of deleted instances", answer.deletedInstanceCount, 1);
      await hub.expectExists(instanceId, false);
      await hub.expectExists(other, true);
    },
  },
  {
    id: "2.2/purge-recursive-live-child",
    traps: ["T45"],
    title: "a recursive purge leaves a child that runs",
    async run(context) {
      const worker = context.worker();
      const parent = await context.start({ instanceId: context.id("parent") });
      const childId = context.id("child");
      context.remember(childId);
      const actions = [startChild(1, childId, context.name("Child")), completed("1")];
      await worker.answer(actions, parent);
      await worker.answer([], childId);
      await context.endedAs(parent, "COMPLETED");
      expectEqual("the number of deleted instances", await purge(context, parent, true), 1);
      await context.expectStatus(childId, "RUNNING");
    },
  },
  {
    id: "2.2/purge-hint",
    title: "the hint isOrchestration, which the .NET SDK sends, changes nothing for an instance",
    async run(context) {
      const value = await completedInstance(context, "main");
      const request = { case: "instanceId" as const, value };
      const answer = await context.client.purgeInstances({ request, isOrchestration: true });
      expectEqual("the number of deleted instances", answer.deletedInstanceCount, 1);
      await context.expectExists(value, false);
    },
  },
  {
    id: "2.2/purge-timeout",
    needs: ["own-hub"],
    title: "a purge that may take no time says whether it is complete; the next one does the rest",
    async run(context) {
      const hub = context.ownHub();
      const ids = Array.from({ length: 30 }, (_, at) => hub.id(`i${at}`));
      const name = hub.name("Nobody");
      await Promise.all(ids.map((instanceId) => hub.start({ instanceId, name })));
      await Promise.all(ids.map((instanceId) => hub.client.terminateInstance({ instanceId })));
      await Promise.all(ids.map((instanceId) => hub.endedAs(instanceId, "TERMINATED")));
      const request = { case: "purgeInstanceFilter" as const, value: { timeout: { nanos: 1 } } };
      const first = await hub.client.purgeInstances({ request });
      const left = await hub.client.queryInstances({ query: {} });
      const all = first.deletedInstanceCount + left.orchestrationState.length;
      expectEqual("what was deleted and what is left", all, ids.length);
      const isComplete = left.orchestrationState.length === 0;
      expectEqual("isComplete", first.isComplete, isComplete);
      const again = { case: "purgeInstanceFilter" as const, value: { timeout: MINUTE } };
      const second = await hub.client.purgeInstances({ request: again });
      const counts = first.deletedInstanceCount + second.deletedInstanceCount;
      expectEqual("what both have deleted", [counts, second.isComplete], [ids.length, true]);
    },
  },
];
