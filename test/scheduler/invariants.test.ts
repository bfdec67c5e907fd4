/** The pure checks of invariants, one by one: each sees what it is for, and nothing in good states. */
import { describe, expect, it } from "vitest";
import type { Head } from "../../sidecar/scheduler/head.ts";
import { type Violation, violations } from "../../sidecar/scheduler/invariants.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, createTimer, scheduleTask, startChild } from "../support/worker-actions.ts";

/** An instance in the middle of its life: history, an activity with a worker, a timer, a child. */
async function busyHub(): Promise<TestHub> {
  const hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [
    scheduleTask(1),
    createTimer(2, hub.clock.in(MINUTE)),
    startChild(3, "child"),
  ]);
  await worker.activity("a");
  await hub.raise("a", "Hello");
  await worker.turn("a");
  for (const name of ["One", "Two"]) await hub.raise("a", name);
  await hub.settled();
  return hub;
}

function headOf(hub: TestHub, instanceId = "a"): Head {
  const head = hub.hub.scanned.peek(instanceId);
  if (head === undefined) throw new Error(`${instanceId} is not in memory`);
  return head;
}

function stateOf(head: Head) {
  if (head.state === undefined) throw new Error("there is no instance");
  return head.state;
}

function found(hub: TestHub, instanceId = "a"): readonly Violation[] {
  const { scanned } = hub.hub;
  const head = headOf(hub, instanceId);
  return violations(head, scanned.surroundings(head, scanned.queuedWork()));
}

function names(hub: TestHub, instanceId?: string): readonly string[] {
  return found(hub, instanceId).map(({ invariant, what }) => `${invariant}: ${what}`);
}

/** A way to break a head, and what is said of it. */
const broken: readonly (readonly [what: string, (head: Head) => void])[] = [
  ["inbox: events of the inbox are not in order", (head) => stateOf(head).inbox.reverse()],
  [
    "inbox: waiting events are not counted right",
    (head) => {
      stateOf(head).bufferedEvents -= 1;
    },
  ],
  [
    "sequence: more is durable than was decided",
    (head) => {
      head.durableSequence += 1;
    },
  ],
  ["sequence: the history has a gap", (head) => head.history.shift()],
  [
    "sequence: a generation begins twice",
    (head) => {
      const began = head.history[1];
      if (began !== undefined) head.history.splice(3, 1, began);
    },
  ],
  [
    "lease: work is with a worker without a lease",
    (head) => {
      if (typeof head.turn === "object") head.turn = { ...head.turn, token: "another" };
    },
  ],
  [
    "lease: a worker has work of an earlier life",
    (head) => {
      const { turn } = head;
      if (typeof turn === "object") Object.assign(turn, { number: 1_000n });
    },
  ],
  ["lease: an activity is out that nobody asked for", (head) => stateOf(head).activities.clear()],
  [
    "index: the ready row is wrong",
    (head) => {
      if (head.indexed !== undefined) head.indexed = { ...head.indexed, ready: false };
    },
  ],
  ["index: the due row is wrong", (head) => stateOf(head).timers.clear()],
  [
    "index: the row of the instance is of another generation",
    (head) => {
      stateOf(head).generation += 1;
    },
  ],
  [
    "index: the rows of queries are wrong",
    (head) => {
      stateOf(head).version = "2";
    },
  ],
];

describe("a head in the middle of its life", () => {
  it("violates nothing", async () => {
    await using hub = await busyHub();
    expect(hub.hub.scanned.violations()).toEqual(new Map());
  });

  it.each(broken)("%s", async (what, breakIt) => {
    await using hub = await busyHub();
    breakIt(headOf(hub));
    expect(names(hub)).toContain(what);
  });

  it("knows a child that knows another parent", async () => {
    await using hub = await busyHub();
    const { parent } = stateOf(headOf(hub, "child"));
    if (parent === undefined) throw new Error("a child has a parent");
    expect(names(hub)).toEqual([]);
    parent.number += 1n;
    expect(names(hub)).toEqual(["links: a child does not know its parent"]);
  });
});

describe("a finished instance", () => {
  async function finishedHub(): Promise<TestHub> {
    const hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1), completed()]);
    await hub.settled();
    return hub;
  }

  it("violates nothing, also when it has fired and forgotten", async () => {
    await using hub = await finishedHub();
    expect(names(hub)).toEqual([]);
  });

  it("waits for nothing", async () => {
    await using hub = await finishedHub();
    const state = stateOf(headOf(hub));
    for (const activity of state.activities.values()) activity.detached = false;
    state.startPending = true;
    expect(names(hub).filter((name) => name.startsWith("terminal"))).toEqual([
      "terminal: a finished instance waits",
      "terminal: a finished instance awaits an activity",
    ]);
  });
});

describe("what must go on", () => {
  it("is not stranded while it is held, and is when nothing holds it and nobody has it", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    await hub.settled();
    expect(found(hub)).toEqual([]);
    await hub.resume("a");
    await hub.settled();
    expect(found(hub)).toEqual([]);
    headOf(hub).turn = undefined;
    expect(found(hub)).toEqual([
      { invariant: "driver", what: "nobody will take the turn", stranded: "turn" },
    ]);
  });

  it("may wait for a while after a worker gave it back, and not for ever", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn("a"));
    await hub.settled();
    expect(found(hub)).toEqual([]);
    hub.steady.forgetAlarms();
    await hub.pass(2 * MINUTE);
    expect(found(hub)).toMatchObject([{ invariant: "driver", stranded: "turn" }]);
  });

  it("is parked only as long as something holds it", async () => {
    await using hub = await openHub();
    const filters = { orchestrations: [{ name: "Main" }], activities: [] };
    const worker = hub.worker({ filters });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await hub.settled();
    expect(found(hub)).toEqual([]);
    for (const id of headOf(hub).activities.keys()) headOf(hub).activities.set(id, "parked");
    expect(found(hub)).toMatchObject([{ invariant: "driver", stranded: "activity", workId: 1n }]);
  });
});
