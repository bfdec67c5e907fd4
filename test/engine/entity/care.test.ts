/** Purge, clean-up, and the upkeep of an entity's log. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { decideDue } from "../../../sidecar/engine/due.ts";
import { batchOf } from "../../../sidecar/engine/entity/batch.ts";
import {
  decideCompactEntity,
  decideEmptyEntity,
  decideEndEntity,
  isEmptyEntity,
} from "../../../sidecar/engine/entity/care.ts";
import { eventsOfState } from "../../../sidecar/engine/entry-events.ts";
import {
  decidePlaceHold,
  decideReleaseHolds,
  type HoldWish,
} from "../../../sidecar/engine/holds.ts";
import { decideRaiseEvent } from "../../../sidecar/engine/raise-event.ts";
import { fromStoredState, toStoredState } from "../../../sidecar/engine/stored-state.ts";
import { decideTerminate } from "../../../sidecar/engine/terminate.ts";
import { Cause, EntrySchema } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  InstanceStateSchema,
  type StoredEvent,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EntityBench, sender, succeeded } from "../../support/entity-bench.ts";
import { parseTime } from "../../support/scenario-arguments.ts";
import { ScenarioWorld } from "../../support/scenario-world.ts";

const id = "@counter@a";
const next = "@counter@b";
const order = sender("order");
const other = sender("other");

const aHold: HoldWish = {
  name: "wait",
  reason: "because",
  requestedBy: "me",
  resumeCondition: undefined,
  expiresAt: undefined,
  expiryAction: ExpiryAction.UNSPECIFIED,
  timerPolicy: TimerPolicy.KEEP,
};
const aCommand = { instanceId: id, turnInFlight: false, ignoreFinished: true, hubFreezes: [] };

/** An entity that has everything: a state, a lock, a queue, a schedule and mail. */
function full(world = new ScenarioWorld()): EntityBench {
  const bench = new EntityBench(world);
  bench.call(id, order, "one", { input: "1" });
  bench.commit(id, { results: [succeeded("x".repeat(2_000))], text: "state" });
  bench.wish(order, "cs-1", [id, next]);
  bench.call(id, order, "two", { input: "y".repeat(3_000) });
  bench.wish(other, "cs-2", [id, next]);
  bench.signal(id, "three");
  bench.call(id, other, "four", { dueAt: "10:00:05" });
  bench.signal(id, "five", { dueAt: "10:00:06" });
  return bench;
}

describe("emptying", () => {
  test("tells whoever waits, passes wishes on, and drops everything", () => {
    const bench = full();
    bench.world.deliver(id);
    bench.perform(id, Cause.PURGE, decideEmptyEntity);
    const why = `EntityPurged: entity "${id}" was purged before the operation ran`;
    expect(bench.mail(id)).toEqual([
      `to order: failed call-two ${why}`,
      `to ${next}: lock cs-2 at 1`,
      `to other: failed call-four ${why}`,
    ]);
    expect(bench.queue(id)).toEqual([]);
    expect(bench.scheduled(id)).toEqual([]);
    expect(bench.lock(id)).toBeUndefined();
    expect(bench.state(id).entity.text).toBeUndefined();
    expect(isEmptyEntity(bench.state(id))).toBe(false);
    bench.world.deliver(id);
    expect(isEmptyEntity(bench.state(id))).toBe(true);
    expect(bench.perform(id, Cause.PURGE, decideEmptyEntity).decision.kind).toBe("nothing");
  });

  test("takes long queues", () => {
    const bench = full(new ScenarioWorld({ isChecked: false }));
    for (let n = 0; n < 10_000; n += 1) bench.mailSignal(id, "add");
    bench.perform(id, Cause.PURGE, decideEmptyEntity);
    expect(bench.queue(id)).toEqual([]);
  });
});

