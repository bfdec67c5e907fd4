/** Spliced work items say exactly what a general encoder would have said. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  HistoryChunkSchema,
  HistoryEventSchema,
  OrchestrationTraceContextSchema,
  type ScheduleTaskAction,
  ScheduleTaskActionSchema,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  eventRaised,
  executionResumed,
  executionSuspended,
  orchestratorStarted,
  readEvent,
  taskScheduled,
} from "../../sidecar/wire/history-event.ts";
import { delimitedFields, Splice } from "../../sidecar/wire/splice.ts";
import {
  activityWorkItem,
  healthPing,
  historyChunks,
  turnWorkItem,
} from "../../sidecar/wire/work-item-bytes.ts";
import { arbitraryMessage } from "../support/arbitrary-message.ts";

const now = timestampFromMs(1_700_000_000_123);

describe("an activity work item", () => {
  test("carries everything its TaskScheduled event says, whatever that is", async () => {
    const actions = arbitraryMessage(ScheduleTaskActionSchema, { depthMax: 3, omit: () => false });
    await fc.assert(
      fc.property(actions, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (message, taskId) => {
        const action = message as ScheduleTaskAction;
        const bytes = activityWorkItem({
          token: "token",
          instanceId: "ünï::id",
          executionId: "execution",
          taskId,
          scheduled: taskScheduled(7, now, action),
        });
        const { name, version, input, tags, parentTraceContext } = action;
        const { request, completionToken } = fromBinary(WorkItemSchema, bytes);
        expect(completionToken).toBe("token");
        expect(request.case).toBe("activityRequest");
        expect(request.value).toMatchObject({
          name,
          tags,
          taskId,
          orchestrationInstance: { instanceId: "ünï::id", executionId: "execution" },
        });
        if (request.case !== "activityRequest") return;
        expect(request.value.version).toBe(version);
        expect(request.value.input).toBe(input);
        expect(request.value.parentTraceContext).toEqual(parentTraceContext);
      }),
      { seed: 20_261_121, numRuns: 200 },
    );
  });
});

describe("a turn work item", () => {
  const contents = {
    token: "token",
    instanceId: "instance",
    executionId: "execution",
    pastEvents: [eventRaised(now, "past", "1".repeat(20_000)), executionSuspended(now, "why")],
    started: orchestratorStarted(now),
    taken: [eventRaised(now, "new", undefined), eventRaised(now, "", "")],
    traceContext: toBinary(
      OrchestrationTraceContextSchema,
      create(OrchestrationTraceContextSchema, { spanID: "span" }),
    ),
  };

  test("carries past and new events byte for byte, in order", () => {
    const { request } = fromBinary(WorkItemSchema, turnWorkItem(contents));
    if (request.case !== "orchestratorRequest") throw new Error("not a turn");
    expect(request.value.pastEvents).toEqual([readEvent(contents.pastEvents[0] as never)]);
    expect(request.value.newEvents).toEqual(
      [contents.started, ...contents.taken].map((event) => readEvent(event)),
    );
    expect(request.value.executionId).toBe("execution");
    expect(request.value.orchestrationTraceContext?.spanID).toBe("span");
  });

  test("has its entity parameters with a window of 0 s (T30)", () => {
    const { request } = fromBinary(WorkItemSchema, turnWorkItem(contents));
    if (request.case !== "orchestratorRequest") throw new Error("not a turn");
    const window = request.value.entityParameters?.entityMessageReorderWindow;
    expect(window).toMatchObject({ seconds: 0n, nanos: 0 });
  });

  test("leaves out what only readers of a history are shown", () => {
    const pastEvents = [executionSuspended(now, "a"), executionResumed(now, "b")];
    const { request } = fromBinary(WorkItemSchema, turnWorkItem({ ...contents, pastEvents }));
    if (request.case !== "orchestratorRequest") throw new Error("not a turn");
    expect(request.value.pastEvents).toEqual([]);
  });
});

describe("history chunks", () => {
  const events = Array.from({ length: 100 }, (_, index) =>
    eventRaised(now, `event ${index}`, "x".repeat(index * 10)),
  );

  test("hold all events in order, each chunk bounded", () => {
    const chunks = [...historyChunks(events, 2_000)];
    const read = chunks.flatMap((chunk) => fromBinary(HistoryChunkSchema, chunk).events);
    expect(read).toEqual(events.map((event) => fromBinary(HistoryEventSchema, event.event)));
    for (const chunk of chunks) expect(chunk.length).toBeLessThan(2_000 + 8);
  });

  test("an event above the bound is a chunk of its own; no events are no chunk", () => {
    expect([...historyChunks(events.slice(0, 3), 1)]).toHaveLength(3);
    expect([...historyChunks([], 1_000)]).toEqual([]);
  });
});

test("a health ping is an item without a token", () => {
  expect(fromBinary(WorkItemSchema, healthPing)).toMatchObject({
    request: { case: "healthPing" },
    completionToken: "",
  });
});

describe("splicing", () => {
  test("what is put in comes out", async () => {
    const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array()));
    await fc.assert(
      fc.property(parts, (fields) => {
        const splice = new Splice();
        for (const [field, bytes] of fields) splice.add(field, bytes);
        const read = Array.from(delimitedFields(splice.finish()), ([field, bytes]) => [
          field,
          Uint8Array.from(bytes),
        ]);
        expect(read).toEqual(fields);
      }),
      { seed: 20_261_121 },
    );
  });

  test("bytes that end too early are refused", () => {
    const whole = new Splice().add(1, "text").finish();
    expect(() => [...delimitedFields(whole.subarray(0, 3))]).toThrow(RangeError);
    expect(() => [...delimitedFields(Uint8Array.of(0x80))]).toThrow(RangeError);
  });
});
