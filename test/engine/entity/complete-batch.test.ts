/** What becomes of a worker's answer to a batch. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type BatchAnswer, shouldRetry } from "../../../sidecar/engine/entity/complete-batch.ts";
import { decideTurnReturned } from "../../../sidecar/engine/turn/lost.ts";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { failureDetails } from "../../../sidecar/wire/failure-details.ts";
import {
  type OperationAction,
  OperationActionSchema,
  OperationResultSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { DeliveryOutcome } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import { EntityBench, failed, sender, succeeded } from "../../support/entity-bench.ts";
import { parseTime } from "../../support/scenario-arguments.ts";
import { ScenarioWorld } from "../../support/scenario-world.ts";

const id = "@counter@a";
const target = "@counter@b";
const order = sender("order");
const overLimit = "a".repeat(LIMITS.payloadBytesMax + 1);

type ActionInit = NonNullable<
  MessageInitShape<typeof OperationActionSchema>["operationActionType"]
>;

function action(operationActionType: ActionInit): OperationAction {
  return create(OperationActionSchema, { operationActionType });
}

function signalTo(instanceId: string, name = "add", more = {}): OperationAction {
  return action({ case: "sendSignal", value: { instanceId, name, ...more } });
}

function start(name: string, more = {}): OperationAction {
  return action({ case: "startNewOrchestration", value: { name, ...more } });
}

function withCalls(...operations: readonly string[]): EntityBench {
  const bench = new EntityBench();
  for (const operation of operations) bench.call(id, order, operation);
  return bench;
}

describe("results", () => {
  test("go to callers by position; those of signals to nobody", () => {
    const bench = withCalls("one");
    bench.signal(id, "signal");
    bench.call(id, order, "two");
    bench.call(id, order, "three");
    const results = [succeeded("1"), failed("Broken", "pipe"), succeeded(), failed("Odd", "one")];
    bench.commit(id, { results, text: "4" });
    expect(bench.mail(id)).toEqual([
      'to order: completed call-one "1"',
      "to order: completed call-two undefined",
      "to order: failed call-three Odd: one",
    ]);
    expect(bench.queue(id)).toEqual([]);
    expect(bench.state(id).entity.text).toBe("4");
    const [answer] = bench.state(id).outbox;
    expect(answer?.body.value).toMatchObject({ caller: { executionId: "order-1" }, lockSet: [] });
  });

  test("are events of no action, with a time", () => {
    const bench = withCalls("one", "two");
    bench.commit(id, { results: [succeeded("1"), failed("Broken", "pipe")] });
    for (const { body } of bench.state(id).outbox) {
      if (body.case !== "entityAnswer" || body.value.event === undefined) throw new Error("none");
      expect(readEvent(body.value.event)).toMatchObject({
        eventId: -1,
        timestamp: bench.world.now,
      });
    }
  });

  test("that are missing mean that the rest comes again", () => {
    const bench = withCalls("one", "two", "three");
    bench.commit(id, { results: [succeeded("1")], text: "1" });
    expect(bench.queue(id)).toEqual(["two from order", "three from order"]);
    expect(bench.state(id).entity.text).toBe("1");
    expect(bench.mail(id)).toEqual(['to order: completed call-one "1"']);
  });

  test("that are too many are ignored", () => {
    const bench = withCalls("one");
    bench.signal(id, "two");
    bench.commit(id, { taken: 1, results: [succeeded("1"), succeeded("2"), succeeded("3")] });
    expect(bench.queue(id)).toEqual(["two"]);
    expect(bench.mail(id)).toHaveLength(1);
  });

  test("that say nothing are failures", () => {
    const bench = withCalls("one", "two");
    const unexplained = create(OperationResultSchema, {
      resultType: { case: "failure", value: {} },
    });
    bench.commit(id, { results: [create(OperationResultSchema), unexplained] });
    expect(bench.mail(id)).toEqual([
      "to order: failed call-one EntityOperationFailed: the worker did not say why",
      "to order: failed call-two EntityOperationFailed: the worker did not say why",
    ]);
  });

  test("that are too large are failures, each for itself", () => {
    const bench = withCalls("one", "two", "three");
    const large = overLimit.repeat(2);
    const results = [succeeded(large), failed("Large", large), succeeded("3")];
    bench.commit(id, { results, text: "3" });
    const tooLarge = "PayloadTooLarge: the result of the operation is larger than 2097152 bytes";
    expect(bench.mail(id)).toEqual([
      `to order: failed call-one ${tooLarge}`,
      `to order: failed call-two ${tooLarge}`,
      'to order: completed call-three "3"',
    ]);
    expect(bench.state(id).entity.text).toBe("3");
  });

  test("commit with the state: that is when it was modified", () => {
    const bench = withCalls("one");
    bench.world.now = parseTime("10:00:07");
    bench.commit(id);
    expect(bench.state(id).entity.modifiedAt).toEqual(bench.world.now);
  });
});

describe("the state", () => {
  test.each([undefined, ""])("that is %j is none", (text) => {
    const bench = withCalls("one");
    bench.commit(id, { text: "1" });
    bench.call(id, order, "delete");
    bench.commit(id, { text });
    expect(bench.state(id).entity.text).toBeUndefined();
  });

  test("stays when the new one is too large: the operations have failed, and nothing was sent", () => {
    const bench = withCalls("one");
    bench.commit(id, { text: "1" });
    bench.world.deliver(id);
    bench.call(id, order, "grow");
    bench.call(id, order, "later");
    bench.commit(id, {
      results: [succeeded("ok")],
      text: overLimit,
      actions: [signalTo(target)],
    });
    expect(bench.state(id).entity.text).toBe("1");
    expect(bench.mail(id)).toEqual([
      "to order: failed call-grow LimitExceeded: " +
        `the new state of the entity is larger: the limit is ${LIMITS.entityStateBytesMax} bytes`,
    ]);
    expect(bench.queue(id)).toEqual(["later from order"]);
  });

  test("of the limit is taken", () => {
    const bench = withCalls("one");
    bench.commit(id, { text: "a".repeat(LIMITS.entityStateBytesMax) });
    expect(bench.state(id).entity.text).toHaveLength(LIMITS.entityStateBytesMax);
  });
});

describe("signals that operations send", () => {
  test("go to other entities and to itself, in order, before the answers", () => {
    const bench = withCalls("one");
    const actions = [
      signalTo("@Counter@b", "first", { input: "1" }),
      signalTo(id, "again"),
      signalTo(target, "late", { scheduledTime: parseTime("10:00:05") }),
      signalTo(target, "past", { scheduledTime: parseTime("09:00:00") }),
    ];
    bench.commit(id, { actions });
    expect(bench.mail(id)).toEqual([
      `to ${target}: first`,
      `to ${id}: again`,
      `to ${target}: late later`,
      `to ${target}: past`,
      "to order: completed call-one undefined",
    ]);
    bench.world.deliver(id);
    expect(bench.queue(target)).toEqual(["first", "past"]);
    expect(bench.scheduled(target)).toEqual(["late"]);
    expect(bench.queue(id)).toEqual(["again"]);
  });

  test("have request ids of their own", () => {
    const bench = withCalls("one");
    bench.commit(id, { actions: [signalTo(target), signalTo(target)] });
    const requestIds = bench.state(id).outbox.flatMap(({ body }) => {
      if (body.case !== "entityOperation" || body.value.operation?.event === undefined) return [];
      const { eventType } = readEvent(body.value.operation.event);
      return eventType.case === "entityOperationSignaled" ? [eventType.value.requestId] : [];
    });
    expect(new Set(requestIds).size).toBe(2);
    expect(requestIds).not.toContain("");
  });

  test.each([
    ["an id that is none", signalTo("counter")],
    ["an empty id", signalTo("")],
    ["an id that is too long", signalTo(`@counter@${"k".repeat(512)}`)],
    ["an id with a control character", signalTo("@counter@\u0000")],
    ["an empty name", signalTo(target, "")],
    ["a name that is too long", signalTo(target, "n".repeat(257))],
    ["an input that is too large", signalTo(target, "add", { input: overLimit })],
    ["a time that is none", signalTo(target, "add", { scheduledTime: { seconds: 1n << 60n } })],
    ["nothing", create(OperationActionSchema)],
    ["a start without a name", start("")],
    ["a start with an entity's id", start("Order", { instanceId: target })],
    ["a start with an id that is too long", start("Order", { instanceId: "i".repeat(513) })],
    ["a start with a long version", start("Order", { version: "v".repeat(257) })],
    ["a start with a large input", start("Order", { input: overLimit })],
    ["a start at no time", start("Order", { scheduledTime: { nanos: -1 } })],
  ])("with %s are dropped, and what is around them is not", (_what, hostile) => {
    const bench = withCalls("one");
    bench.commit(id, { actions: [signalTo(target, "before"), hostile, signalTo(target)] });
    expect(bench.mail(id)).toEqual([
      `to ${target}: before`,
      `to ${target}: add`,
      "to order: completed call-one undefined",
    ]);
  });
});

describe("orchestrations that operations start", () => {
  test("have no parent, and all that was said of them", () => {
    const bench = withCalls("one");
    const parentTraceContext = { traceParent: "00-trace" };
    const more = { instanceId: "sub", version: "2", input: "5", parentTraceContext };
    bench.commit(id, { actions: [start("Order", more)] });
    bench.world.deliver(id);
    const { state } = bench.world.life("sub");
    expect(state).toMatchObject({ name: "Order", version: "2", parent: undefined, ancestors: [] });
    const [started] = state.inbox;
    expect(started && readEvent(started).eventType.value).toMatchObject({
      name: "Order",
      input: "5",
      parentTraceContext,
      orchestrationInstance: { instanceId: "sub", executionId: state.executionId },
    });
    expect(state.executionId).not.toBe("");
  });

  test("get an id when they have none", () => {
    const bench = withCalls("one");
    bench.commit(id, { actions: [start("Order"), start("Order")] });
    bench.world.deliver(id);
    expect(bench.world.instanceIds()).toHaveLength(3);
  });

  test("begin at their time", () => {
    const bench = withCalls("one");
    const scheduledTime = parseTime("10:00:05");
    bench.commit(id, { actions: [start("Order", { instanceId: "sub", scheduledTime })] });
    bench.world.deliver(id);
    const { state } = bench.world.life("sub");
    expect(state).toMatchObject({ startPending: true, scheduledStartAt: scheduledTime });
  });

  test("are not started when their id is in use", () => {
    const bench = withCalls("one", "two");
    const actions = [start("Order", { instanceId: "sub" })];
    bench.commit(id, { results: [succeeded()], actions });
    bench.world.deliver(id);
    const { number } = bench.world.life("sub");
    bench.commit(id, { actions });
    bench.world.deliver(id);
    expect(bench.world.life("sub").number).toBe(number);
    expect(bench.mail(id)).toEqual([]);
  });
});

describe("too many actions fail the operations, and none is applied", () => {
  test("by number", () => {
    const bench = withCalls("one");
    const actions = Array.from({ length: LIMITS.actionsPerTurnMax + 1 }, () => signalTo(target));
    bench.commit(id, { actions, text: "1" });
    expect(bench.mail(id)).toEqual([
      "to order: failed call-one LimitExceeded: " +
        "a batch has 10001 actions: the limit is 10000 actions",
    ]);
    expect(bench.state(id).entity.text).toBeUndefined();
  });

  test("by size", () => {
    const bench = new EntityBench(new ScenarioWorld({ isChecked: false }));
    bench.call(id, order, "one");
    const input = overLimit.slice(1);
    const count = LIMITS.actionsPerTurnBytesMax / LIMITS.payloadBytesMax;
    const actions = Array.from({ length: count }, () => signalTo(target, "add", { input }));
    bench.commit(id, { actions, text: "1" });
    expect(bench.mail(id)).toEqual([expect.stringMatching(/^to order: failed call-one LimitEx/)]);
    expect(bench.state(id).entity.text).toBeUndefined();
  });
});

describe("a batch that fails outside user code", () => {
  const details = failureDetails("Crash", "out of memory");
  const answer: BatchAnswer = {
    taken: 3,
    results: [],
    actions: [],
    text: undefined,
    failureDetails: details,
  };

  test("is tried three times", () => {
    const bench = withCalls("one", "two", "three");
    const fine = { ...answer, results: [succeeded()], failureDetails: undefined };
    expect(shouldRetry(bench.state(id), fine)).toBe(false);
    expect(shouldRetry(bench.state(id), answer)).toBe(true);
    reject(bench);
    expect(shouldRetry(bench.state(id), answer)).toBe(true);
    reject(bench);
    expect(shouldRetry(bench.state(id), answer)).toBe(false);
  });

  test("is tried again whatever else had happened to it, and anew after a commit", () => {
    const bench = withCalls("one", "two", "three");
    for (let n = 0; n < 5; n += 1) reject(bench, DeliveryOutcome.STREAM_LOST);
    expect(shouldRetry(bench.state(id), answer)).toBe(true);
    reject(bench);
    reject(bench);
    bench.commit(id, { results: [succeeded()] });
    expect(shouldRetry(bench.state(id), answer)).toBe(true);
  });

  test("fails to the callers without a result, and keeps the state (T28)", () => {
    const bench = withCalls("one");
    bench.commit(id, { text: "1" });
    bench.world.deliver(id);
    bench.call(id, order, "done");
    bench.signal(id, "signal");
    bench.call(id, order, "lost");
    bench.commit(id, { ...answer, results: [succeeded("2")], text: "2" });
    expect(bench.state(id).entity.text).toBe("1");
    expect(bench.mail(id)).toEqual([
      'to order: completed call-done "2"',
      "to order: failed call-lost Crash: out of memory",
    ]);
    expect(bench.queue(id)).toEqual([]);
  });

  test("is also one that a worker answers without any result", () => {
    const bench = withCalls("one");
    const empty = { ...answer, taken: 1, failureDetails: undefined };
    expect(shouldRetry(bench.state(id), empty)).toBe(true);
    reject(bench);
    reject(bench);
    expect(shouldRetry(bench.state(id), empty)).toBe(false);
    bench.commit(id, { results: [], text: "9" });
    expect(bench.mail(id)).toEqual([
      "to order: failed call-one EntityBatchNotRun: the worker gave no result for any operation",
    ]);
    expect(bench.state(id).entity.text).toBeUndefined();
  });

  function reject(bench: EntityBench, outcome: DeliveryOutcome = DeliveryOutcome.REJECTED): void {
    bench.perform(id, Cause.BATCH_LOST, (state, environment) =>
      decideTurnReturned(state, { outcome, lossesMax: undefined }, environment),
    );
  }
});

describe("callers that asked in the older encoding", () => {
  const legacy = sender("order", { legacy: true });

  test("are answered in it", () => {
    const bench = new EntityBench();
    bench.call(id, legacy, "get");
    bench.call(id, legacy, "delete");
    bench.call(id, legacy, "break");
    const results = [succeeded('"x"'), succeeded(), failed("Broken", "pipe")];
    bench.commit(id, { results });
    const failure =
      '{"ErrorType":"Broken","ErrorMessage":"pipe","StackTrace":null,"InnerFailure":null,' +
      '"IsNonRetriable":false}';
    expect(bench.mail(id)).toEqual([
      String.raw`to order: raised call-get {"result":"\"x\""}`,
      'to order: raised call-delete {"result":null}',
      `to order: raised call-break {"result":"pipe","exceptionType":"Broken","failureDetails":${failure}}`,
    ]);
  });

  test("are told which failure is within which", () => {
    const bench = new EntityBench();
    bench.call(id, legacy, "break");
    const inner = { errorType: "Inner", errorMessage: "cause", stackTrace: "at x" };
    const value = { failureDetails: { errorType: "Outer", innerFailure: inner } };
    const result = create(OperationResultSchema, { resultType: { case: "failure", value } });
    bench.commit(id, { results: [result] });
    expect(bench.mail(id)[0]).toContain(
      '"InnerFailure":{"ErrorType":"Inner","ErrorMessage":"cause","StackTrace":"at x",',
    );
  });

  test("are granted locks in it, under dashed lower-case GUIDs", () => {
    const bench = new EntityBench();
    bench.wish(legacy, "0123456789ABCDEF0123456789ABCDEF", [id]);
    expect(bench.mail(id)).toEqual([
      "to order: raised 01234567-89ab-cdef-0123-456789abcdef " +
        '{"result":"Lock Acquisition Completed"}',
    ]);
  });
});
