/** PROTOCOL.md 6.4: batches of entities, and what becomes of their results. */
import { type Check, expectAbsent, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { settleUntil, signal } from "../entity-helpers.ts";
import { kinds, onlyEvent } from "../events.ts";

const GUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const SUCCESS = { resultType: { case: "success" as const, value: {} } };
const FAILURE = {
  resultType: {
    case: "failure" as const,
    value: { failureDetails: { errorType: "E", errorMessage: "bad" } },
  },
};

async function stateOf(context: CheckContext, instanceId: string): Promise<string | undefined> {
  const answer = await context.client.getEntity({ instanceId, includeState: true });
  return answer.entity?.serializedState;
}

/** An entity with this state, whose next batch has these operations. */
async function batchOf(context: CheckContext, entityState: string, names: readonly string[]) {
  const worker = context.worker();
  const instanceId = context.entityId();
  await signal(context, instanceId, "make");
  const making = await worker.entity(instanceId);
  for (const name of names) await signal(context, instanceId, name);
  await worker.settle(making, { entityState });
  return { worker, instanceId, batch: await worker.entity(instanceId) };
}

export const entityBatchChecks: readonly Check[] = [
  {
    id: "6.4/contents",
    needs: ["entities"],
    traps: ["T1", "T11", "T29"],
    title: "a batch is an entityRequestV2 of events with time, id -1 and a GUID, without a target",
    async run(context) {
      const { batch } = await batchOf(context, "1", ["add"]);
      const { operationRequests, entityState } = batch.request;
      expectEqual("the state", entityState, "1");
      expectEqual("the events", kinds(operationRequests), ["entityOperationSignaled"]);
      const [event] = operationRequests;
      expectEqual("the event id", event?.eventId, -1);
      expectPresent("the timestamp", event?.timestamp);
      const { requestId, targetInstanceId } = onlyEvent(
        operationRequests,
        "entityOperationSignaled",
      );
      expectThat(GUID.test(requestId), `expected a GUID as requestId, but got ${requestId}`);
      expectAbsent("targetInstanceId", targetInstanceId);
      expectThat(batch.token !== "", "expected a completion token, but it is empty");
    },
  },
  {
    id: "6.4/one-at-a-time",
    needs: ["entities"],
    title: "an entity has one batch at a time; what arrives meanwhile comes with the next",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["first"]);
      await signal(context, instanceId, "second");
      const barrier = context.entityId("barrier");
      await signal(context, barrier, "other");
      expectEqual(
        "the entity of the next batch",
        (await worker.entity()).request.instanceId,
        barrier,
      );
      await worker.settle(batch, { entityState: "2" });
      const next = await worker.entity(instanceId);
      expectEqual(
        "operations and state",
        [next.operations, next.request.entityState],
        [["second"], "2"],
      );
    },
  },
  {
    id: "6.4/fewer-results",
    needs: ["entities"],
    title: "operations without a result come again, before others",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["a", "b", "c"]);
      await signal(context, instanceId, "d");
      expectEqual("the operations", batch.operations, ["a", "b", "c"]);
      await worker.settle(batch, { results: [SUCCESS], entityState: "2" });
      const next = await worker.entity(instanceId);
      expectEqual("the operations that come again", next.operations, ["b", "c", "d"]);
    },
  },
  {
    id: "6.4/failed-operation",
    needs: ["entities"],
    title: "a failed operation does not undo the others",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["a", "b"]);
      await worker.settle(batch, { results: [FAILURE, SUCCESS], entityState: "2" });
      expectEqual("the state", await stateOf(context, instanceId), "2");
    },
  },
  {
    id: "6.4/failed-batch",
    needs: ["entities"],
    traps: ["T28"],
    title: "a batch that fails as a whole keeps the old state",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, '"old"', ["a"]);
      const failureDetails = { errorType: "E", errorMessage: "worker is broken" };
      await worker.settle(batch, { results: [], failureDetails });
      expectEqual("the state", await stateOf(context, instanceId), '"old"');
    },
  },
  {
    id: "6.4/stale-token",
    needs: ["entities"],
    traps: ["T9"],
    title: "a second completion of a batch is OK, and changes nothing",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["a"]);
      await worker.settle(batch, { entityState: "2" });
      await worker.settle(batch, { entityState: "3" });
      expectEqual("the state", await stateOf(context, instanceId), "2");
    },
  },
  {
    id: "6.4/abandoned",
    needs: ["entities"],
    traps: ["T37"],
    title: "an abandoned batch comes again with another token",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["a"]);
      await context.client.abandonTaskEntityWorkItem({ completionToken: batch.token });
      const again = await worker.entity(instanceId);
      expectEqual("the operations", again.operations, ["a"]);
      expectThat(again.token !== batch.token, "expected another token, but it is the same");
      await worker.settle(batch, { entityState: '"stale"' });
      await worker.settle(again, { entityState: "2" });
      expectEqual("the state", await stateOf(context, instanceId), "2");
    },
  },
  {
    id: "6.4/requires-state",
    needs: ["entities"],
    title: "requiresState means that nothing was done: the batch comes again with its state",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, '"kept"', ["a"]);
      await worker.settle(batch, { results: [], requiresState: true });
      const { operations, request } = await worker.entity(instanceId);
      expectEqual("operations and state", [operations, request.entityState], [["a"], '"kept"']);
    },
  },
  {
    id: "6.4/send-signal",
    needs: ["entities"],
    title: "an entity can signal another one, with a request id of its own",
    async run(context) {
      const { worker, batch } = await batchOf(context, "1", ["a"]);
      const target = context.entityId("k", "other");
      const value = { instanceId: target, name: "poke", input: "[1]" };
      const actions = [{ operationActionType: { case: "sendSignal" as const, value } }];
      await worker.settle(batch, { entityState: "1", actions });
      const { request } = await worker.entity(target);
      const event = onlyEvent(request.operationRequests, "entityOperationSignaled");
      expectEqual("operation and input", [event.operation, event.input], ["poke", "[1]"]);
      expectThat(GUID.test(event.requestId), `expected a GUID, but got ${event.requestId}`);
    },
  },
  {
    id: "6.4/start-orchestration",
    needs: ["entities"],
    title: "an entity can start an orchestration; an id that is taken is no failure",
    async run(context) {
      const { worker, instanceId, batch } = await batchOf(context, "1", ["a"]);
      const start = { instanceId: context.id(), name: context.name(), input: '"in"' };
      context.remember(start.instanceId);
      const actions = [
        { operationActionType: { case: "startNewOrchestration" as const, value: start } },
      ];
      await worker.settle(batch, { entityState: "1", actions });
      const { newEvents } = await worker.answer([], start.instanceId);
      const started = onlyEvent(newEvents, "executionStarted");
      expectEqual("input and parent", [started.input, started.parentInstance], ['"in"', undefined]);
      await signal(context, instanceId, "again");
      await worker.settle(await worker.entity(instanceId), { entityState: "2", actions });
      expectEqual("the state", await stateOf(context, instanceId), "2");
      await context.expectStatus(start.instanceId, "RUNNING");
    },
  },
  {
    id: "6.4/lost-batch",
    needs: ["entities"],
    patienceMs: 40_000,
    title: "a batch whose worker and connection are gone comes again",
    async run(context) {
      const lost = context.worker({ ownConnection: true });
      const instanceId = context.entityId();
      await signal(context, instanceId, "a");
      await lost.entity(instanceId);
      context.loseConnections();
      await settleUntil(context.worker(), instanceId, "a", "1");
      expectEqual("the state", await stateOf(context, instanceId), "1");
    },
  },
];
