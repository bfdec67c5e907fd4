/** PROTOCOL.md 6.5: what orchestrations ask of entities. */
import { completed, continueAsNew } from "../../support/worker-actions.ts";
import { callEntity, signalEntity } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

const SUCCESS = (result: string) => ({
  resultType: { case: "success" as const, value: { result } },
});

export const entityMessageChecks: readonly Check[] = [
  {
    id: "6.5/signal",
    needs: ["entities"],
    title: "an orchestration's signal reaches the entity, and is in its history with the target",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      await worker.answer([signalEntity(3, target, "add", { input: "[1]" })], instanceId);
      const batch = await worker.entity(target);
      const event = onlyEvent(batch.request.operationRequests, "entityOperationSignaled");
      expectEqual("operation and input", [event.operation, event.input], ["add", "[1]"]);
      await worker.settle(batch, { entityState: "1" });
      await context.raise(instanceId, "go");
      const { pastEvents, newEvents } = await worker.turn(instanceId);
      const sent = onlyEvent(pastEvents, "entityOperationSignaled");
      expectEqual("the target in history", sent.targetInstanceId, target);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "6.5/call",
    needs: ["entities"],
    traps: ["T1"],
    title:
      "a call names its caller and its generation, and its result comes back with its request id",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const requestId = crypto.randomUUID();
      const { request } = await worker.answer(
        [callEntity(0, target, "get", requestId)],
        instanceId,
      );
      const batch = await worker.entity(target);
      const call = onlyEvent(batch.request.operationRequests, "entityOperationCalled");
      expectEqual(
        "request id, caller and its generation",
        [call.requestId, call.parentInstanceId, call.parentExecutionId],
        [requestId, instanceId, request.executionId],
      );
      await worker.settle(batch, { results: [SUCCESS("[7]")], entityState: "1" });
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      const answer = onlyEvent(newEvents, "entityOperationCompleted");
      expectEqual("request id and output", [answer.requestId, answer.output], [requestId, "[7]"]);
      expectEqual("the event id", newEvents[1]?.eventId, -1);
      const called = pastEvents.find(({ eventType }) => eventType.case === "entityOperationCalled");
      expectEqual("the event id of the call", called?.eventId, 0);
      const { targetInstanceId } = onlyEvent(pastEvents, "entityOperationCalled");
      expectEqual("the target in history", targetInstanceId, target);
    },
  },
  {
    id: "6.5/call-fails",
    needs: ["entities"],
    title: "the failure of an operation reaches its caller",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const requestId = crypto.randomUUID();
      await worker.answer([callEntity(1, target, "get", requestId)], instanceId);
      const failureDetails = { errorType: "E", errorMessage: "bad" };
      const result = { resultType: { case: "failure" as const, value: { failureDetails } } };
      await worker.settle(await worker.entity(target), { results: [result], entityState: "1" });
      const { newEvents } = await worker.turn(instanceId);
      const event = onlyEvent(newEvents, "entityOperationFailed");
      expectEqual(
        "request id and message",
        [event.requestId, event.failureDetails?.errorMessage],
        [requestId, "bad"],
      );
    },
  },
  {
    id: "6.4/routing",
    needs: ["entities"],
    title: "a result reaches its caller also when the worker says nothing of whose it is",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      await worker.answer([callEntity(1, target, "get")], instanceId);
      const answer = { results: [SUCCESS("[7]")], operationInfos: [], entityState: "1" };
      await worker.settle(await worker.entity(target), answer);
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("output", onlyEvent(newEvents, "entityOperationCompleted").output, "[7]");
    },
  },
  {
    id: "6.5/answer-for-old-generation",
    needs: ["entities"],
    traps: ["T7", "T42"],
    title: "the answer to a call of an earlier generation does not reach the next one",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      await worker.answer([callEntity(1, target, "get")], instanceId);
      const batch = await worker.entity(target);
      await context.raise(instanceId, "go");
      await worker.answer([continueAsNew("2")], instanceId);
      await worker.answer([], instanceId);
      await worker.settle(batch, { results: [SUCCESS("1")], entityState: "1" });
      await context.raise(instanceId, "barrier");
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "6.5/signal-with-completion",
    needs: ["entities"],
    traps: ["T24"],
    title: "a signal of the turn that completes its sender is sent",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      await worker.answer([completed("1"), signalEntity(1, target, "bye")], instanceId);
      expectEqual("the operations", (await worker.entity(target)).operations, ["bye"]);
    },
  },
];
