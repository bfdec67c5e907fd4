/** PROTOCOL.md 6.8: entity traffic as external events, as .NET workers send it. */
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { completed, sendEvent } from "../../support/worker-actions.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { expectModifiedAfter, settleUntil, signal } from "../entity-helpers.ts";
import { eventsOf, kinds, onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const SUCCESS = { resultType: { case: "success" as const, value: { result: "[7]" } } };

/** Takes turns of the instance until an event with this name was raised, and returns its input. */
async function raisedNamed(
  worker: ConformanceWorker,
  instanceId: string,
  name: string,
): Promise<{ readonly result?: unknown; readonly failureDetails?: unknown }> {
  const { newEvents } = await worker.answer([], instanceId);
  const raised = eventsOf(newEvents, "eventRaised");
  expectEqual(
    "the names of the events raised",
    raised.map((event) => event.name.toLowerCase()),
    [name],
  );
  return JSON.parse(raised[0]?.input ?? "null");
}

function operation(context: CheckContext, op: string, more: object): string {
  return JSON.stringify({ op, parent: context.id(), ...more });
}

export const legacyEntityChecks: readonly Check[] = [
  {
    id: "6.8/signal",
    needs: ["entities"],
    title: 'the event "op" to an entity is a signal, and EventSent in history',
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const id = crypto.randomUUID();
      const data = operation(context, "add", { id, signal: true, input: "[1]" });
      await worker.answer([sendEvent(4, target, "op", data)], instanceId);
      const batch = await worker.entity(target);
      const { operation: name, input } = onlyEvent(
        batch.request.operationRequests,
        "entityOperationSignaled",
      );
      expectEqual("operation and input", [name, input], ["add", "[1]"]);
      await worker.settle(batch, { entityState: "1" });
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const sent = onlyEvent(pastEvents, "eventSent");
      expectEqual(
        "target, name and data",
        [sent.instanceId, sent.name, sent.input],
        [target, "op", data],
      );
    },
  },
  {
    id: "6.8/call",
    needs: ["entities"],
    title: "a call is answered in its own encoding, by an event that has the id as its name",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const id = crypto.randomUUID();
      await worker.answer(
        [sendEvent(1, target, "op", operation(context, "get", { id }))],
        instanceId,
      );
      await worker.settle(await worker.entity(target), { results: [SUCCESS], entityState: "1" });
      const answer = await raisedNamed(worker, instanceId, id);
      expectEqual("the result", answer.result, "[7]");
    },
  },
  {
    id: "6.8/call-fails",
    needs: ["entities"],
    title: "a failure is answered with failureDetails in the names that .NET uses",
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const id = crypto.randomUUID();
      await worker.answer(
        [sendEvent(1, target, "op", operation(context, "get", { id }))],
        instanceId,
      );
      const failureDetails = { errorType: "E", errorMessage: "bad" };
      const result = { resultType: { case: "failure" as const, value: { failureDetails } } };
      await worker.settle(await worker.entity(target), { results: [result], entityState: "1" });
      const details = (await raisedNamed(worker, instanceId, id)).failureDetails;
      expectThat(
        JSON.stringify(details ?? null).includes('"ErrorMessage":"bad"'),
        `expected failureDetails with an ErrorMessage, but got ${JSON.stringify(details)}`,
      );
    },
  },
  {
    id: "6.8/scheduled-signal",
    needs: ["entities"],
    title: 'an event "op@" with a time is a signal for that time',
    async run(context) {
      const worker = context.worker();
      const target = context.entityId();
      const instanceId = await context.start();
      const due = new Date(Date.now() + 700);
      const time = due.toISOString();
      const data = operation(context, "later", {
        id: crypto.randomUUID(),
        signal: true,
        due: time,
      });
      await worker.answer([sendEvent(1, target, `op@${time}`, data), completed("1")], instanceId);
      await settleUntil(worker, target, "later", "1");
      await expectModifiedAfter(context, target, timestampFromDate(due));
    },
  },
  {
    id: "6.8/lock",
    needs: ["entities"],
    title: 'a lock is granted by an event with the id of the section, and released by "release"',
    async run(context) {
      const worker = context.worker();
      const target = context.entityId("k");
      const instanceId = await context.start();
      const id = crypto.randomUUID();
      const lockset = [{ name: `counter-${context.tag}`, key: "k" }];
      const lock = JSON.stringify({ op: null, id, lockset, pos: 0, parent: instanceId });
      await worker.answer([sendEvent(1, target, "op", lock)], instanceId);
      const granted = await raisedNamed(worker, instanceId, id);
      expectEqual("the text of the grant", granted.result, "Lock Acquisition Completed");
      await signal(context, target, "waits");
      await context.raise(instanceId, "go");
      const release = JSON.stringify({ parent: instanceId, id });
      const turn = await worker.turn(instanceId);
      expectEqual("the new events", kinds(turn.newEvents), ["orchestratorStarted", "eventRaised"]);
      const batches = worker.received.filter(({ request }) => request.case === "entityRequestV2");
      expectEqual("the batches while it is locked", batches.length, 0);
      await worker.complete(turn, [sendEvent(2, target, "release", release)]);
      expectEqual("the operations", (await worker.entity(target)).operations, ["waits"]);
    },
  },
];
