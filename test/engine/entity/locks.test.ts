/** Critical sections, as entities see them. */
import { describe, expect, test } from "vitest";
import { decideEmptyEntity, decideReleaseOrphan } from "../../../sidecar/engine/entity/care.ts";
import { decideTurnReturned } from "../../../sidecar/engine/turn/lost.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { DeliveryOutcome } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EntityBench, sender } from "../../support/entity-bench.ts";

const a = "@account@a";
const b = "@account@b";
const c = "@account@c";
const order = sender("order");
const other = sender("other");

describe("a wish to lock", () => {
  test("takes the lock of an unknown entity at once, and goes on to the next", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a, b, c]);
    expect(bench.lock(a)).toBe("order cs-1");
    expect(bench.state(a).entity.lock?.lockedAt).toEqual(bench.world.now);
    expect(bench.queue(a)).toEqual([]);
    expect(bench.mail(a)).toEqual([`to ${b}: lock cs-1 at 1`]);
    bench.world.deliver(a);
    expect(bench.mail(b)).toEqual([`to ${c}: lock cs-1 at 2`]);
    bench.world.deliver(b);
    expect(bench.mail(c)).toEqual(["to order: granted cs-1"]);
    const [grant] = bench.state(c).outbox;
    expect(grant?.body.value).toMatchObject({
      caller: { executionId: "order-1", requestId: "cs-1" },
      lockSet: [a, b, c],
    });
  });

  test("waits for what came before it, also for what a worker has", () => {
    const bench = new EntityBench();
    bench.signal(a, "one");
    bench.wish(order, "cs-1", [a]);
    bench.signal(a, "two");
    expect(bench.lock(a)).toBeUndefined();
    expect(bench.batch(a)).toEqual(["one"]);
    bench.commit(a);
    expect(bench.lock(a)).toBe("order cs-1");
    expect(bench.queue(a)).toEqual(["two"]);
    expect(bench.mail(a)).toEqual(["to order: granted cs-1"]);
  });

  test("waits for the lock, and takes it when that is released", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.wish(other, "cs-2", [a]);
    bench.signal(a, "add");
    expect(bench.queue(a)).toEqual(["lock cs-2 from other", "add"]);
    bench.release(a, "order", { executionId: "order-1", criticalSectionId: "cs-1" });
    expect(bench.lock(a)).toBe("other cs-2");
    expect(bench.queue(a)).toEqual(["add"]);
    bench.release(a, "other");
    expect(bench.lock(a)).toBeUndefined();
    expect(bench.batch(a)).toEqual(["add"]);
  });

  test("is no batch: nothing is modified, and lost deliveries are still counted", () => {
    const bench = new EntityBench();
    bench.signal(a, "one");
    bench.wish(order, "cs-1", [a]);
    bench.commit(a);
    const { modifiedAt } = bench.state(a).entity;
    expect(modifiedAt).toEqual(bench.world.now);
    bench.release(a, "order");
    bench.wish(order, "cs-2", [a]);
    bench.call(a, order, "add");
    bench.perform(a, Cause.BATCH_LOST, (state, environment) => {
      const lost = { outcome: DeliveryOutcome.STREAM_LOST, lossesMax: undefined };
      return decideTurnReturned(state, lost, environment);
    });
    bench.due(a, "10:00:09");
    bench.release(a, "order");
    bench.wish(other, "cs-3", [a]);
    expect(bench.state(a).entity.modifiedAt).toEqual(modifiedAt);
    expect(bench.state(a).turnDeliveries).toHaveLength(1);
    bench.commit(a);
    expect(bench.state(a).entity.modifiedAt).toEqual(bench.world.now);
    expect(bench.state(a).turnDeliveries).toHaveLength(0);
  });

  test("whose set names an entity twice is granted all the same", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a, a, b, a]);
    bench.world.deliver(a);
    expect(bench.mail(a)).toEqual([`to ${b}: lock cs-1 at 2`]);
    bench.world.deliver(a);
    bench.world.deliver(b);
    expect(bench.mail(a)).toEqual(["to order: granted cs-1"]);
  });

  test("goes past what is no entity, and is spelt as entities are", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a, "order", "", "@Account@b"]);
    expect(bench.mail(a)).toEqual([`to ${b}: lock cs-1 at 3`]);
  });

  test("of the next generation waits for the lock of the last one", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.wish({ ...order, executionId: "order-2" }, "cs-1", [a]);
    expect(bench.queue(a)).toEqual(["lock cs-1 from order"]);
  });
});

describe("while an entity is locked", () => {
  test("operations of the holder go first, in their order, and all others wait", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.signal(a, "signal");
    bench.call(a, order, "one");
    bench.call(a, other, "foreign");
    bench.call(a, order, "two");
    bench.wish(other, "cs-2", [a]);
    bench.call(a, order, "three");
    expect(bench.queue(a)).toEqual([
      "one from order",
      "two from order",
      "three from order",
      "signal",
      "foreign from other",
      "lock cs-2 from other",
    ]);
  });

  test("those that the holder had sent behind its wish take part", () => {
    const bench = new EntityBench();
    bench.signal(a, "before");
    bench.wish(order, "cs-1", [a]);
    bench.call(a, other, "foreign");
    bench.call(a, order, "one");
    bench.wish(other, "cs-2", [a]);
    bench.call(a, order, "two");
    bench.commit(a);
    expect(bench.lock(a)).toBe("order cs-1");
    expect(bench.queue(a)).toEqual([
      "one from order",
      "two from order",
      "foreign from other",
      "lock cs-2 from other",
    ]);
    expect(bench.batch(a)).toEqual(["one from order", "two from order"]);
  });

  test("what it has unlocked runs before the next lock", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.wish(other, "cs-2", [a]);
    bench.call(a, order, "one");
    bench.release(a, "order");
    expect(bench.lock(a)).toBeUndefined();
    expect(bench.batch(a)).toEqual(["one from order"]);
    bench.commit(a);
    expect(bench.lock(a)).toBe("other cs-2");
  });
});

