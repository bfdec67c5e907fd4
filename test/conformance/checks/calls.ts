/** PROTOCOL.md 2.2: what is left of creation, lists, queries and histories. */
import { Code } from "@connectrpc/connect";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds } from "../../../sidecar/wire/timestamp.ts";
import { completed } from "../../support/worker-actions.ts";
import { lockEntities } from "../actions.ts";
import { type Check, expectAbsent, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { allKinds, onlyEvent } from "../events.ts";

const DEFAULT_PAGE = 100;
const PAGE_PATIENCE_MS = 20_000;

/** One instance more than a page has, which nobody runs. */
async function morePending(hub: CheckContext): Promise<readonly string[]> {
  const ids = Array.from({ length: DEFAULT_PAGE + 1 }, (_, at) => hub.id(`i${at}`));
  await Promise.all(ids.map((instanceId) => hub.start({ instanceId })));
  return ids;
}

export const callChecks: readonly Check[] = [
  {
    id: "2.2/start-execution-id",
    title: "an executionId in the request does no harm: the generation has one",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ executionId: crypto.randomUUID() });
      const { request, newEvents } = await worker.answer([completed("1")], instanceId);
      expectThat(!!request.executionId, "expected executionId in the work item, but it is absent");
      const { orchestrationInstance } = onlyEvent(newEvents, "executionStarted");
      expectEqual("in the event", orchestrationInstance?.executionId, request.executionId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "2.2/wait-finished",
    title: "WaitForInstanceCompletion returns at once for an instance that has ended",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext("7", instanceId);
      await context.ended(instanceId);
      expectEqual("the output", (await context.endedAs(instanceId, "COMPLETED")).output, "7");
    },
  },
  {
    id: "2.2/query-default-page",
    patienceMs: PAGE_PATIENCE_MS,
    traps: ["T14"],
    title: "a page of no stated size, or of a negative one, has 100 instances and a token",
    async run(context) {
      await morePending(context);
      for (const maxInstanceCount of [0, -1]) {
        const query = { instanceIdPrefix: context.tag, maxInstanceCount };
        const first = await context.client.queryInstances({ query });
        expectEqual("the size of the page", first.orchestrationState.length, DEFAULT_PAGE);
        const continuationToken = expectPresent("the token", first.continuationToken);
        const rest = await context.client.queryInstances({
          query: { ...query, continuationToken },
        });
        expectEqual("the size of the last page", rest.orchestrationState.length, 1);
        expectAbsent("the token of the last page", rest.continuationToken);
      }
    },
  },
  {
    id: "2.2/query-absent",
    needs: ["own-hub"],
    title: "a request without a query finds everything",
    async run(context) {
      const hub = context.ownHub();
      await hub.start({ instanceId: hub.id("a") });
      await hub.start({ instanceId: hub.id("b") });
      const { orchestrationState: found } = await hub.client.queryInstances({});
      expectEqual("the instances", found.map(({ instanceId }) => instanceId).toSorted(), [
        hub.id("a"),
        hub.id("b"),
      ]);
    },
  },
  {
    id: "2.2/query-all-filters",
    title: "filters are all true of what is found: prefix, status and time of creation",
    async run(context) {
      const instanceId = await context.start({ instanceId: context.id("a1") });
      await context.start({ instanceId: context.id("b1") });
      const { createdTimestamp } = await context.state(instanceId);
      const created = expectPresent("createdTimestamp", createdTimestamp);
      const find = async (runtimeStatus: OrchestrationStatus, createdTimeFrom = created) => {
        const query = {
          instanceIdPrefix: context.id("a"),
          runtimeStatus: [runtimeStatus],
          createdTimeFrom,
        };
        const answer = await context.client.queryInstances({ query });
        return answer.orchestrationState.map((state) => state.instanceId);
      };
      const { PENDING, RUNNING } = OrchestrationStatus;
      expectEqual("all true", await find(PENDING), [instanceId]);
      expectEqual("another status", await find(RUNNING), []);
      expectEqual("a later time", await find(PENDING, addMilliseconds(created, 60_000)), []);
    },
  },
  {
    id: "2.2/list-default-page",
    needs: ["own-hub"],
    patienceMs: PAGE_PATIENCE_MS,
    traps: ["T14"],
    title: "a page of ids of no stated size has 100 of them and a key",
    async run(context) {
      const hub = context.ownHub();
      const ids = await morePending(hub);
      await Promise.all(ids.map((instanceId) => hub.client.terminateInstance({ instanceId })));
      await Promise.all(ids.map((instanceId) => hub.endedAs(instanceId, "TERMINATED")));
      const first = await hub.client.listInstanceIds({});
      expectEqual("the size of the page", first.instanceIds.length, DEFAULT_PAGE);
      const lastInstanceKey = expectPresent("the key", first.lastInstanceKey);
      const rest = await hub.client.listInstanceIds({ lastInstanceKey });
      const all = [...first.instanceIds, ...rest.instanceIds];
      expectEqual("the ids of both pages", all.toSorted(), ids.toSorted());
      expectAbsent("the key of the last page", rest.lastInstanceKey);
    },
  },
  {
    id: "2.2/list-upper-bound",
    title: "the range of completion includes its upper bound",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext("1", instanceId);
      const { completedTimestamp } = await context.ended(instanceId);
      const at = expectPresent("completedTimestamp", completedTimestamp);
      const request = { completedTimeFrom: at, completedTimeTo: at };
      const { instanceIds } = await context.client.listInstanceIds(request);
      expectThat(
        instanceIds.includes(instanceId),
        `expected the list to have ${instanceId}, but got ${instanceIds.join(", ")}`,
      );
    },
  },
  {
    id: "2.2/history-empty",
    title: "the history of an instance that has not begun is empty, and no failure",
    async run(context) {
      const instanceId = await context.start();
      await context.expectExists(instanceId, true);
      expectEqual("the events", allKinds(await context.history(instanceId)), []);
    },
  },
  {
    id: "2.2/skip-graceful-left",
    needs: ["entities"],
    title: "entities, and instances that hold a lock of one, are left and named in the answer",
    async run(context) {
      const worker = context.worker();
      const entityId = context.entityId();
      const holder = await context.start();
      const lock = lockEntities(1, [entityId], crypto.randomUUID(), holder);
      await worker.answer([lock], holder);
      const { newEvents } = await worker.answer([], holder);
      onlyEvent(newEvents, "entityLockGranted");
      const instanceIds = [holder, entityId];
      const answer = await context.client.skipGracefulOrchestrationTerminations({
        instanceBatch: { instanceIds },
      });
      expectEqual("those left", answer.unterminatedInstanceIds.toSorted(), instanceIds.toSorted());
      await context.expectStatus(holder, "RUNNING");
    },
  },
  {
    id: "2.2/purge-while-waited-for",
    title: "purging the live instance that somebody waits for does not end the wait",
    async run(context) {
      const instanceId = await context.start();
      const waiting = context.client.waitForInstanceCompletion({ instanceId }, { timeoutMs: 400 });
      await context.client.purgeInstances({ request: { case: "instanceId", value: instanceId } });
      await context.refused(waiting, Code.DeadlineExceeded);
      await context.expectStatus(instanceId, "PENDING");
    },
  },
];
