/** PROTOCOL.md 2.2: GetInstance and the two waits. */
import { Code } from "@connectrpc/connect";
import { completed, continueAsNew, failed } from "../../support/worker-actions.ts";
import { type Check, expectAbsent, expectEqual, expectPresent } from "../check.ts";
import { statusName } from "../events.ts";

const BRIEFLY = { timeoutMs: 250 };
const LONG = { timeoutMs: 60_000 };

export const instanceChecks: readonly Check[] = [
  {
    id: "2.2/get-unknown",
    title: "GetInstance of an unknown id is OK, with exists=false and no state",
    async run(context) {
      const request = { instanceId: context.id("unknown") };
      const { exists, orchestrationState } = await context.client.getInstance(request);
      expectEqual("exists", exists, false);
      expectAbsent("the state", orchestrationState);
    },
  },
  {
    id: "2.2/get-without-payloads",
    traps: ["T16"],
    title: "without payloads, input, output, custom status and failure details are left out",
    async run(context) {
      const instanceId = await context.start({ input: "1" });
      await context.worker().answer([failed("bad")], instanceId, { customStatus: "2" });
      await context.endedAs(instanceId, "FAILED");
      const { orchestrationState: state } = await context.client.getInstance({ instanceId });
      expectAbsent("the input", state?.input);
      expectAbsent("the output", state?.output);
      expectAbsent("the custom status", state?.customStatus);
      expectAbsent("failureDetails", state?.failureDetails);
    },
  },
  {
    id: "2.2/get-failure-details",
    traps: ["T16"],
    title: "failureDetails is present when FAILED, and absent when COMPLETED",
    async run(context) {
      const worker = context.worker();
      const bad = await context.start({ instanceId: context.id("bad") });
      await worker.answer([failed("went wrong")], bad);
      const { failureDetails } = await context.endedAs(bad, "FAILED");
      expectEqual("the message", failureDetails?.errorMessage, "went wrong");
      const good = await context.start({ instanceId: context.id("good") });
      await worker.completeNext("1", good);
      expectAbsent("failureDetails", (await context.endedAs(good, "COMPLETED")).failureDetails);
    },
  },
  {
    id: "2.2/get-times",
    traps: ["T11"],
    title: "created and last updated times are always there, the time of completion at the end",
    async run(context) {
      const instanceId = await context.start();
      const pending = await context.state(instanceId);
      expectPresent("createdTimestamp of a pending instance", pending.createdTimestamp);
      expectPresent("lastUpdatedTimestamp of a pending instance", pending.lastUpdatedTimestamp);
      expectAbsent("completedTimestamp of a pending instance", pending.completedTimestamp);
      await context.worker().completeNext("1", instanceId);
      const ended = await context.ended(instanceId);
      expectPresent("lastUpdatedTimestamp at the end", ended.lastUpdatedTimestamp);
      expectPresent("completedTimestamp at the end", ended.completedTimestamp);
      expectEqual("createdTimestamp", ended.createdTimestamp, pending.createdTimestamp);
    },
  },
  {
    id: "2.2/wait-start-after-commit",
    traps: ["T8"],
    title:
      "an instance is PENDING until its first turn is committed, and the wait for its start lasts",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await context.expectStatus(instanceId, "PENDING");
      const waiting = context.client.waitForInstanceStart({ instanceId }, BRIEFLY);
      await context.refused(waiting, Code.DeadlineExceeded);
      await worker.complete(turn, [], { customStatus: '"here"' });
      const request = { instanceId, getInputsAndOutputs: true };
      const { orchestrationState } = await context.client.waitForInstanceStart(request, LONG);
      const state = expectPresent("the state", orchestrationState);
      expectEqual("the status", statusName(state.orchestrationStatus), "RUNNING");
      expectEqual("the custom status of the first turn", state.customStatus, '"here"');
    },
  },
  {
    id: "2.2/wait-start-finished",
    title: "WaitForInstanceStart returns for an instance that has ended already",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().completeNext("1", instanceId);
      await context.ended(instanceId);
      const request = { instanceId };
      const { orchestrationState } = await context.client.waitForInstanceStart(request, LONG);
      const state = expectPresent("the state", orchestrationState);
      expectEqual("the status", statusName(state.orchestrationStatus), "COMPLETED");
    },
  },
  {
    id: "2.2/wait-unknown",
    title: "a wait for an unknown id goes on until it is created and ends",
    async run(context) {
      const instanceId = context.id();
      const brief = context.client.waitForInstanceCompletion({ instanceId }, BRIEFLY);
      await context.refused(brief, Code.DeadlineExceeded);
      const started = context.client.waitForInstanceStart({ instanceId }, LONG);
      const ended = context.endedAs(instanceId, "COMPLETED");
      await context.start();
      await context.worker().completeNext("7", instanceId);
      expectEqual("the output", (await ended).output, "7");
      expectEqual("exists in the wait for the start", (await started).exists, true);
    },
  },
  {
    id: "2.2/wait-deadline",
    title: "a wait whose deadline passes ends with DEADLINE_EXCEEDED",
    async run(context) {
      const instanceId = await context.start();
      const waiting = context.client.waitForInstanceCompletion({ instanceId }, BRIEFLY);
      await context.refused(waiting, Code.DeadlineExceeded);
      await context.expectStatus(instanceId, "PENDING");
    },
  },
  {
    id: "2.2/wait-without-deadline",
    title:
      "waits without a deadline, as the JavaScript SDK makes them, last until there is an answer",
    async run(context) {
      const instanceId = await context.start();
      const started = context.client.waitForInstanceStart({ instanceId });
      const ended = context.client.waitForInstanceCompletion({ instanceId });
      await context.worker().completeNext("1", instanceId);
      expectEqual("exists", [(await started).exists, (await ended).exists], [true, true]);
    },
  },
  {
    id: "2.2/wait-abandoned",
    traps: ["T41"],
    title: "200 waits that were given up do not get in the way of the next one",
    async run(context) {
      const instanceId = await context.start();
      for (let at = 0; at < 4; at += 1) {
        const givenUp = new AbortController();
        const waits = Array.from({ length: 50 }, () =>
          context.client
            .waitForInstanceCompletion({ instanceId }, { ...LONG, signal: givenUp.signal })
            .catch(() => {}),
        );
        await context.state(instanceId);
        givenUp.abort();
        await Promise.all(waits);
      }
      const ended = context.endedAs(instanceId, "COMPLETED");
      await context.worker().completeNext("1", instanceId);
      await ended;
    },
  },
  {
    id: "2.2/wait-many",
    title: "everybody who waits is told",
    async run(context) {
      const instanceId = await context.start();
      const waits = Array.from({ length: 20 }, () => context.endedAs(instanceId, "COMPLETED"));
      await context.worker().completeNext('"all"', instanceId);
      const outputs = (await Promise.all(waits)).map(({ output }) => output);
      expectEqual("the outputs", new Set(outputs), new Set(['"all"']));
    },
  },
  {
    id: "2.2/wait-over-generations",
    title: "a wait for completion lasts over continue-as-new",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start({ input: "0" });
      const ended = context.endedAs(instanceId, "COMPLETED");
      await worker.answer([continueAsNew("1")], instanceId);
      await worker.answer([completed('"second"')], instanceId);
      expectEqual("the output", (await ended).output, '"second"');
    },
  },
  {
    id: "2.2/wait-after-purge",
    title: "a wait for the id of a purged instance is one for an unknown id",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.completeNext("1", instanceId);
      await context.ended(instanceId);
      const request = { case: "instanceId" as const, value: instanceId };
      await context.client.purgeInstances({ request });
      const waiting = context.client.waitForInstanceCompletion({ instanceId }, BRIEFLY);
      await context.refused(waiting, Code.DeadlineExceeded);
    },
  },
];