describe("a release", () => {
  const section = { executionId: "order-1", criticalSectionId: "cs-1" };

  test.each([
    ["of somebody else", "other", section],
    ["of another generation", "order", { ...section, executionId: "order-2" }],
    ["of another critical section", "order", { ...section, criticalSectionId: "cs-2" }],
  ])("%s changes nothing", (_what, instanceId, given) => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    expect(bench.release(a, instanceId, given).decision.kind).toBe("nothing");
    expect(bench.lock(a)).toBe("order cs-1");
  });

  test("twice is legal", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    expect(bench.release(a, "order", section).decision.kind).toBe("append");
    expect(bench.release(a, "order", section).decision.kind).toBe("nothing");
  });

  test("withdraws wishes of that critical section, and no operation", () => {
    const bench = new EntityBench();
    bench.signal(a, "add");
    bench.wish(order, "cs-1", [a]);
    bench.wish(other, "cs-1", [a]);
    bench.wish(order, "cs-2", [a]);
    bench.call(a, order, "get");
    bench.release(a, "order", section);
    expect(bench.queue(a)).toEqual([
      "add",
      "lock cs-1 from other",
      "lock cs-2 from order",
      "get from order",
    ]);
    bench.release(a, "order");
    expect(bench.queue(a)).toEqual(["add", "lock cs-1 from other", "get from order"]);
  });
});

test("a wish that is withdrawn has the entities released that it has come from", () => {
  const bench = new EntityBench();
  bench.wish(other, "cs-2", [c]);
  bench.wish(order, "cs-1", [a, b, c]);
  // Whoever wished is gone. What it has sent overtakes its wish, but for the last one.
  bench.release(a, "order", { criticalSectionId: "cs-1" });
  bench.release(b, "order", { criticalSectionId: "cs-1" });
  bench.world.deliver(a);
  bench.world.deliver(b);
  expect([bench.lock(a), bench.lock(b)]).toEqual([undefined, "order cs-1"]);
  bench.release(c, "order", { criticalSectionId: "cs-1" });
  expect(bench.queue(c)).toEqual([]);
  bench.world.deliver(c);
  bench.world.deliver(c);
  expect(bench.lock(b)).toBeUndefined();
});

describe("a grant that nobody waits for", () => {
  test("releases the whole set, and lets all queues go on", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a, b, c]);
    bench.world.deliver(a);
    bench.wish(other, "cs-2", [a]);
    bench.world.deliver(b);
    bench.call(c, other, "get");
    // Nobody has ever heard of the orchestration: the grant comes back.
    bench.world.deliver(c);
    expect(bench.lock(c)).toBeUndefined();
    expect(bench.batch(c)).toEqual(["get from other"]);
    expect(bench.mail(c)).toEqual([
      `to ${a}: release cs-1 of order-1`,
      `to ${b}: release cs-1 of order-1`,
    ]);
    bench.world.deliver(c);
    expect(bench.lock(a)).toBe("other cs-2");
    expect(bench.lock(b)).toBeUndefined();
  });

  test("does not touch what the entity is locked for now", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.wish(other, "cs-2", [a, b]);
    bench.release(a, "order");
    expect(bench.lock(a)).toBe("other cs-2");
    expect(bench.mail(a)).toEqual(["to order: granted cs-1", `to ${b}: lock cs-2 at 1`]);
    bench.world.deliver(a);
    expect(bench.lock(a)).toBe("other cs-2");
  });

  test("passes the lock on when it comes back, and twice in one delivery", () => {
    const bench = new EntityBench();
    bench.wish(order, "cs-1", [a]);
    bench.wish(order, "cs-1", [a]);
    bench.wish(other, "cs-2", [a]);
    expect(bench.mail(a)).toEqual(["to order: granted cs-1", "to order: granted cs-1"]);
    bench.world.deliver(a);
    expect(bench.lock(a)).toBe("other cs-2");
    bench.world.deliver(a);
    expect(bench.lock(a)).toBeUndefined();
  });
});

test("the lock of a holder that is gone is released by hand", () => {
  const bench = new EntityBench();
  bench.wish(order, "cs-1", [a]);
  bench.wish(other, "cs-2", [a]);
  bench.perform(a, Cause.CLEAN_ENTITY, decideReleaseOrphan);
  expect(bench.lock(a)).toBe("other cs-2");
  bench.perform(a, Cause.CLEAN_ENTITY, decideReleaseOrphan);
  expect(bench.perform(a, Cause.CLEAN_ENTITY, decideReleaseOrphan).decision.kind).toBe("nothing");
});

test("wishes go on from an entity that is emptied as if it were free", () => {
  const bench = new EntityBench();
  bench.wish(order, "cs-1", [a, b]);
  bench.wish(other, "cs-2", [a, b]);
  bench.wish(sender("third"), "cs-3", [a]);
  bench.perform(a, Cause.CLEAN_ENTITY, decideEmptyEntity);
  expect(bench.mail(a)).toEqual([
    `to ${b}: lock cs-1 at 1`,
    `to ${b}: lock cs-2 at 1`,
    "to third: granted cs-3",
  ]);
});
