/** What reaches an entity, and in which order it is handed out. */
import { describe, expect, test } from "vitest";
import { decideSignal } from "../../../sidecar/engine/entity/arrive.ts";
import { batchOf, hasBatchToRun } from "../../../sidecar/engine/entity/batch.ts";
import { isReady } from "../../../sidecar/engine/readiness.ts";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { Kind, Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import { EntityBench, sender } from "../../support/entity-bench.ts";
import { ScenarioWorld } from "../../support/scenario-world.ts";

const id = "@counter@Key";
const order = sender("order");
const other = sender("other");

describe("an entity's record", () => {
  test("begins with its first operation, without a state", () => {
    const bench = new EntityBench();
    const { decision } = bench.signal(id, "add", { input: "1" });
    expect(decision.kind).toBe("begin");
    const { kind, instanceId, name, status, executionId, entity } = bench.state(id);
    expect({ kind, instanceId, name, status }).toEqual({
      kind: Kind.ENTITY,
      instanceId: id,
      name: "counter",
      status: Status.RUNNING,
    });
    expect(executionId).not.toBe("");
    expect(entity.text).toBeUndefined();
    expect(bench.queue(id)).toEqual(["add"]);
  });

  test("begins with mail, which is known when it comes again", () => {
    const bench = new EntityBench();
    const { decision } = bench.mailSignal(id, "add");
    expect(decision.kind).toBe("begin");
    expect(bench.state(id).senderMarks.size).toBe(1);
  });

  test("does not begin with a release", () => {
    const bench = new EntityBench();
    expect(bench.release(id, "order").decision.kind).toBe("nothing");
    expect(bench.world.find(id)).toBeUndefined();
  });

  test("keeps its execution id", () => {
    const bench = new EntityBench();
    bench.signal(id, "add");
    const { executionId } = bench.state(id);
    bench.commit(id, { text: "1" });
    bench.signal(id, "add");
    expect(bench.state(id).executionId).toBe(executionId);
  });
});

describe("an operation", () => {
  test("shows workers what they need, and no target", () => {
    const bench = new EntityBench();
    bench.call(id, order, "add", { input: "1" });
    bench.signal(id, "add", { dueAt: "09:00:00" });
    const [called, signaled] = bench.state(id).entity.queue.map(({ item }) => {
      if (item.case !== "operation" || item.value.event === undefined) throw new Error("none");
      return readEvent(item.value.event);
    });
    expect(called).toMatchObject({
      eventId: -1,
      timestamp: { seconds: expect.anything() },
      eventType: {
        case: "entityOperationCalled",
        value: {
          requestId: "call-add",
          operation: "add",
          input: "1",
          parentInstanceId: "order",
          parentExecutionId: "order-1",
        },
      },
    });
    expect(called?.eventType.value).not.toHaveProperty("targetInstanceId", expect.anything());
    expect(signaled).toMatchObject({
      eventId: -1,
      eventType: { case: "entityOperationSignaled", value: { operation: "add" } },
    });
  });

  test("whose time is past joins the queue at once", () => {
    const bench = new EntityBench();
    bench.signal(id, "add", { dueAt: "10:00:00" });
    expect(bench.queue(id)).toEqual(["add"]);
  });

  test("for later waits for its time, and operations due together keep their order", () => {
    const bench = new EntityBench();
    bench.signal(id, "third", { dueAt: "10:00:07" });
    bench.signal(id, "first", { dueAt: "10:00:05" });
    bench.call(id, order, "second", { dueAt: "10:00:05" });
    bench.signal(id, "now");
    expect(bench.queue(id)).toEqual(["now"]);
    expect(bench.due(id, "10:00:04").decision.kind).toBe("nothing");
    bench.due(id, "10:00:06");
    expect(bench.queue(id)).toEqual(["now", "first", "second from order"]);
    expect(bench.scheduled(id)).toEqual(["third"]);
    bench.due(id, "10:00:08");
    expect(bench.scheduled(id)).toEqual([]);
  });

  test("that was due earlier joins earlier, though its entity slept", () => {
    const bench = new EntityBench();
    bench.signal(id, "second", { dueAt: "10:00:07" });
    bench.signal(id, "first", { dueAt: "10:00:05" });
    bench.due(id, "10:00:09");
    expect(bench.queue(id)).toEqual(["first", "second"]);
  });

  test("for later of the holder goes first when its time comes", () => {
    const bench = new EntityBench();
    bench.call(id, order, "late", { dueAt: "10:00:05" });
    bench.wish(order, "cs-1", [id]);
    bench.signal(id, "add");
    bench.due(id, "10:00:05");
    expect(bench.queue(id)).toEqual(["late from order", "add"]);
  });

  test("of an instance that is no entity is refused", () => {
    const bench = new EntityBench();
    bench.signal(id, "add");
    const orchestration = { ...bench.state(id), entity: undefined };
    const command = { instanceId: id, requestId: "1", operation: "add" };
    const world = new ScenarioWorld();
    world.perform("none", Cause.SIGNAL_ENTITY, (_state, environment) => {
      const given = { ...command, input: undefined, scheduledAt: undefined };
      const decision = decideSignal(orchestration, given, environment);
      expect(decision).toMatchObject({ kind: "refuse", code: "failed-precondition" });
      return decision;
    });
  });
});

describe("a client's signal is refused", () => {
  function limited(limits: { eventsMax: number; bytesMax: number }) {
    const bench = new EntityBench();
    bench.signal(id, "add");
    bench.signal(id, "add", { dueAt: "10:00:05" });
    return bench.perform(id, Cause.SIGNAL_ENTITY, (state, environment) =>
      decideSignal(
        state,
        { instanceId: id, requestId: "1", operation: "add", input: "1", scheduledAt: undefined },
        environment,
        limits,
      ),
    ).decision;
  }

  test("when so many operations wait, in the queue and for their time", () => {
    expect(limited({ eventsMax: 2, bytesMax: 10_000 })).toEqual({
      kind: "refuse",
      code: "limit-exceeded",
      message: `entity "${id}" has 2 operations waiting`,
    });
    expect(limited({ eventsMax: 3, bytesMax: 10_000 }).kind).toBe("append");
  });

  test("when so many bytes of them wait", () => {
    expect(limited({ eventsMax: 10, bytesMax: 100 })).toMatchObject({ code: "limit-exceeded" });
  });

  test("while mail is taken in", () => {
    const bench = new EntityBench(new ScenarioWorld({ isChecked: false }));
    for (let n = 0; n < LIMITS.bufferedEventsMax; n += 1) bench.signal(id, "add");
    expect(bench.signal(id, "add").decision).toMatchObject({ code: "limit-exceeded" });
    expect(bench.call(id, order, "add").decision.kind).toBe("append");
  });
});

describe("a batch", () => {
  test("is what waits, up to the first wish to lock", () => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    bench.call(id, order, "two");
    bench.wish(other, "cs-1", [id]);
    bench.signal(id, "three");
    expect(bench.batch(id)).toEqual(["one", "two from order"]);
  });

  test("has what entries up to a sequence have added, also when that is the base", () => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    bench.signal(id, "two");
    const state = bench.state(id);
    expect(batchOf(state, 0)).toHaveLength(0);
    expect(batchOf(state, 1)).toHaveLength(1);
    expect(batchOf(state, 2)).toHaveLength(2);
  });

  test("has at most 200 operations", () => {
    const bench = new EntityBench(new ScenarioWorld({ isChecked: false }));
    for (let n = 0; n < 201; n += 1) bench.signal(id, "add");
    expect(bench.batch(id)).toHaveLength(200);
  });

  test("has at most 1 MiB, but always one operation", () => {
    const bench = new EntityBench(new ScenarioWorld({ isChecked: false }));
    const input = "x".repeat(LIMITS.entityBatchBytesMax);
    bench.signal(id, "large", { input });
    bench.signal(id, "large", { input });
    expect(bench.batch(id)).toEqual(["large"]);
    const small = new EntityBench(new ScenarioWorld({ isChecked: false }));
    for (let n = 0; n < 5; n += 1)
      small.signal(id, "add", { input: input.slice(0, input.length / 3) });
    expect(small.batch(id)).toHaveLength(2);
  });

  test("of a locked entity is of the holder only", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [id]);
    bench.signal(id, "add");
    bench.call(id, other, "get");
    expect(bench.batch(id)).toEqual([]);
    expect(isReady({ ...bench.state(id), outbox: [] })).toBe(false);
    bench.call(id, order, "set");
    expect(bench.batch(id)).toEqual(["set from order"]);
    expect(isReady({ ...bench.state(id), outbox: [] })).toBe(true);
  });

  test("is not there for an orchestration, or an entity at rest", () => {
    const bench = new EntityBench();
    bench.signal(id, "add");
    bench.commit(id);
    expect(hasBatchToRun(bench.state(id))).toBe(false);
    expect(batchOf({ ...bench.state(id), entity: undefined }, 10)).toEqual([]);
  });
});
