/** How large a message is known before it is made, and never told too small. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newState } from "../../sidecar/engine/state.ts";
import { beginTurn } from "../../sidecar/engine/turn/begin.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { turnFormFor } from "../../sidecar/scheduler/turn-form.ts";
import {
  activitySize,
  fitsWorker,
  messageBytesMaxOf,
  sizeClassOf,
  suitsWorker,
  turnSize,
} from "../../sidecar/scheduler/worker-fit.ts";
import { ScheduleTaskActionSchema } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Kind, Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { eventRaised, taskScheduled } from "../../sidecar/wire/history-event.ts";
import { activityWorkItem, turnWorkItem } from "../../sidecar/wire/work-item-bytes.ts";

const now = timestampFromMs(1_700_000_000_123);
const bytesMax = LIMITS.workItemBytesMax;
const inboxEvent = (size: number) => eventRaised(now, "E", "x".repeat(size));

function stateWith(past: readonly number[], inbox: readonly number[], traceBytes = 0) {
  const history = past.map(inboxEvent);
  const state = newState({
    kind: Kind.ORCHESTRATION,
    instanceId: "é".repeat(256),
    name: "Main",
    tags: {},
    status: Status.RUNNING,
    createdAt: now,
    updatedAt: now,
    executionId: "x".repeat(512),
    inbox: inbox.map(inboxEvent),
    historyEvents: history.length,
    historyBytes: history.reduce((sum, { event }) => sum + event.length, 0),
    ...(traceBytes === 0 ? {} : { traceContext: new Uint8Array(traceBytes) }),
  });
  return { state, history };
}

/** The message that a worker gets, of a form that it may get. */
function messageOf(
  { state, history }: ReturnType<typeof stateWith>,
  worker: { messageBytesMax: number; streamsHistory: boolean },
): Uint8Array | undefined {
  const form = turnFormFor({ historyFrom: 0, turnsResent: 0 }, state, worker);
  if (form.kind !== "whole" && form.kind !== "streamed") return undefined;
  const { started, taken } = beginTurn(state, now, state.sequence, form.takenBytesMax);
  return turnWorkItem({
    token: "t".repeat(64),
    instanceId: state.instanceId,
    executionId: state.executionId,
    pastEvents: form.kind === "streamed" ? undefined : history,
    started,
    taken,
    traceContext: state.traceContext,
  });
}

/** Sizes around the places where lengths take a byte more. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 16_300, max: 16_400 }),
  fc.integer({ min: 0, max: 400_000 }),
);

describe("a turn that may be handed out", () => {
  it("is never larger than its worker takes, and takes at least one event", () => {
    const past = fc.array(sizes, { maxLength: 30 });
    const inbox = fc.array(sizes, { minLength: 1, maxLength: 12 });
    const trace = fc.oneof(fc.constant(0), sizes);
    const room = fc.integer({ min: 0, max: 1_500_000 });
    const properties = fc.property(past, room, inbox, trace, fc.boolean(), (...given) => {
      const [pastSizes, left, inboxSizes, traceBytes, streamsHistory] = given;
      // A last event that leaves so much room, unless there is less already.
      const filler = bytesMax - left - pastSizes.reduce((sum, size) => sum + size, 0);
      const turn = stateWith([...pastSizes, Math.max(0, filler)], inboxSizes, traceBytes);
      const message = messageOf(turn, { messageBytesMax: bytesMax, streamsHistory });
      const { bytes } = turnSize(turn.state);
      expect(message === undefined).toBe(bytes > bytesMax && !streamsHistory);
      if (message !== undefined) expect(message.length).toBeLessThanOrEqual(bytesMax);
    });
    fc.assert(properties, { seed: 20_261_122, numRuns: 40 });
  });

  it("is told at most one percent and 8 KB larger than it is", () => {
    for (const past of [Array(30_000).fill(1), Array(2_000).fill(1_000), [1_500_000, 1_500_000]]) {
      const turn = stateWith(past, [10]);
      const worker = { messageBytesMax: Number.POSITIVE_INFINITY, streamsHistory: false };
      const { length } = messageOf(turn, worker) ?? new Uint8Array();
      const { bytes } = turnSize(turn.state);
      expect(bytes).toBeGreaterThanOrEqual(length);
      expect(bytes).toBeLessThanOrEqual(length * 1.01 + 8_192);
    }
  });

  it("that is too large without its history suits nobody, whatever they can", () => {
    const { state } = stateWith([10], [10], bytesMax);
    const streaming = { messageBytesMax: bytesMax, streamsHistory: true };
    expect(turnFormFor({ historyFrom: 0, turnsResent: 0 }, state, streaming).kind).toBe(
      "too-large",
    );
    expect(suitsWorker(streaming, turnSize(state))).toBe(false);
  });
});

describe("an activity", () => {
  it("is never larger than it is told to be, and with the largest input fits every worker", () => {
    const input = "x".repeat(LIMITS.payloadBytesMax);
    const scheduled = taskScheduled(1, now, create(ScheduleTaskActionSchema, { name: "N", input }));
    const instanceId = "é".repeat(256);
    const executionId = "x".repeat(512);
    const taskId = -1;
    const item = { token: "t".repeat(64), instanceId, executionId, taskId, scheduled };
    const { bytes } = activitySize(instanceId, scheduled.event.length);
    expect(activityWorkItem(item).length).toBeLessThanOrEqual(bytes);
    expect(fitsWorker({ messageBytesMax: bytesMax }, bytes)).toBe(true);
  });
});

describe("the largest message of a worker", () => {
  it.each([
    ["grpc-node-js/1.13.3", LIMITS.largeWorkItemBytesMax],
    ["my-app/2 grpc-node-js/1.13.3", LIMITS.largeWorkItemBytesMax],
    ["grpc-python/1.71.0 grpc-c/46.0.0 (linux; chttp2)", bytesMax],
    ["grpc-java-netty/1.68.0", bytesMax],
    ["grpc-dotnet/2.70.0 (.NET 8.0.11; CLR 8.0.11)", bytesMax],
    ["grpc-go/1.71.0", bytesMax],
    ["not-grpc-node-js/1", bytesMax],
    ["", bytesMax],
  ])("of %j is %d bytes", (library, expected) => {
    expect(messageBytesMaxOf({ library, userAgent: library })).toBe(expected);
    expect(messageBytesMaxOf({ library, userAgent: "durabletask/1" })).toBe(expected);
  });

  it("leaves room below what gRPC takes", () => {
    expect(bytesMax).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("items of one class", () => {
  it("suit the same workers", () => {
    const { largeWorkItemBytesMax: large } = LIMITS;
    const edges = [1, bytesMax, bytesMax + 1, large, large + 1];
    const sizesOf = edges.flatMap((bytes) => [
      { bytes },
      ...edges.filter((less) => less <= bytes).map((withoutHistory) => ({ bytes, withoutHistory })),
    ]);
    const workers = [bytesMax, large].flatMap((messageBytesMax) =>
      [true, false].map((streamsHistory) => ({ messageBytesMax, streamsHistory })),
    );
    const suited = new Map<string, string>();
    for (const size of sizesOf) {
      const who = workers.map((worker) => suitsWorker(worker, size)).join();
      const known = suited.get(sizeClassOf(size)) ?? who;
      expect(who).toBe(known);
      suited.set(sizeClassOf(size), known);
    }
    expect(suited.size).toBeGreaterThan(3);
  });
});
