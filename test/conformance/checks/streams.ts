/** PROTOCOL.md 3.3: the stream of work items, its limits and its filters. */
import {
  TaskHubSidecarService,
  WorkerCapability,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient } from "../../support/raw-client.ts";
import { completed } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import type { ConformanceWorker } from "../worker.ts";

const PING_MS = 45_000;
const UNKNOWN_CAPABILITY = 99 as WorkerCapability;

/** The instances whose turns this stream has brought. */
function turnsOf(worker: ConformanceWorker): string[] {
  return worker.received.flatMap(({ request }) =>
    request.case === "orchestratorRequest" ? [request.value.instanceId] : [],
  );
}

function activitiesOf(worker: ConformanceWorker): number[] {
  return worker.received.flatMap(({ request }) =>
    request.case === "activityRequest" ? [request.value.taskId] : [],
  );
}

export const streamChecks: readonly Check[] = [
  {
    id: "3.3/headers-at-once",
    title: "a stream begins with its headers, before there is any work",
    async run(context) {
      using client = new RawClient(context.address);
      const { getWorkItems } = TaskHubSidecarService.method;
      using items = client.serverStream(getWorkItems, { workItemFilters: context.filters() });
      context.signal.addEventListener("abort", () => items.cancel());
      await context.waits.during("the headers of GetWorkItems", items.headers);
    },
  },
  {
    id: "3.3/zero-is-not-stated",
    traps: ["T17"],
    title: "limits of 0 mean that nothing was stated: work comes",
    async run(context) {
      const worker = context.worker({
        maxConcurrentActivityWorkItems: 0,
        maxConcurrentOrchestrationWorkItems: 0,
        maxConcurrentEntityWorkItems: 0,
      });
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work") })], instanceId);
      await worker.finish(await worker.activity());
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.3/limit-of-turns",
    title: "a stream has no more turns in flight than it has stated",
    async run(context) {
      const worker = context.worker({ maxConcurrentOrchestrationWorkItems: 2 });
      for (let at = 0; at < 5; at += 1) await context.start({ instanceId: context.id(`i${at}`) });
      const held = [await worker.turn(), await worker.turn()];
      // An activity comes over the same stream: by then a third turn would have been here as well.
      const [first] = held;
      if (first !== undefined)
        await worker.complete(first, [task(1, { name: context.name("Work") })]);
      await worker.activity();
      const third = await worker.turn();
      expectEqual("the turns while two were in flight", turnsOf(worker).length, 3);
      await worker.complete(third, [completed("1")]);
    },
  },
  {
    id: "3.3/limit-of-activities",
    title: "a stream has no more activities in flight than it has stated",
    async run(context) {
      const worker = context.worker({ maxConcurrentActivityWorkItems: 1 });
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(0, { name }), task(1, { name }), task(2, { name })], instanceId);
      for (let at = 1; at <= 3; at += 1) {
        const activity = await worker.activity();
        await context.start({ instanceId: context.id(`barrier${at}`) });
        await worker.completeNext("1", context.id(`barrier${at}`));
        expectEqual("the activities so far", activitiesOf(worker).length, at);
        await worker.finish(activity);
      }
    },
  },
  {
    id: "3.3/filter-by-name",
    traps: ["T36"],
    title: "a stream gets only the names that it accepts, and what nobody accepts blocks nothing",
    async run(context) {
      const filters = context.filters();
      const only = (label: string) => ({
        ...filters,
        orchestrations: [{ name: context.name(label) }],
      });
      const main = context.worker({ workItemFilters: only("Main") });
      await context.start({ instanceId: context.id("nobody"), name: context.name("Nobody") });
      await context.start({ instanceId: context.id("other"), name: context.name("Other") });
      await context.start({ instanceId: context.id("main") });
      await main.completeNext("1", context.id("main"));
      expectEqual("the turns of the one", turnsOf(main), [context.id("main")]);
      const other = context.worker({ workItemFilters: only("Other") });
      await other.completeNext("1", context.id("other"));
      expectEqual("the turns of the other", turnsOf(other), [context.id("other")]);
      await context.expectStatus(context.id("nobody"), "PENDING");
    },
  },
  {
    id: "3.3/filter-of-activities",
    title: "activities go to the stream that accepts their name",
    async run(context) {
      const filters = context.filters();
      const only = (label: string) => ({ ...filters, activities: [{ name: context.name(label) }] });
      const work = context.worker({ workItemFilters: only("Work") });
      const other = context.worker({
        workItemFilters: { ...only("Other"), orchestrations: [] },
      });
      const instanceId = await context.start();
      const tasks = [
        task(1, { name: context.name("Work") }),
        task(2, { name: context.name("Other") }),
      ];
      await work.answer(tasks, instanceId);
      await other.finish(await other.activity());
      await work.finish(await work.activity());
      expectEqual("the activities of the one", activitiesOf(work), [1]);
      expectEqual("the activities of the other", activitiesOf(other), [2]);
      expectEqual("the turns of the other, which lists none", turnsOf(other), []);
    },
  },
  {
    id: "3.3/filter-by-version",
    title: "a filter with versions takes those, and not what has another or none",
    async run(context) {
      const versions = ["1.0", "2.0"];
      const workItemFilters = {
        ...context.filters(),
        orchestrations: [{ name: context.name(), versions }],
      };
      const worker = context.worker({ workItemFilters });
      await context.start({ instanceId: context.id("none") });
      await context.start({ instanceId: context.id("v3"), version: "3.0" });
      await context.start({ instanceId: context.id("v2"), version: "2.0" });
      await worker.completeNext("1", context.id("v2"));
      expectEqual("the turns", turnsOf(worker), [context.id("v2")]);
    },
  },
  {
    id: "3.3/filter-unversioned",
    title: 'the version "" in a filter means instances without one',
    async run(context) {
      const workItemFilters = {
        ...context.filters(),
        orchestrations: [{ name: context.name(), versions: [""] }],
      };
      const worker = context.worker({ workItemFilters });
      await context.start({ instanceId: context.id("v1"), version: "1.0" });
      await context.start({ instanceId: context.id("none") });
      await worker.completeNext("1", context.id("none"));
      expectEqual("the turns", turnsOf(worker), [context.id("none")]);
    },
  },
  {
    id: "3.3/filter-in-another-case",
    title: "names are also accepted in another case, as the .NET SDK takes them",
    async run(context) {
      const upper = context.name().toUpperCase();
      const workItemFilters = { ...context.filters(), orchestrations: [{ name: upper }] };
      const worker = context.worker({ workItemFilters });
      const instanceId = await context.start();
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.3/no-filter",
    needs: ["own-hub"],
    title: "a stream without filters gets everything",
    async run(context) {
      const hub = context.ownHub();
      const worker = hub.worker({ unfiltered: true });
      const instanceId = await hub.start({ name: hub.name("Whatever") });
      await worker.answer([task(1, { name: hub.name("Anything") })], instanceId);
      await worker.finish(await worker.activity());
      await worker.completeNext("1", instanceId);
      await hub.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.3/two-streams",
    title: "of two streams that accept the same, each item goes to exactly one",
    async run(context) {
      const workers = [context.worker(), context.worker()];
      const ids = Array.from({ length: 20 }, (_, at) => context.id(`i${at}`));
      await Promise.all(ids.map((instanceId) => context.start({ instanceId })));
      for (const worker of workers) {
        void (async () => {
          for (;;) await worker.completeNext("1");
        })().catch(() => {});
      }
      await Promise.all(ids.map((instanceId) => context.endedAs(instanceId, "COMPLETED")));
      expectEqual("all turns", workers.flatMap(turnsOf).toSorted(), ids.toSorted());
    },
  },
  {
    id: "3.3/worker-before-work",
    title: "a stream that waits gets work that comes later, and work that was there before",
    async run(context) {
      const before = await context.start({ instanceId: context.id("before") });
      const worker = context.worker();
      await worker.completeNext("1", before);
      const after = await context.start({ instanceId: context.id("after") });
      await worker.completeNext("1", after);
      await context.endedAs(after, "COMPLETED");
    },
  },
  {
    id: "3.3/unknown-capability",
    title: "capabilities that are not known are ignored",
    async run(context) {
      const capabilities = [UNKNOWN_CAPABILITY, WorkerCapability.SCHEDULED_TASKS];
      const worker = context.worker({ capabilities });
      await worker.completeNext("1", await context.start());
    },
  },
  {
    id: "3.3/health-ping",
    traps: ["T19", "T39"],
    slow: true,
    patienceMs: PING_MS,
    title: "a silent stream stays open, and gets a HealthPing within 30 s",
    async run(context) {
      const { request, completionToken } = await context.worker().ping();
      expectEqual("the item", request.case, "healthPing");
      expectEqual("its token", completionToken, "");
    },
  },
];