describe("the end of a record", () => {
  test("waits for its mail", () => {
    const bench = new EntityBench();
    bench.call(id, order, "one");
    bench.commit(id);
    expect(bench.perform(id, Cause.PURGE, decideEndEntity).decision).toEqual({
      kind: "refuse",
      code: "unavailable",
      message: `messages of entity "${id}" are still on their way: try again`,
    });
    bench.world.deliver(id);
    expect(bench.perform(id, Cause.PURGE, decideEndEntity).decision.kind).toBe("end");
    expect(bench.world.find(id)).toBeUndefined();
  });

  test("does not come when something new has: that is for a new entity", () => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    bench.commit(id, { text: "1" });
    bench.perform(id, Cause.PURGE, decideEmptyEntity);
    bench.signal(id, "two");
    expect(bench.perform(id, Cause.PURGE, decideEndEntity).decision.kind).toBe("nothing");
    expect(bench.batch(id)).toEqual(["two"]);
  });

  test("of one that is not there is nothing", () => {
    const world = new EntityBench().world;
    expect(world.perform(id, Cause.PURGE, decideEndEntity).decision.kind).toBe("nothing");
  });
});

describe("only what has nothing at all is empty", () => {
  test.each([
    ["a state", (bench: EntityBench) => bench.commit(id, { text: "1" })],
    ["an operation", () => {}],
    [
      "a scheduled one",
      (bench: EntityBench) => {
        bench.commit(id);
        bench.signal(id, "late", { dueAt: "10:00:05" });
      },
    ],
    [
      "a lock",
      (bench: EntityBench) => {
        bench.commit(id);
        bench.wish(order, "cs-1", [id, next]);
        bench.world.deliver(id);
      },
    ],
  ])("%s is something", (_what, prepare) => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    prepare(bench);
    expect(isEmptyEntity(bench.state(id))).toBe(false);
    expect(bench.perform(id, Cause.PURGE, decideEndEntity).decision.kind).toBe("nothing");
  });
});

describe("a new generation", () => {
  test("has everything, and refers to nothing of the old one", () => {
    const bench = full();
    const before = toStoredState(bench.state(id));
    const sequence = bench.state(id).sequence + 1;
    bench.perform(id, Cause.COMPACT_ENTITY, decideCompactEntity);
    const state = bench.state(id);
    expect(state).toMatchObject({ generation: 2, sequence });
    const stored = toStoredState(state);
    expect(withoutOrigin(stored)).toEqual({ ...withoutOrigin(before), generation: 2 });
    const origins = eventsOfState(stored).map(({ originSequence }) => originSequence);
    expect(origins.length).toBeGreaterThan(4);
    expect(new Set(origins)).toEqual(new Set([BigInt(sequence)]));
    const entry = fromBinary(EntrySchema, bench.world.life(id).log.at(-1) ?? new Uint8Array());
    const written = entry.base === undefined ? [] : eventsOfState(entry.base);
    expect(written.map(({ originSequence }) => originSequence)).toEqual(origins.map(() => 0n));
  });

  test("goes on where the old one was", () => {
    const bench = full();
    bench.perform(id, Cause.COMPACT_ENTITY, decideCompactEntity);
    const { sequence } = bench.state(id);
    expect(batchOf(bench.state(id), sequence - 1)).toHaveLength(0);
    expect(bench.batch(id)).toEqual(["two from order"]);
    bench.commit(id, { text: "2" });
    bench.release(id, "order");
    expect(bench.lock(id)).toBe("other cs-2");
  });
});

describe("a stored state", () => {
  test("comes back as it was, with what is counted", () => {
    const bench = full();
    const state = bench.state(id);
    const bytes = toBinary(InstanceStateSchema, toStoredState(state));
    const { number, sequence } = state;
    const back = fromStoredState(fromBinary(InstanceStateSchema, bytes), number, sequence);
    expect(back.entity).toEqual(state.entity);
    expect(back.entity?.waitingBytes).toBeGreaterThan(3_000);
  });

  test("counts large events that it only refers to", () => {
    const bench = full();
    const state = bench.state(id);
    const stored = fromBinary(
      InstanceStateSchema,
      toBinary(InstanceStateSchema, toStoredState(state)),
    );
    for (const event of eventsOfState(stored)) {
      if (event.event.length < 1_000) continue;
      event.length = event.event.length;
      event.event = new Uint8Array();
    }
    const back = fromStoredState(stored, state.number, state.sequence);
    expect(back.entity?.waitingBytes).toBe(state.entity.waitingBytes);
  });

  test("knows which entry has the bytes of each event", () => {
    const bench = full();
    bench.call(id, order, "six");
    const { log, state } = bench.world.life(id);
    for (const event of eventsOfState(toStoredState(state))) {
      const entry = fromBinary(
        EntrySchema,
        log[Number(event.originSequence) - 1] ?? new Uint8Array(),
      );
      const carried = carriedBy(entry)[event.originIndex];
      expect(carried).toEqual(event.event);
    }
  });
});

