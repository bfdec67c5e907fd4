/** PROTOCOL.md 4.2: who may take an id that is taken. */
import { Code } from "@connectrpc/connect";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, failed } from "../../support/worker-actions.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";

const { RUNNING, COMPLETED, FAILED, CANCELED, TERMINATED, PENDING, SUSPENDED } =
  OrchestrationStatus;
const EVERY = [COMPLETED, FAILED, TERMINATED, CANCELED, PENDING, RUNNING, SUSPENDED];
const REFUSED_LIST = /cannot exclude 'Terminated' while also allowing reuse of running instances/i;

/** An instance that has completed with the input "old". */
async function completedInstance(context: CheckContext): Promise<string> {
  const worker = context.worker();
  const instanceId = await context.start({ input: '"old"' });
  await worker.completeNext('"old"', instanceId);
  await context.endedAs(instanceId, "COMPLETED");
  return instanceId;
}

/** An instance whose first turn is committed, and which waits. */
async function runningInstance(context: CheckContext, worker = context.worker()): Promise<string> {
  const instanceId = await context.start({ input: '"old"' });
  await worker.answer([], instanceId);
  return instanceId;
}

async function expectReplaced(context: CheckContext, instanceId: string): Promise<void> {
  const { input, output, completedTimestamp } = await context.state(instanceId);
  expectEqual("the input after the replacement", input, '"new"');
  expectEqual("the output after the replacement", output ?? "", "");
  expectEqual("the time of completion", completedTimestamp, undefined);
  await context.expectStatus(instanceId, "PENDING");
}

async function expectKept(context: CheckContext, instanceId: string): Promise<void> {
  expectEqual("the input that was kept", (await context.state(instanceId)).input, '"old"');
}

const again = (replaceableStatus: OrchestrationStatus[], legacyAction = 0) => ({
  input: '"new"',
  orchestrationIdReusePolicy: { replaceableStatus, legacyAction },
});

export const idReuseChecks: readonly Check[] = [
  {
    id: "4.2/default-replaces-finished",
    title: "without a policy a finished instance is replaced",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.start({ input: '"new"' });
      await expectReplaced(context, instanceId);
    },
  },
  {
    id: "4.2/default-refuses-live",
    title: "without a policy a live instance is refused with ALREADY_EXISTS",
    async run(context) {
      const instanceId = await runningInstance(context);
      await context.refused(context.start({ input: '"new"' }), Code.AlreadyExists);
      await expectKept(context, instanceId);
    },
  },
  {
    id: "4.2/listed-status-replaced",
    title: "an instance in a replaceable status is replaced, and history and output with it",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.start(again([COMPLETED, TERMINATED]));
      await expectReplaced(context, instanceId);
    },
  },
  {
    id: "4.2/other-status-refused",
    title: "an instance in another status is refused with ALREADY_EXISTS",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.refused(context.start(again([FAILED, TERMINATED])), Code.AlreadyExists);
      await expectKept(context, instanceId);
    },
  },
  {
    id: "4.2/empty-policy",
    title: "a policy that lists nothing refuses every existing instance",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.refused(context.start(again([])), Code.AlreadyExists);
      await expectKept(context, instanceId);
    },
  },
  {
    id: "4.2/policy-for-free-id",
    title: "no policy matters when the id is free",
    async run(context) {
      await context.start(again([RUNNING]));
      await context.expectStatus(context.id(), "PENDING");
    },
  },
  {
    id: "4.2/replace-running",
    traps: ["T43"],
    title: "a running instance is replaced when its status is listed; its turn in flight is stale",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: '"old"' });
      await worker.answer([], instanceId);
      await context.raise(instanceId, "go");
      const old = await worker.turn(instanceId);
      await context.start(again(EVERY));
      await worker.complete(old, [completed('"from the old one"')]);
      const { request } = await worker.completeNext('"done"', instanceId);
      expectThat(
        request.executionId !== old.request.executionId,
        "expected the new instance to have another executionId, but it is the old one",
      );
      expectEqual("the past events of the new instance", request.pastEvents.length, 0);
      expectEqual("the output", (await context.ended(instanceId)).output, '"done"');
    },
  },
  {
    id: "4.2/invalid-list-for-live",
    traps: ["T26"],
    title: "a list with live statuses but without TERMINATED is refused for a live instance",
    async run(context) {
      const instanceId = await runningInstance(context);
      const request = again([RUNNING, COMPLETED]);
      await context.refused(context.start(request), Code.InvalidArgument, REFUSED_LIST);
      await expectKept(context, instanceId);
    },
  },
  {
    id: "4.2/same-list-for-finished",
    traps: ["T26"],
    title: "the same list replaces a finished instance",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.start(again([COMPLETED, CANCELED, PENDING, RUNNING, SUSPENDED]));
      await expectReplaced(context, instanceId);
    },
  },
  {
    id: "4.2/same-list-not-listed",
    traps: ["T26"],
    title: "a finished instance that such a list does not name is refused with ALREADY_EXISTS",
    async run(context) {
      const instanceId = await completedInstance(context);
      const request = again([CANCELED, PENDING, RUNNING, SUSPENDED]);
      await context.refused(context.start(request), Code.AlreadyExists);
      await expectKept(context, instanceId);
    },
  },
  {
    id: "4.2/legacy-ignore",
    title: "the legacy action IGNORE answers OK and changes nothing",
    async run(context) {
      const instanceId = await completedInstance(context);
      expectEqual("the id", await context.start(again([COMPLETED], 1)), instanceId);
      await expectKept(context, instanceId);
      await context.refused(context.start(again([FAILED], 1)), Code.AlreadyExists);
    },
  },
  {
    id: "4.2/legacy-terminate",
    title: "the legacy action TERMINATE replaces",
    async run(context) {
      const instanceId = await completedInstance(context);
      await context.start(again([COMPLETED], 2));
      await expectReplaced(context, instanceId);
    },
  },
  {
    id: "4.2/waiters-stay",
    title: "who waits for a live instance waits for the one that replaces it",
    async run(context) {
      const worker = context.worker();
      const instanceId = await runningInstance(context, worker);
      const ended = context.endedAs(instanceId, "COMPLETED");
      await context.start(again(EVERY));
      await worker.completeNext('"new"', instanceId);
      expectEqual("the output that the waiter sees", (await ended).output, '"new"');
    },
  },
  {
    id: "4.2/replaced-failure-is-gone",
    title: "a replaced instance leaves no failure, custom status or history behind",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: '"old"' });
      await worker.answer([failed("bad")], instanceId, { customStatus: '"old"' });
      await context.endedAs(instanceId, "FAILED");
      await context.start({ input: '"new"' });
      const { failureDetails, customStatus } = await context.state(instanceId);
      expectEqual("failureDetails", failureDetails, undefined);
      expectEqual("the custom status", customStatus ?? "", "");
      expectEqual("the past events", (await worker.turn(instanceId)).pastEvents.length, 0);
    },
  },
];
