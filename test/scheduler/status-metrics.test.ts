/** Figures of custom statuses, and the advice for those that change too often. */
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { newState } from "../../sidecar/engine/state.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { Log, LogFields } from "../../sidecar/foundation/log.ts";
import { STATUS_SIZE_BUCKETS, StatusMetrics } from "../../sidecar/scheduler/status-metrics.ts";
import { permanentFailure } from "../../sidecar/wire/failure-details.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { EntrySchema } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { Kind, Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionCompleted } from "../../sidecar/wire/history-event.ts";
import { FakeHubClock } from "../support/fake-clock.ts";

const clock = () => new FakeHubClock("2026-01-01T10:00:00Z");

test("updates and sizes are counted for each name", () => {
  const { metrics, change } = open();
  change("Order", 1n, "");
  change("Order", 1n, "a".repeat(256));
  change("Order", 2n, "ä".repeat(256));
  change("Mail", 3n, "a".repeat(65_537));
  const [, ...none] = metrics.snapshot().get("Mail")?.sizes ?? [];
  expect(none).toEqual([0, 0, 0, 0, 1]);
  expect(STATUS_SIZE_BUCKETS).toHaveLength(5);
  expect(metrics.snapshot().get("Order")).toEqual({
    updates: 3,
    bytes: 768,
    sizes: [2, 1, 0, 0, 0, 0],
    overflows: 0,
    violations: 0,
    rejected: 0,
  });
});

test("dropped, marked and rejected ones are counted; an entry about something else is not", () => {
  const { metrics, clock } = open();
  const state = instance("Order", 1n);
  const overflow = { dropped: 1n, size: 9, checksum: 0, current: true };
  metrics.note(state, create(EntrySchema, { customStatusOverflow: overflow }), clock.now());
  const ended = { ...overflow, current: false };
  metrics.note(state, create(EntrySchema, { customStatusOverflow: ended }), clock.now());
  const marked = { revision: 1n, text: "1", violation: "no" };
  metrics.note(state, create(EntrySchema, { customStatus: marked }), clock.now());
  metrics.note(state, failed("CustomStatusRejected"), clock.now());
  metrics.note(state, failed("LimitExceeded"), clock.now());
  metrics.note(state, create(EntrySchema, {}), clock.now());
  expect(metrics.snapshot().get("Order")).toMatchObject({
    updates: 1,
    overflows: 1,
    violations: 1,
    rejected: 1,
  });
});

test("names above the limit are counted together", () => {
  const { metrics, change } = open();
  for (let n = 0; n < LIMITS.customStatusMetricNamesMax + 5; n += 1) change(`n${n}`, 1n, "a");
  change("n0", 1n, "a");
  const counts = metrics.snapshot();
  expect(counts.size).toBe(LIMITS.customStatusMetricNamesMax + 1);
  expect(counts.get("other")?.updates).toBe(5);
  expect(counts.get("n0")?.updates).toBe(2);
});

test("twenty changes in ten seconds are as many as is advised; one more is warned of", () => {
  const { change, clock, warnings } = open();
  for (let n = 0; n < 20; n += 1) {
    change("Order", 1n, `${n}`);
    clock.advance(450);
  }
  expect(warnings).toEqual([]);
  change("Order", 1n, "last");
  expect(warnings).toEqual([
    {
      event: "custom_status.too_frequent",
      name: "Order",
      instanceId: "i1",
      perSecond: 2.3,
      advisedPerSecond: 2,
    },
  ]);
});

test("two changes in a second for a long time are not warned of", () => {
  const { change, clock, warnings } = open();
  for (let n = 0; n < 200; n += 1) {
    change("Order", 1n, `${n}`);
    clock.advance(500);
  }
  expect(warnings).toEqual([]);
});

test("changes of different instances are not added up", () => {
  const { change, warnings } = open();
  for (let n = 0; n < 100; n += 1) change("Order", BigInt(n), "a");
  expect(warnings).toEqual([]);
});

test("the warning comes once for a name and minute", () => {
  const { change, clock, warnings } = open();
  const burst = (name: string, number: bigint) => {
    for (let n = 0; n < 30; n += 1) change(name, number, `${n}`);
  };
  burst("Order", 1n);
  burst("Order", 2n);
  burst("Mail", 3n);
  expect(warnings.map(({ name }) => name)).toEqual(["Order", "Mail"]);
  clock.advance(60_000);
  burst("Order", 2n);
  expect(warnings.map(({ name }) => name)).toEqual(["Order", "Mail", "Order"]);
});

test("a clock that was set back begins a new window", () => {
  const { change, clock, warnings } = open();
  for (let n = 0; n < 15; n += 1) change("Order", 1n, `${n}`);
  clock.advance(-3_600_000);
  for (let n = 0; n < 15; n += 1) change("Order", 1n, `${n}`);
  expect(warnings).toEqual([]);
});

test("the instance that changed longest ago is forgotten when too many are watched", () => {
  const { change, warnings } = open();
  const fill = (from: number) => {
    for (let n = 0; n < LIMITS.customStatusRatesMax; n += 1) change("Order", BigInt(from + n), "a");
  };
  for (let n = 0; n < 15; n += 1) change("Order", 1n, `${n}`);
  fill(1_000);
  for (let n = 0; n < 15; n += 1) change("Order", 1n, `${n}`);
  expect(warnings).toEqual([]);
  // It is the one that changed last now, so that others go first.
  for (let n = 0; n < LIMITS.customStatusRatesMax - 1; n += 1)
    change("Order", BigInt(9_000 + n), "a");
  change("Order", 1n, "again");
  change("Order", 8_000n, "a");
  for (let n = 0; n < 5; n += 1) change("Order", 1n, `${n}`);
  expect(warnings).toHaveLength(1);
});

function open() {
  const hubClock = clock();
  const warnings: LogFields[] = [];
  const unexpected = () => expect.unreachable();
  const log: Log = {
    debug: unexpected,
    info: unexpected,
    error: unexpected,
    warn: (event, fields) => warnings.push({ event, ...fields }),
  };
  const metrics = new StatusMetrics(log);
  const change = (name: string, number: bigint, text: string) => {
    const customStatus = { revision: 1n, ...(text === "" ? {} : { text }) };
    metrics.note(instance(name, number), create(EntrySchema, { customStatus }), hubClock.now());
  };
  return { metrics, change, warnings, clock: hubClock };
}

function instance(name: string, number: bigint): InstanceState {
  const now = clock().now();
  return newState({
    kind: Kind.ORCHESTRATION,
    instanceId: `i${number}`,
    number,
    name,
    tags: {},
    status: Status.RUNNING,
    createdAt: now,
    updatedAt: now,
    executionId: "e",
  });
}

function failed(errorType: string) {
  const event = executionCompleted(-1, clock().now(), {
    orchestrationStatus: OrchestrationStatus.FAILED,
    failureDetails: permanentFailure(errorType, "no"),
  });
  return create(EntrySchema, { status: Status.FAILED, history: [event] });
}
