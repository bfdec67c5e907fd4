/** What workers do with their work, and do not. */
import { expect } from "vitest";
import { signal } from "../../scheduler/kit/entity-calls.ts";
import { succeeded } from "../../support/entity-results.ts";
import { MINUTE } from "../../support/scheduler-harness.ts";
import type { Activity, Batch, ScriptedWorker, Turn } from "../../support/worker.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";
import type { MetricsWorld, Provocation } from "./world.ts";

const figures = /^(redeliveries|lease_takeovers|stale_completions)_total$/;

/** A turn of "a", an activity of "b" and a batch: one of each kind. */
interface Work {
  readonly worker: ScriptedWorker;
  readonly turn: Turn;
  readonly activity: Activity;
  readonly batch: Batch;
}

async function workOfEachKind({ hub }: MetricsWorld): Promise<Work> {
  const worker = hub.worker({ connection: "first" });
  for (const id of ["a", "b"]) await hub.start(id);
  await worker.complete(await worker.turn("b"), [scheduleTask(1)]);
  await signal(hub, "@a@b", "op");
  return {
    worker,
    turn: await worker.turn("a"),
    activity: await worker.activity("b"),
    batch: await worker.batch("@a@b"),
  };
}

/** All that is taken again by somebody else, whatever it waits for. */
async function takenAgain({ hub }: MetricsWorld): Promise<string[]> {
  const worker = hub.worker({ connection: "second" });
  await hub.pass(MINUTE);
  return (await worker.waiting()).toSorted();
}

const everything = ["activity b 1", "batch @a@b", "turn a"];

const takenOver = {
  'lease_takeovers_total{kind="turn"}': 1,
  'lease_takeovers_total{kind="activity"}': 1,
  'lease_takeovers_total{kind="batch"}': 1,
};

/** The first answer cannot be taken: a bug of ours. */
async function refusingOnce({ hub }: MetricsWorld, answer: () => Promise<unknown>): Promise<void> {
  const now = hub.clock.now.bind(hub.clock);
  hub.clock.now = () => {
    hub.clock.now = now;
    throw new Error("a bug");
  };
  await expect(answer()).rejects.toThrow("a bug");
}

