/** Metrics of holds and custom statuses, as a scraper reads them. */

import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { silentLog } from "../../sidecar/foundation/log.ts";
import { registerHoldMetrics, registerStatusMetrics } from "../../sidecar/process/hub-metrics.ts";
import { createMetrics, type Metrics } from "../../sidecar/process/metrics.ts";
import { wholeHub } from "../../sidecar/scheduler/boot-hold.ts";
import { HOLD_AGE_BUCKETS, holdFigures } from "../../sidecar/scheduler/hold-figures.ts";
import { StatusMetrics } from "../../sidecar/scheduler/status-metrics.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  ExpiryAction,
  HoldSchema,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { RunningSidecar } from "../support/running-app.ts";
import { parseTime } from "../support/scenario-arguments.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";

function wish(name: string, expiresAt?: string) {
  return {
    name,
    reason: undefined,
    requestedBy: "",
    resumeCondition: undefined,
    expiresAt: expiresAt === undefined ? undefined : parseTime(expiresAt),
    expiryAction: expiresAt === undefined ? ExpiryAction.UNSPECIFIED : ExpiryAction.KEEP,
    timerPolicy: TimerPolicy.KEEP,
  };
}

async function figures(hub: TestHub) {
  const { number, indexes, hubHolds, stillnesses } = hub.hub;
  return holdFigures({
    number,
    store: indexes,
    hubHolds,
    now: hub.hub.now(),
    heldBack: () => stillnesses.heldBack(),
  });
}

/** The lines of one metric, without its help. */
async function linesOf(registry: Metrics["registry"], name: string): Promise<readonly string[]> {
  const text = await registry.getSingleMetricAsString(name);
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("holds are counted by name: instances, the oldest, ages, overdue, waiting events", async () => {
  await using hub = await openHub();
  const place = (id: string, name: string, expiresAt?: string) =>
    hub.hub.suspensions.place(
      id,
      wish(name, expiresAt),
      { replace: false, ignoreFinished: false },
      noReply,
    );
  for (const id of ["a", "b", "c"]) await hub.start(id);
  await place("a", "audit");
  await hub.pass(30 * MINUTE);
  await place("b", "audit", "10:40:00");
  await place("b", "other reason");
  await hub.hub.suspensions.placeWindow(wish("window"), wholeHub, false, noReply);
  await hub.raise("b", "Hello");
  await hub.raise("c", "Hello");
  await hub.pass(30 * MINUTE);
  const found = await figures(hub);
  expect([...found.keys()].sort()).toEqual(["audit", "other reason", "window"]);
  const ages = (counts: Record<number, number>) =>
    Array.from({ length: HOLD_AGE_BUCKETS.length + 1 }, (_, bucket) => counts[bucket] ?? 0);
  expect(found.get("audit")).toEqual({
    instances: 2,
    oldestSeconds: 3_600,
    ages: ages({ 2: 2 }),
    overdue: 1,
    bufferedEvents: 1,
  });
  // Of what the window covers only "c" has work that it holds back.
  expect(found.get("window")).toMatchObject({ instances: 1, bufferedEvents: 1, overdue: 0 });
  const registry = createMetrics().registry;
  registerHoldMetrics(registry, hub.hubs, hub.steady);
  expect(await linesOf(registry, "taskhub_held_instances")).toContain(
    'taskhub_held_instances{task_hub="default",hold="audit"} 2',
  );
  expect(await linesOf(registry, "taskhub_held_instances_by_age")).toContain(
    'taskhub_held_instances_by_age{task_hub="default",hold="audit",le="3600"} 2',
  );
  await hub.hub.suspensions.release(
    "a",
    {
      names: "all",
      trees: [],
      pace: undefined,
      reason: undefined,
      requestedBy: "",
      ignoreFinished: false,
    },
    noReply,
  );
  hub.steady.advance(6_000);
  expect(await linesOf(registry, "taskhub_held_instances")).toContain(
    'taskhub_held_instances{task_hub="default",hold="audit"} 1',
  );
});

test("more than 50 names are counted together, over any number of pages", async () => {
  const rows = Array.from({ length: 2_500 }, (_, index) => ({
    time: parseTime("10:00:00"),
    number: BigInt(index),
    name: `hold ${index % 70}`,
    row: {
      hold: create(HoldSchema, { name: `hold ${index % 70}`, placedAt: parseTime("10:00:00") }),
      bufferedEvents: 2,
    },
  }));
  const found = await holdFigures({
    number: 1n,
    store: {
      readHeld: async (_hub, _range, after, limit) => {
        const from = after === undefined ? 0 : Number(after.number) + 1;
        return rows.slice(from, from + limit) as never;
      },
    },
    hubHolds: [],
    now: parseTime("10:00:01"),
    heldBack: () => expect.unreachable(),
  });
  expect(found.size).toBe(51);
  const all = [...found.values()];
  expect(all.reduce((sum, { instances }) => sum + instances, 0)).toBe(2_500);
  expect(all.reduce((sum, { bufferedEvents }) => sum + bufferedEvents, 0)).toBe(5_000);
});

test("custom statuses are counted by orchestration name", async () => {
  const registry = createMetrics().registry;
  const metrics = new StatusMetrics(silentLog);
  registerStatusMetrics(registry, metrics);
  await using hub = await openHub({ started: { statusMetrics: metrics } });
  await hub.start("a", { name: "Order" });
  const worker = hub.worker();
  await worker.complete(await worker.turn("a"), [], { customStatus: '"packing"' });
  expect(await linesOf(registry, "taskhub_custom_status_updates_total")).toEqual([
    'taskhub_custom_status_updates_total{name="Order"} 1',
  ]);
  expect(await linesOf(registry, "taskhub_custom_status_updates_by_size")).toContain(
    'taskhub_custom_status_updates_by_size{name="Order",le="256"} 1',
  );
});

test("a running sidecar shows them", async () => {
  await using sidecar = await RunningSidecar.start();
  const baseUrl = `http://${sidecar.address}`;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
  await createClient(TaskHubSidecarService, transport).startInstance({
    instanceId: "a",
    name: "Order",
  });
  const client = createClient(ClientService, transport);
  await client.suspendInstance({ instanceId: "a", name: "audit" });
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  expect(text).toContain('taskhub_held_instances{task_hub="default",hold="audit"} 1');
  expect(text).toContain("taskhub_custom_status_advised_updates_per_second 2");
});
