/** Holds, custom statuses, and what those find who watch over the hubs. */
import { expect } from "vitest";
import type { Head } from "../../../sidecar/scheduler/head.ts";
import { type ReadyItem, ReadyQueue } from "../../../sidecar/scheduler/ready-queue.ts";
import { ExpiryAction } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { SchemaMode } from "../../../sidecar/wire/gen/taskhub/v1/custom_status_pb.ts";
import { signal } from "../../scheduler/kit/entity-calls.ts";
import { hold } from "../../support/hold-calls.ts";
import { MINUTE, type TestHub } from "../../support/scheduler-harness.ts";
import { completed, createTimer, scheduleTask, startChild } from "../../support/worker-actions.ts";
import type { MetricsWorld, Provocation } from "./world.ts";

const ofHolds = /^(held_|hold|quarantined)/;

function headOf(hub: TestHub, instanceId: string): Head {
  const head = hub.hub.scanned.peek(instanceId);
  if (head === undefined) throw new Error(`${instanceId} is not in memory`);
  return head;
}

function stateOf(hub: TestHub, instanceId: string) {
  const { state } = headOf(hub, instanceId);
  if (state === undefined) throw new Error(`there is no ${instanceId}`);
  return state;
}

/** Whatever is queued meanwhile never reaches the queue: the planted bug of a dispatcher. */
async function losingOffers(kind: ReadyItem["kind"], run: () => Promise<unknown>): Promise<void> {
  const { push } = ReadyQueue.prototype;
  ReadyQueue.prototype.push = function (item) {
    if (item.kind !== kind) push.call(this, item);
  };
  try {
    await run();
  } finally {
    ReadyQueue.prototype.push = push;
  }
}

/** Instances in states that cannot be, each by the name of the invariant that it violates. */
async function breakEach({ hub }: MetricsWorld): Promise<void> {
  const worker = hub.worker();
  for (const id of ["inbox", "sequence", "index", "lease", "terminal", "links"])
    await hub.start(id);
  await worker.complete(await worker.turn("terminal"), [scheduleTask(1), completed()]);
  await worker.complete(await worker.turn("links"), [startChild(1, "child")]);
  await worker.turn("lease");
  await hub.settled();
  stateOf(hub, "inbox").bufferedEvents += 1;
  headOf(hub, "sequence").durableSequence += 1;
  stateOf(hub, "index").version = "2";
  const leased = headOf(hub, "lease");
  if (typeof leased.turn === "object") leased.turn = { ...leased.turn, token: "another" };
  stateOf(hub, "terminal").startPending = true;
  const { parent } = stateOf(hub, "child");
  if (parent !== undefined) parent.number += 1n;
}

