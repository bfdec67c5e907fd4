/** PROTOCOL.md 2.2: RestartInstance. */
import { Code } from "@connectrpc/connect";
import { completed, continueAsNew, startChild } from "../../support/worker-actions.ts";
import { type Check, exactTime, expectAbsent, expectEqual, expectThat } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

export const restartChecks: readonly Check[] = [
  {
    id: "2.2/restart-unknown",
    title: "restarting an unknown instance is NOT_FOUND",
    async run(context) {
      const call = context.client.restartInstance({ instanceId: context.id("unknown") });
      await context.refused(call, Code.NotFound);
    },
  },
  {
    id: "2.2/restart-same-id",
    title: "a finished instance is restarted under its id, with name, input, version and tags",
    async run(context) {
      const worker = context.worker();
      const fields = { input: '"in"', version: "1", tags: { a: "b" } };
      const instanceId = await context.start(fields);
      const first = await worker.completeNext('"old"', instanceId);
      await context.ended(instanceId);
      const answer = await context.client.restartInstance({ instanceId });
      expectEqual("the id in the answer", answer.instanceId, instanceId);
      const { output, completedTimestamp } = await context.state(instanceId);
      expectEqual("the output", output ?? "", "");
      expectAbsent("completedTimestamp", completedTimestamp);
      const turn = await worker.turn(instanceId);
      expectThat(
        turn.request.executionId !== first.request.executionId,
        "expected another executionId, but it is the old one",
      );
      const [, started] = turn.newEvents;
      if (started?.eventType.case !== "executionStarted") {
        expectEqual("the second event", started?.eventType.case, "executionStarted");
        return;
      }
      const { name, input, version, tags } = started.eventType.value;
      expectEqual(
        "what it has",
        [name, input, version, { ...tags }],
        [context.name(), '"in"', "1", { a: "b" }],
      );
    },
  },
  {
    id: "2.2/restart-new-id",
    title: "an instance in any status is restarted under a new id, which has no parent",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: '"in"' });
      await worker.answer([], instanceId);
      const request = { instanceId, restartWithNewInstanceId: true };
      const answer = await context.client.restartInstance(request);
      context.remember(answer.instanceId);
      expectThat(answer.instanceId !== instanceId, "expected a new id, but got the same");
      const { input, parentInstanceId } = await context.state(answer.instanceId);
      expectEqual("the input", input, '"in"');
      expectEqual("the parent", parentInstanceId ?? "", "");
      await worker.completeNext('"new"', answer.instanceId);
      await context.expectStatus(instanceId, "RUNNING");
    },
  },
  {
    id: "2.2/restart-live",
    title: "restarting a live instance under its id is FAILED_PRECONDITION, also when suspended",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().answer([], instanceId);
      const running = context.client.restartInstance({ instanceId });
      await context.refused(running, Code.FailedPrecondition);
      await context.client.suspendInstance({ instanceId });
      const suspended = context.client.restartInstance({ instanceId });
      await context.refused(suspended, Code.FailedPrecondition);
    },
  },
  {
    id: "2.2/restart-finished-new-id",
    title: "a finished instance is restarted under a new id with name, version and tags, and stays",
    async run(context) {
      const worker = context.worker();
      const fields = { input: '"in"', version: "1", tags: { a: "b" } };
      const instanceId = await context.start(fields);
      await worker.completeNext('"old"', instanceId);
      await context.ended(instanceId);
      const request = { instanceId, restartWithNewInstanceId: true };
      const answer = await context.client.restartInstance(request);
      context.remember(answer.instanceId);
      const { newEvents } = await worker.turn(answer.instanceId);
      const { name, input, version, tags } = onlyEvent(newEvents, "executionStarted");
      expectEqual(
        "what it has",
        [name, input, version, { ...tags }],
        [context.name(), '"in"', "1", { a: "b" }],
      );
      expectEqual("the old output", (await context.state(instanceId)).output, '"old"');
    },
  },
  {
    id: "2.2/restart-clears",
    title: "what is restarted under its id has a new time of creation, and no status or history",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([completed('"old"')], instanceId, { customStatus: '"old"' });
      const old = await context.ended(instanceId);
      await context.client.restartInstance({ instanceId });
      const { customStatus, createdTimestamp } = await context.state(instanceId);
      expectEqual("the custom status", customStatus ?? "", "");
      expectThat(
        exactTime(createdTimestamp) !== exactTime(old.createdTimestamp),
        "expected another time of creation, but it is the old one",
      );
      const { pastEvents, newEvents } = await worker.turn(instanceId);
      expectEqual("the past events", kinds(pastEvents), []);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "executionStarted"]);
    },
  },
  {
    id: "2.2/restart-input",
    title: "the input of a restart is the one that GetInstance shows, that of the last generation",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: '"first"' });
      await worker.answer([continueAsNew('"second"')], instanceId);
      await worker.completeNext("1", instanceId);
      const { input } = await context.ended(instanceId);
      await context.client.restartInstance({ instanceId });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the input", onlyEvent(newEvents, "executionStarted").input, input);
    },
  },
  {
    id: "2.2/restart-child",
    title: "a child that is restarted has no parent any more, and does not report to it",
    async run(context) {
      const worker = context.worker();
      const parent = await context.start();
      const childId = context.id("child");
      context.remember(childId);
      await worker.answer([startChild(1, childId, context.name("Child"))], parent);
      await worker.completeNext("1", childId);
      await worker.answer([], parent);
      await context.client.restartInstance({ instanceId: childId });
      const { newEvents } = await worker.completeNext("2", childId);
      expectAbsent("the parent", onlyEvent(newEvents, "executionStarted").parentInstance);
      await context.endedAs(childId, "COMPLETED");
      await context.raise(parent, "barrier");
      const next = await worker.turn(parent);
      expectEqual("the events of the parent", kinds(next.newEvents), [
        "orchestratorStarted",
        "eventRaised",
      ]);
    },
  },
];
