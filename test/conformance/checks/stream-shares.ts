/** PROTOCOL.md 3.3: what each stream gets, by its limits and filters, and what is given back. */
import { continueAsNew, createTimer } from "../../support/worker-actions.ts";
import { nextGeneration, task } from "../actions.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import { signal } from "../entity-helpers.ts";
import { fromNow, onlyEvent } from "../events.ts";
import type { ConformanceWorker } from "../worker.ts";

const DEFAULT_LIMIT = 100;
const HOT_LOOP_MS = 2_000;
/** With a delay that grows from 0.2 s it is 4 times; without one it is hundreds of times. */
const DISPATCHES_MAX = 20;

type Kind = ConformanceWorker["received"][number]["request"]["case"];

function received(worker: ConformanceWorker, kind: Kind): number {
  return worker.received.filter(({ request }) => request.case === kind).length;
}

export const streamShareChecks: readonly Check[] = [
  {
    id: "3.3/default-limit",
    traps: ["T17"],
    title: "a stream that states no limit may have 100 turns, and 100 activities, in flight",
    async run(context) {
      const worker = context.worker();
      const ids = Array.from({ length: DEFAULT_LIMIT }, (_, at) => context.id(`i${at}`));
      await Promise.all(ids.map((instanceId) => context.start({ instanceId })));
      const turns = [];
      for (const instanceId of ids) turns.push(await worker.turn(instanceId));
      const [first] = turns;
      if (first === undefined) return;
      const name = context.name("Work");
      const tasks = ids.map((_, at) => task(at, { name }));
      await worker.complete(first, tasks);
      for (const at of ids.keys()) await worker.activity(at);
    },
  },
  {
    id: "3.3/limit-of-entities",
    needs: ["entities"],
    title: "a stream has no more batches of entities in flight than it has stated",
    async run(context) {
      const worker = context.worker({ maxConcurrentEntityWorkItems: 1 });
      const ids = [context.entityId("a"), context.entityId("b")];
      for (const instanceId of ids) await signal(context, instanceId, "op");
      for (const at of ids.keys()) {
        const batch = await worker.entity();
        const barrier = await context.start({ instanceId: context.id(`barrier${at}`) });
        await worker.completeNext("1", barrier);
        expectEqual("the batches so far", received(worker, "entityRequestV2"), at + 1);
        await worker.settle(batch, { entityState: "1" });
      }
    },
  },
  {
    id: "3.3/filter-empty-lists",
    needs: ["entities"],
    title: "an empty list of a kind in a filter means nothing of that kind",
    async run(context) {
      const { orchestrations, activities, entities } = context.filters();
      const turns = context.worker({ workItemFilters: { orchestrations } });
      const instanceId = await context.start();
      await signal(context, context.entityId(), "op");
      await turns.answer([task(1, { name: context.name("Work") })], instanceId);
      const barrier = await context.start({ instanceId: context.id("barrier") });
      await turns.completeNext("1", barrier);
      expectEqual("activities", received(turns, "activityRequest"), 0);
      expectEqual("batches", received(turns, "entityRequestV2"), 0);
      const others = context.worker({ workItemFilters: { activities, entities } });
      await others.finish(await others.activity());
      await others.settle(await others.entity(), { entityState: "1" });
      expectEqual("turns", received(others, "orchestratorRequest"), 0);
    },
  },
  {
    id: "3.3/filter-of-entities",
    needs: ["entities"],
    title: "entities go to the stream that accepts their name, in whatever case it is written",
    async run(context) {
      const entities = (label: string) => ({
        workItemFilters: { entities: [{ name: `${label}-${context.tag}` }] },
      });
      const [mine, other] = [context.entityId(), context.entityId("k", "other")];
      const worker = context.worker(entities("COUNTER"));
      await signal(context, other, "op");
      await signal(context, mine, "op");
      const batch = await worker.entity();
      expectEqual("the entity of the one", batch.request.instanceId, mine);
      const second = context.worker(entities("other"));
      expectEqual("the entity of the other", (await second.entity()).request.instanceId, other);
    },
  },
  {
    id: "3.3/filter-activity-version",
    title: "a filter with versions of activities takes those, and not what has another or none",
    async run(context) {
      const name = context.name("Work");
      const activities = [{ name, versions: ["2"] }];
      const worker = context.worker({ workItemFilters: { ...context.filters(), activities } });
      const tasks = [
        task(1, { name, version: "1" }),
        task(2, { name }),
        task(3, { name, version: "2" }),
      ];
      await worker.answer(tasks, await context.start());
      const activity = await worker.activity();
      expectEqual("the activity", activity.request.taskId, 3);
      await worker.finish(activity);
      expectEqual("the activities", received(worker, "activityRequest"), 1);
    },
  },
  {
    id: "3.3/filter-of-generation",
    title: "the version that a filter looks at is that of the current generation",
    async run(context) {
      const of = (version: string) => ({
        workItemFilters: { orchestrations: [{ name: context.name(), versions: [version] }] },
      });
      const [one, two] = [context.worker(of("1")), context.worker(of("2"))];
      const instanceId = await context.start({ version: "1" });
      await one.answer([nextGeneration({ result: "2", newVersion: "2" })], instanceId);
      const { newEvents } = await two.completeNext("1", instanceId);
      expectEqual("the version", onlyEvent(newEvents, "executionStarted").version, "2");
      expectEqual("the turns of the first", received(one, "orchestratorRequest"), 1);
    },
  },
  {
    id: "3.3/filter-empty-version",
    title: 'a version that is present and empty is the same as none: "" in a filter takes it',
    async run(context) {
      const orchestrations = [{ name: context.name(), versions: [""] }];
      const worker = context.worker({ workItemFilters: { orchestrations } });
      const instanceId = await context.start({ version: "" });
      await worker.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.3/many-streams",
    title: "50 streams may be open at once, and the last one gets work",
    async run(context) {
      const filters = context.filters();
      const workItemFilters = { ...filters, orchestrations: [{ name: context.name("Other") }] };
      for (let at = 0; at < 49; at += 1) context.worker({ workItemFilters });
      const last = context.worker();
      const instanceId = await context.start();
      await last.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "2.3/abandon-no-hot-loop",
    traps: ["T37"],
    title: "what a worker gives back again and again comes more and more slowly",
    async run(context) {
      const worker = context.worker();
      const clock = await context.start({ instanceId: context.id("clock") });
      await worker.answer([createTimer(1, fromNow(HOT_LOOP_MS))], clock);
      const instanceId = await context.start();
      let dispatches = 0;
      const giving = context.quietly(async () => {
        for (;;) {
          const { token: completionToken } = await worker.turn(instanceId);
          dispatches += 1;
          await context.client.abandonTaskOrchestratorWorkItem({ completionToken });
        }
      });
      await Promise.race([worker.turn(clock), giving]);
      expectThat(
        dispatches >= 1 && dispatches <= DISPATCHES_MAX,
        `expected at most ${DISPATCHES_MAX} dispatches in 2 s, but there were ${dispatches}`,
      );
    },
  },
  {
    id: "2.3/abandon-to-another",
    traps: ["T37"],
    title: "what a worker gives back goes to another one",
    async run(context) {
      const [main, other] = [{ name: context.name() }, { name: context.name("Other") }];
      const first = context.worker({ workItemFilters: { orchestrations: [main] } });
      const instanceId = await context.start();
      const { token: completionToken } = await first.turn(instanceId);
      const second = context.worker({ workItemFilters: { orchestrations: [main, other] } });
      // When its turn has come, the second stream is open.
      const opened = await context.start({ instanceId: context.id("opened"), ...other });
      await second.completeNext("1", opened);
      await context.client.abandonTaskOrchestratorWorkItem({ completionToken });
      await second.completeNext("1", instanceId);
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.3/generations-share",
    title: "an instance that continues as new without end does not keep others from their turns",
    async run(context) {
      const worker = context.worker();
      const loop = await context.start({ instanceId: context.id("loop") });
      const looping = context.quietly(async () => {
        for (let at = 0; ; at += 1) await worker.answer([continueAsNew(String(at))], loop);
      });
      const other = await context.start({ instanceId: context.id("other") });
      await Promise.race([worker.completeNext("1", other), looping]);
      await context.endedAs(other, "COMPLETED");
    },
  },
];
