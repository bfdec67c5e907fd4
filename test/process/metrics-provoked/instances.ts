/** What becomes of instances. */
import { expect } from "vitest";
import {
  OrchestrationStatus,
  type OrchestratorAction,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { rewind } from "../../scheduler/kit/rewinding.ts";
import { MINUTE, type TestHub } from "../../support/scheduler-harness.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  failed,
  scheduleTask,
  sendEvent,
  startChild,
} from "../../support/worker-actions.ts";
import type { Provocation } from "./world.ts";

const DAY = 24 * 60 * MINUTE;

/** One turn that ends it. */
async function finish(hub: TestHub, instanceId: string, how = completed()): Promise<void> {
  await hub.start(instanceId);
  const worker = hub.worker();
  await worker.complete(await worker.turn(instanceId), [how]);
  await worker.close();
}

function canceled() {
  const action = completed();
  if (action.orchestratorActionType.case !== "completeOrchestration") throw new Error("an end");
  action.orchestratorActionType.value.orchestrationStatus = OrchestrationStatus.CANCELED;
  return action;
}

const purged = /^instances_(removed|purged)_total$/;

export const ofInstances: readonly Provocation[] = [
  {
    name: "instances are counted as they start, children too, and as they end, by how",
    async provoke(world) {
      const { hub } = world;
      await finish(hub, "completed");
      await finish(hub, "failed", failed("it broke"));
      await finish(hub, "canceled", canceled());
      await finish(hub, "parent", startChild(1, "child"));
      await hub.terminate("child");
      expect(await world.changed(/^instances_/)).toEqual({
        instances_started_total: 5,
        'instances_finished_total{status="completed"}': 1,
        'instances_finished_total{status="failed"}': 1,
        'instances_finished_total{status="canceled"}': 1,
        'instances_finished_total{status="terminated"}': 1,
      });
    },
  },
  {
    name: "generations, rewinds and events that come are counted",
    async provoke(world) {
      const { hub } = world;
      await finish(hub, "goes on", continueAsNew("2"));
      await finish(hub, "failed", failed("it broke"));
      await rewind(hub, "failed");
      await hub.raise("goes on", "E");
      await finish(hub, "sender", sendEvent(1, "goes on", "E"));
      expect(await world.changed(/^(instances_(continued|rewound)|events_raised)/)).toEqual({
        instances_continued_total: 1,
        instances_rewound_total: 1,
        events_raised_total: 2,
      });
      expect(await world.changed(/^log_entries_total$/)).toMatchObject({
        'log_entries_total{cause="raise_event"}': 1,
        'log_entries_total{cause="rewind"}': 1,
        'log_entries_total{cause="mail"}': 1,
      });
    },
  },
  {
    name: "what a client purges is counted so",
    async provoke(world) {
      await finish(world.hub, "a");
      await world.hub.purge("a");
      expect(await world.changed(purged)).toEqual({
        instances_removed_total: 1,
        'instances_purged_total{reason="client"}': 1,
      });
    },
  },
  {
    name: "what retention purges is counted so, and how late it is before",
    started: { retention: { ages: { completed: DAY }, lowSpaceAges: {} } },
    async provoke(world) {
      const { hub } = world;
      await finish(hub, "a");
      await hub.settled();
      hub.clock.forgetAlarms();
      await hub.pass(DAY + MINUTE);
      expect(await world.changed(/^retention_overdue_seconds$/)).toEqual({
        'retention_overdue_seconds{task_hub="default"}': 60,
      });
      hub.hub.retention.look();
      await hub.pass(MINUTE);
      expect(await world.changed(purged)).toEqual({
        instances_removed_total: 1,
        'instances_purged_total{reason="retention"}': 1,
      });
    },
  },
  {
    name: "what goes for a lack of space is counted so",
    started: { retention: { ages: {}, lowSpaceAges: { completed: DAY } } },
    async provoke(world) {
      const { disk, hub } = world;
      await finish(hub, "a");
      disk.space.level = "low";
      await hub.pass(2 * DAY);
      // Low is a warning: nothing is deleted for it.
      expect(await world.changed(purged)).toEqual({});
      disk.space.level = "tight";
      await hub.pass(MINUTE);
      expect(await world.changed(purged)).toEqual({
        instances_removed_total: 1,
        'instances_purged_total{reason="space"}': 1,
      });
    },
  },
  {
    name: "starts and requests that are repeated are counted",
    async provoke(world) {
      const { compatible, v1 } = world;
      const start = { instanceId: "a", name: "Main", requestTime: { seconds: 1n } };
      for (let times = 0; times < 2; times += 1) await compatible.startInstance(start);
      const event = { instanceId: "a", name: "E", requestId: "k" };
      for (let times = 0; times < 3; times += 1) await v1.raiseEvent(event);
      expect(await world.changed(/^duplicates_dropped_total$/)).toEqual({
        'duplicates_dropped_total{what="start"}': 1,
        'duplicates_dropped_total{what="request"}': 2,
      });
    },
  },
  {
    name: "timers are counted by how late they fire",
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      await hub.start("a");
      await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(5_000))]);
      await hub.settled();
      await hub.pass(8_000);
      expect(await world.changed(/^timer_lateness_seconds_(sum|count)$/)).toEqual({
        timer_lateness_seconds_sum: 3,
        timer_lateness_seconds_count: 1,
      });
    },
  },
  {
    name: "calls that wait and watches are counted while they are there",
    async provoke(world) {
      const { compatible, hub, v1 } = world;
      await hub.start("a");
      const call = new AbortController();
      const { signal } = call;
      const waiting = compatible.waitForInstanceCompletion({ instanceId: "a" }, { signal });
      const watching = v1.watchInstance({ instanceId: "a" }, { signal })[Symbol.asyncIterator]();
      await watching.next();
      const next = watching.next();
      const there = {
        'waiters{task_hub="default"}': 2,
        'watches{task_hub="default"}': 1,
      };
      expect(await world.changed(/^(waiters|watches)$/)).toEqual(there);
      const method = "taskhub.v1.ClientService/WatchInstance";
      const open = { [`rpc_open_streams{method="${method}"}`]: 1 };
      expect(await world.changed(/^rpc_open_streams$/)).toEqual(open);
      call.abort();
      await Promise.allSettled([waiting, next]);
      expect(await world.changed(/^(waiters|watches|rpc_open_streams)$/)).toEqual({});
    },
  },
  {
    name: "calls are counted by method and status, and unary ones by how long they took",
    async provoke(world) {
      await world.compatible.startInstance({ instanceId: "a", name: "Main" });
      await expect(world.v1.getCustomStatus({ instanceId: "none" })).rejects.toThrow();
      const method = { start: "TaskHubSidecarService/StartInstance" };
      expect(await world.changed(/^rpc_(calls_total|duration_seconds_count)$/)).toEqual({
        [`rpc_calls_total{method="${method.start}",code="OK"}`]: 1,
        'rpc_calls_total{method="taskhub.v1.ClientService/GetCustomStatus",code="NOT_FOUND"}': 1,
        [`rpc_duration_seconds_count{method="${method.start}"}`]: 1,
        'rpc_duration_seconds_count{method="taskhub.v1.ClientService/GetCustomStatus"}': 1,
      });
    },
  },
  {
    name: "a history that grows long is counted and said once in a generation, by events or bytes",
    advised: { historyEvents: 5, historyBytes: 2_000 },
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      const count = async () =>
        (await world.changed(/^long_histories_total$/)).long_histories_total;
      const grow = async (instanceId: string, actions: readonly OrchestratorAction[]) => {
        await worker.complete(await worker.turn(instanceId), actions);
        await hub.raise(instanceId, "E");
      };
      const tasks = (ids: readonly number[]) => ids.map((id) => scheduleTask(id));
      await hub.start("events");
      // Two events begin the history, one of which begins every turn.
      await grow("events", tasks([1, 2, 3]));
      expect(await count()).toBeUndefined();
      await grow("events", tasks([4]));
      expect(await count()).toBe(1);
      await grow("events", tasks([5, 6, 7, 8, 9]));
      expect(await count()).toBe(1);
      await grow("events", [continueAsNew("2")]);
      await grow("events", tasks([1, 2, 3, 4]));
      expect(await count()).toBe(2);
      await hub.start("bytes", { input: JSON.stringify("x".repeat(2_500)) });
      await grow("bytes", []);
      expect(await count()).toBe(3);
      const said = world.lines.filter(({ event }) => event === "history.long");
      expect(
        said.map(({ level, fields }) => `${level} ${fields.instanceId} ${fields.generation}`),
      ).toEqual(["warn events 1", "warn events 2", "warn bytes 1"]);
    },
  },
];