export const ofWorkers: readonly Provocation[] = [
  {
    name: "work whose stream is lost is counted so, and again when another worker has it",
    async provoke(world) {
      const { worker } = await workOfEachKind(world);
      expect(await world.changed(/^(leases|worker_streams)$/)).toEqual({
        'leases{kind="turn"}': 1,
        'leases{kind="activity"}': 1,
        'leases{kind="batch"}': 1,
        'worker_streams{task_hub="default"}': 1,
      });
      world.hub.hubs.connectionClosed(worker.connection);
      await worker.close();
      const lost = {
        'redeliveries_total{kind="turn",reason="stream_lost"}': 1,
        'redeliveries_total{kind="activity",reason="stream_lost"}': 1,
        'redeliveries_total{kind="batch",reason="stream_lost"}': 1,
      };
      expect(await world.changed(figures)).toEqual(lost);
      expect(await takenAgain(world)).toEqual(everything);
      expect(await world.changed(figures)).toEqual({ ...lost, ...takenOver });
    },
  },
  {
    name: "turns and batches whose lease expires are counted so; an activity has none",
    async provoke(world) {
      await workOfEachKind(world);
      await world.hub.pass(5 * MINUTE - 1);
      expect(await world.changed(figures)).toEqual({});
      expect(await world.changed(/^lease_oldest_seconds$/)).toEqual({
        'lease_oldest_seconds{kind="turn"}': 299.999,
        'lease_oldest_seconds{kind="activity"}': 299.999,
        'lease_oldest_seconds{kind="batch"}': 299.999,
      });
      await world.hub.pass(1);
      expect(await world.changed(figures)).toMatchObject({
        'redeliveries_total{kind="turn",reason="expired"}': 1,
        'redeliveries_total{kind="batch",reason="expired"}': 1,
      });
      await takenAgain(world);
      const { 'lease_takeovers_total{kind="activity"}': _, ...others } = takenOver;
      expect(await world.changed(figures)).toEqual({
        ...others,
        'redeliveries_total{kind="turn",reason="expired"}': 1,
        'redeliveries_total{kind="batch",reason="expired"}': 1,
      });
    },
  },
  {
    name: "work that a worker gives back is counted so",
    async provoke(world) {
      const { worker, turn, activity, batch } = await workOfEachKind(world);
      for (const item of [turn, activity, batch]) worker.abandon(item);
      const abandoned = {
        'redeliveries_total{kind="turn",reason="abandoned"}': 1,
        'redeliveries_total{kind="activity",reason="abandoned"}': 1,
        'redeliveries_total{kind="batch",reason="abandoned"}': 1,
      };
      expect(await world.changed(figures)).toEqual(abandoned);
      await worker.close();
      expect(await takenAgain(world)).toEqual(everything);
      expect(await world.changed(figures)).toEqual({ ...abandoned, ...takenOver });
    },
  },
  {
    name: "an answer that cannot be taken is counted so",
    async provoke(world) {
      const { worker, turn, activity, batch } = await workOfEachKind(world);
      await refusingOnce(world, () => worker.complete(turn));
      await refusingOnce(world, () => worker.finish(activity, "1"));
      await refusingOnce(world, () => worker.answer(batch, { results: [succeeded()] }));
      expect(await world.changed(/^redeliveries_total$/)).toEqual({
        'redeliveries_total{kind="turn",reason="rejected"}': 1,
        'redeliveries_total{kind="activity",reason="rejected"}': 1,
        'redeliveries_total{kind="batch",reason="rejected"}': 1,
      });
    },
  },
  {
    name: "a worker that wants the history with its turn is counted so",
    async provoke(world) {
      const { worker, turn } = await workOfEachKind(world);
      await worker.complete(turn, [], { requiresHistory: true });
      expect(await world.changed(figures)).toEqual({
        'redeliveries_total{kind="turn",reason="needs_history"}': 1,
        'lease_takeovers_total{kind="turn"}': 1,
      });
    },
  },
  {
    name: "answers are counted, and those that are repeated as stale",
    async provoke(world) {
      const { worker, turn, activity, batch } = await workOfEachKind(world);
      for (let times = 0; times < 2; times += 1) {
        await worker.complete(turn, [completed()]);
        await worker.finish(activity, "1");
        await worker.answer(batch, { results: [succeeded()], entityState: "1" });
      }
      expect(await world.changed(/^(stale_completions|work_items_completed)_total$/)).toEqual({
        'stale_completions_total{kind="turn"}': 1,
        'stale_completions_total{kind="activity"}': 1,
        'stale_completions_total{kind="batch"}': 1,
        'work_items_completed_total{kind="turn"}': 2,
        'work_items_completed_total{kind="activity"}': 1,
        'work_items_completed_total{kind="batch"}': 1,
      });
      expect(await world.changed(/^(redeliveries|work_items_handed_out)_total$/)).toEqual({
        // The activity has woken its orchestration.
        'work_items_handed_out_total{kind="turn"}': 3,
        'work_items_handed_out_total{kind="activity"}': 1,
        'work_items_handed_out_total{kind="batch"}': 1,
      });
    },
  },
  {
    name: "work that nobody accepts is counted by name, with how long that has been so",
    async provoke(world) {
      const { hub, oversight } = world;
      oversight.start();
      hub.worker({ filters: { orchestrations: [{ name: "Main" }], activities: [] } });
      await hub.start("a", { name: "Mian" });
      await hub.pass(10_000);
      await hub.pass(20_000);
      expect(await world.changed(/^unaccepted/)).toEqual({
        'unaccepted_work_items{kind="turn",name="Mian"}': 1,
        'unaccepted_oldest_seconds{kind="turn",name="Mian"}': 20,
      });
    },
  },
  {
    name: "work that waits for a worker is counted by kind",
    async provoke(world) {
      const { worker } = await workOfEachKind(world);
      await worker.close();
      await world.hub.pass(MINUTE);
      expect(await world.changed(/^ready_work_items$/)).toEqual({
        'ready_work_items{kind="turn"}': 1,
        'ready_work_items{kind="activity"}': 1,
        'ready_work_items{kind="batch"}': 1,
      });
    },
  },
  {
    name: "instances for which memory has no room are counted",
    started: { readyBytesMax: 1, idleHeadBytesMax: 0 },
    async provoke(world) {
      for (const id of ["a", "b", "c"]) await world.hub.start(id);
      const { 'postponed_instances{task_hub="default"}': postponed } =
        await world.changed(/^postponed_instances$/);
      expect(postponed).toBeGreaterThan(0);
    },
  },
  {
    name: "instances that do not move, and those that wait for events, are counted by a pass",
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker({ turns: 1 });
      for (const id of ["waits", "has", "stuck"]) await hub.start(id);
      await worker.complete(await worker.turn("waits"));
      await worker.turn("has");
      await hub.pass(4 * MINUTE);
      await world.scan();
      expect(await world.changed(/^no_progress/)).toEqual({});
      await hub.pass(2 * MINUTE);
      await world.scan();
      expect(await world.changed(/^(no_progress|scans)/)).toEqual({
        // The one that the worker has, and the one that it would take.
        'no_progress_instances{task_hub="default"}': 2,
        'no_progress_oldest_seconds{task_hub="default"}': 360,
        scans_total: 2,
      });
      expect(await world.changed(/^waiting_for_events/)).toMatchObject({
        'waiting_for_events_instances{le="+Inf"}': 1,
      });
    },
  },
];