describe("commands for orchestrations", () => {
  test("do not end an entity, or send it events", () => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    const given = { instanceId: id, ignoreFinished: true };
    const terminate = { ...given, output: undefined, recurse: false };
    const terminated = bench.world.perform(id, Cause.TERMINATE, (state, environment) =>
      decideTerminate(state, terminate, environment),
    );
    const raised = bench.world.perform(id, Cause.RAISE_EVENT, (state, environment) =>
      decideRaiseEvent(state, { ...given, name: "Hello", input: "1" }, environment),
    );
    const code = "instance-not-found";
    expect([terminated.decision, raised.decision]).toMatchObject([{ code }, { code }]);
  });

  test("let holds of it expire, behind operations that were due with them", () => {
    const bench = new EntityBench();
    bench.signal(id, "late", { dueAt: "10:00:05" });
    const wish = { ...aHold, expiresAt: parseTime("10:00:05"), expiryAction: ExpiryAction.RESUME };
    const place = { ...aCommand, wish, replace: false };
    bench.world.perform(id, Cause.SUSPEND, (state, environment) =>
      decidePlaceHold(state, place, environment),
    );
    bench.world.now = parseTime("10:00:06");
    const facts = { turnInFlight: false, hubFreezes: [], frozen: false };
    const due = () =>
      bench.perform(id, Cause.DUE, (state, environment) => decideDue(state, facts, environment));
    due();
    expect(bench.queue(id)).toEqual(["late"]);
    expect(bench.state(id).holds).toHaveLength(1);
    due();
    expect(bench.state(id).holds).toHaveLength(0);
    expect(due().decision.kind).toBe("nothing");
  });

  test("hold it, without a history", () => {
    const bench = new EntityBench();
    bench.signal(id, "one");
    const place = { ...aCommand, wish: aHold, replace: false };
    bench.world.perform(id, Cause.SUSPEND, (state, environment) =>
      decidePlaceHold(state, place, environment),
    );
    expect(bench.state(id)).toMatchObject({ markers: [], historyEvents: 0 });
    const expiring = { ...place, wish: { ...aHold, expiryAction: ExpiryAction.TERMINATE } };
    const refused = bench.world.perform(id, Cause.SUSPEND, (state, environment) =>
      decidePlaceHold(state, expiring, environment),
    );
    expect(refused.decision).toMatchObject({ kind: "refuse", code: "failed-precondition" });
    bench.world.perform(id, Cause.RESUME, (state, environment) =>
      decideReleaseHolds(state, { ...aCommand, names: "all", reason: undefined }, environment),
    );
    expect(bench.state(id)).toMatchObject({ markers: [], historyEvents: 0, holds: [] });
  });
});

function withoutOrigin(stored: ReturnType<typeof toStoredState>) {
  const copy = fromBinary(InstanceStateSchema, toBinary(InstanceStateSchema, stored));
  for (const event of eventsOfState(copy)) {
    event.originSequence = 0n;
    event.originIndex = 0;
  }
  return copy;
}

/** Bytes of the events of an entry, in the order in which states refer to them. */
function carriedBy(
  entry: ReturnType<typeof fromBinary<typeof EntrySchema>>,
): readonly Uint8Array[] {
  const { mailSent, entity } = entry;
  const events = [
    ...mailSent.flatMap(({ body }) => (body.case === "entityAnswer" ? [body.value.event] : [])),
    ...[...(entity?.inserted ?? []), ...(entity?.queued ?? [])].map(({ item }) =>
      item.case === "operation" ? item.value.event : undefined,
    ),
    ...(entity?.scheduled ?? []).map(({ operation }) => operation?.event),
  ];
  return events.filter((event): event is StoredEvent => event !== undefined).map((e) => e.event);
}