export const ofOversight: readonly Provocation[] = [
  {
    name: "work that was stranded is counted by what it was",
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      for (const id of ["timer", "activity"]) await hub.start(id);
      const turn = await worker.turn("timer");
      await worker.complete(turn, [createTimer(1, hub.clock.in(5_000))]);
      const scheduling = await worker.turn("activity");
      await losingOffers("activity", () => worker.complete(scheduling, [scheduleTask(1)]));
      await losingOffers("turn", async () => {
        await hub.start("turn");
        await hub.settled();
      });
      await losingOffers("batch", async () => {
        await signal(hub, "@a@b", "op");
        await hub.settled();
      });
      hub.clock.forgetAlarms();
      await hub.pass(MINUTE);
      await world.scan();
      await world.scan();
      expect(await world.changed(/^stranded_instances_total$/)).toEqual({
        'stranded_instances_total{work="turn"}': 1,
        'stranded_instances_total{work="activity"}': 1,
        'stranded_instances_total{work="batch"}': 1,
        'stranded_instances_total{work="timer"}': 1,
      });
    },
  },
  {
    name: "a row that nobody stands behind is counted as stranded: of what is ready, of what is due",
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      for (const id of ["due", "ready"]) await hub.start(id);
      await worker.complete(await worker.turn("due"), [createTimer(1, hub.clock.in(5_000))]);
      await world.crash();
      await hub.pass(MINUTE);
      await world.scan();
      expect(await world.changed(/^stranded_instances_total$/)).toEqual({
        'stranded_instances_total{work="ready_row"}': 1,
        'stranded_instances_total{work="due_row"}': 1,
      });
    },
  },
  {
    name: "states that cannot be are counted by what they violate, and quarantined",
    async provoke(world) {
      await breakEach(world);
      await world.scan();
      expect(await world.changed(/^invariant_violations_total$/)).toEqual({
        'invariant_violations_total{name="inbox"}': 1,
        'invariant_violations_total{name="lease"}': 1,
        'invariant_violations_total{name="terminal"}': 1,
        'invariant_violations_total{name="links"}': 1,
        'invariant_violations_total{name="index"}': 1,
        'invariant_violations_total{name="sequence"}': 1,
      });
      const { 'quarantined_instances{task_hub="default"}': quarantined } =
        await world.changed(/^quarantined/);
      // Whatever is not finished.
      expect(quarantined).toBe(5);
    },
  },
  {
    name: "a turn that workers have lost too often is quarantined, and counted so",
    started: { deliveryLimits: { turnLossesMax: 1, activityLossesMax: undefined } },
    async provoke(world) {
      const { hub } = world;
      await hub.start("a");
      const worker = hub.worker();
      await worker.turn("a");
      hub.hubs.connectionClosed(worker.connection);
      await worker.close();
      await hub.pass(MINUTE);
      expect(await world.changed(/^(quarantined|held_instances)/)).toMatchObject({
        'quarantined_instances{task_hub="default"}': 1,
        'held_instances{hold="quarantine"}': 1,
      });
    },
  },
  {
    name: "holds are counted by name: instances, ages, the oldest, overdue, events that wait",
    async provoke(world) {
      const { hub } = world;
      for (const id of ["a", "b"]) await hub.start(id);
      await hold(hub, "a", { name: "audit" });
      const expiresAt = hub.clock.in(10 * MINUTE);
      await hold(hub, "b", { name: "audit", expiresAt, expiry: ExpiryAction.KEEP });
      for (const name of ["One", "Two", "Three"]) await hub.raise("a", name);
      await hub.pass(30 * MINUTE);
      expect(await world.changed(ofHolds)).toEqual({
        'held_instances{hold="audit"}': 2,
        'hold_oldest_seconds{hold="audit"}': 1_800,
        'holds_overdue{hold="audit"}': 1,
        'held_buffered_events{hold="audit"}': 3,
        'held_instances_by_age{hold="audit",le="3600"}': 2,
        'held_instances_by_age{hold="audit",le="21600"}': 2,
        'held_instances_by_age{hold="audit",le="86400"}': 2,
        'held_instances_by_age{hold="audit",le="604800"}': 2,
        'held_instances_by_age{hold="audit",le="2592000"}': 2,
        'held_instances_by_age{hold="audit",le="+Inf"}': 2,
      });
    },
  },
  {
    name: "custom statuses are counted: changes, bytes, sizes, violations, rejections",
    async provoke(world) {
      const { hub, v1 } = world;
      const schema = '{"type":"number"}';
      await v1.putCustomStatusSchema({ name: "Warned", schema, mode: SchemaMode.WARN });
      await v1.putCustomStatusSchema({ name: "Refused", schema, mode: SchemaMode.REJECT });
      const worker = hub.worker();
      for (const name of ["Warned", "Refused"]) {
        await hub.start(name, { name });
        await worker.complete(await worker.turn(name), [], { customStatus: '"text"' });
      }
      expect(await world.changed(/^custom_status_.*(total|size)$/)).toMatchObject({
        'custom_status_updates_total{name="Warned"}': 1,
        'custom_status_bytes_total{name="Warned"}': 6,
        'custom_status_updates_by_size{name="Warned",le="256"}': 1,
        'custom_status_violations_total{name="Warned"}': 1,
        'custom_status_rejected_total{name="Refused"}': 1,
      });
    },
  },
  {
    name: "custom statuses that are dropped because they are too large are counted",
    started: {
      statusPolicy: { bytesMax: 10, overflow: "drop", revisionsMax: 2, revisionBytesMax: 100 },
    },
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      await hub.start("a");
      await worker.complete(await worker.turn("a"), [], { customStatus: '"more than ten"' });
      expect(await world.changed(/^custom_status_.*total$/)).toEqual({
        'custom_status_overflows_total{name="Main"}': 1,
      });
    },
  },
];
