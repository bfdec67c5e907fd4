/** PROTOCOL.md 2.2: ListInstanceIds and SkipGracefulOrchestrationTerminations. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import {
  type ListInstanceIdsRequestSchema,
  OrchestrationStatus,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds, compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import { completed, startChild } from "../../support/worker-actions.ts";
import { type Check, expectAbsent, expectEqual, expectPresent, expectThat } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { kinds, onlyEvent } from "../events.ts";

type Listing = MessageInitShape<typeof ListInstanceIdsRequestSchema>;

/** All ids of this check in the list, page after page, in their order. */
async function listed(context: CheckContext, request: Listing): Promise<string[]> {
  const ids: string[] = [];
  let lastInstanceKey: string | undefined = "";
  do {
    const answer = await context.client.listInstanceIds({ ...request, lastInstanceKey });
    ids.push(...answer.instanceIds);
    lastInstanceKey = answer.lastInstanceKey;
    expectThat(lastInstanceKey !== "", "expected no key at the end, but got an empty one");
  } while (lastInstanceKey !== undefined);
  return ids.filter((id) => id.startsWith(context.tag));
}

interface Completion {
  readonly id: string;
  readonly at: Timestamp;
}

/** Completed instances, in the order of the list: by the time of completion, then by id. */
async function completedInstances(context: CheckContext, count: number): Promise<Completion[]> {
  const worker = context.worker();
  const completions: Completion[] = [];
  for (let at = 0; at < count; at += 1) {
    // The order of the ids is not that of their completion.
    const instanceId = await context.start({ instanceId: context.id(`i${count - at}`) });
    await worker.completeNext("1", instanceId);
    const { completedTimestamp } = await context.ended(instanceId);
    const time = expectPresent("completedTimestamp", completedTimestamp);
    completions.push({ id: instanceId, at: time });
  }
  return completions.toSorted(
    (left, right) => compareTimestamps(left.at, right.at) || (left.id < right.id ? -1 : 1),
  );
}

function idsOf(completions: readonly Completion[]): string[] {
  return completions.map(({ id }) => id);
}

/** Ends instances without their workers, and returns the ids that were left as they are. */
async function skip(context: CheckContext, instanceIds: string[], reason = '"skipped"') {
  const request = { instanceBatch: { instanceIds }, reason };
  const answer = await context.client.skipGracefulOrchestrationTerminations(request);
  return answer.unterminatedInstanceIds;
}

export const listChecks: readonly Check[] = [
  {
    id: "2.2/list-terminal",
    title: "the list has finished instances only, in the order of their completion, page by page",
    async run(context) {
      const completions = await completedInstances(context, 5);
      await context.start({ instanceId: context.id("live") });
      const completedTimeFrom = expectPresent("a completion", completions[0]).at;
      const ids = await listed(context, { completedTimeFrom, pageSize: 2 });
      expectEqual("the ids", ids, idsOf(completions));
    },
  },
  {
    id: "2.2/list-range",
    title: "the range of completion includes its lower bound",
    async run(context) {
      const completions = await completedInstances(context, 3);
      const completedTimeFrom = expectPresent("a completion", completions[1]).at;
      const since = completions.filter(({ at }) => compareTimestamps(at, completedTimeFrom) >= 0);
      expectEqual("the ids", await listed(context, { completedTimeFrom }), idsOf(since));
      const [first] = completions;
      const completedTimeTo = addMilliseconds(expectPresent("a completion", first).at, -1);
      const earlier = await listed(context, {
        completedTimeTo,
        completedTimeFrom: completedTimeTo,
      });
      expectEqual("the ids before the first", earlier, []);
    },
  },
  {
    id: "2.2/list-status",
    title: "the list can be restricted to some statuses",
    async run(context) {
      const completions = await completedInstances(context, 1);
      const ids = idsOf(completions);
      const completedTimeFrom = expectPresent("a completion", completions[0]).at;
      const name = context.name("Nobody");
      const terminated = await context.start({ instanceId: context.id("terminated"), name });
      await context.client.terminateInstance({ instanceId: terminated });
      await context.ended(terminated);
      const by = (...runtimeStatus: OrchestrationStatus[]) =>
        listed(context, { completedTimeFrom, runtimeStatus });
      expectEqual("TERMINATED", await by(OrchestrationStatus.TERMINATED), [terminated]);
      expectEqual("COMPLETED", await by(OrchestrationStatus.COMPLETED), ids);
      expectEqual("any", await by(), [...ids, terminated]);
    },
  },
  {
    id: "2.2/list-last-page",
    traps: ["T14"],
    needs: ["own-hub"],
    title: "a page that holds the last id has no key, also when it is full",
    async run(context) {
      const hub = context.ownHub();
      await completedInstances(hub, 2);
      const { instanceIds, lastInstanceKey } = await hub.client.listInstanceIds({ pageSize: 2 });
      expectEqual("the number of ids", instanceIds.length, 2);
      expectAbsent("the key", lastInstanceKey);
    },
  },
  {
    id: "2.2/list-broken-key",
    title: "a broken key is INVALID_ARGUMENT",
    async run(context) {
      const call = context.client.listInstanceIds({ lastInstanceKey: "broken\u0000" });
      await context.refused(call, Code.InvalidArgument);
    },
  },
  {
    id: "2.2/skip-graceful",
    title: "instances are terminated without a worker, and others are named in the answer",
    async run(context) {
      const worker = context.worker();
      const done = await context.start({ instanceId: context.id("done") });
      await worker.completeNext("1", done);
      await context.ended(done);
      const live = await context.start({ instanceId: context.id("live") });
      const turn = await worker.turn(live);
      const pending = await context.start({
        instanceId: context.id("pending"),
        name: context.name("Nobody"),
      });
      const unknown = context.id("unknown");
      const left = await skip(context, [live, done, unknown, pending]);
      expectEqual("the ids that were left", left.toSorted(), [done, unknown].toSorted());
      for (const each of [live, pending]) {
        const { output } = await context.endedAs(each, "TERMINATED");
        expectEqual("the output", output, '"skipped"');
      }
      await worker.complete(turn, [completed('"late"')]);
      await context.expectStatus(live, "TERMINATED");
      await context.expectStatus(done, "COMPLETED");
      const events = kinds(await context.history(live));
      expectEqual("the last two events", events.slice(-2), [
        "executionTerminated",
        "executionCompleted",
      ]);
    },
  },
  {
    id: "2.2/skip-graceful-child",
    title: "its children go on, and its parent is told",
    async run(context) {
      const worker = context.worker();
      const parent = await context.start();
      const [middle, leaf] = [context.id("middle"), context.id("leaf")];
      context.remember(middle, leaf);
      await worker.answer([startChild(1, middle, context.name("Child"))], parent);
      await worker.answer([startChild(1, leaf, context.name("Grandchild"))], middle);
      await worker.answer([], leaf);
      expectEqual("the ids that were left", await skip(context, [middle]), []);
      const { newEvents } = await worker.turn(parent);
      const failed = onlyEvent(newEvents, "subOrchestrationInstanceFailed");
      expectPresent("failureDetails", failed.failureDetails);
      await context.expectStatus(leaf, "RUNNING");
    },
  },
  {
    id: "2.2/skip-graceful-limit",
    title: "more than 500 ids are INVALID_ARGUMENT",
    async run(context) {
      const ids = Array.from({ length: 501 }, (_, at) => context.id(`i${at}`));
      await context.refused(skip(context, ids), Code.InvalidArgument);
    },
  },
];
