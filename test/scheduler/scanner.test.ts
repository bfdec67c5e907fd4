/** Instances that nothing would ever wake are found, go on, and are counted. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { Figures } from "../../sidecar/scheduler/figures.ts";
import type { Head } from "../../sidecar/scheduler/head.ts";
import { Oversight } from "../../sidecar/scheduler/oversight.ts";
import { type ReadyItem, ReadyQueue } from "../../sidecar/scheduler/ready-queue.ts";
import { keptLog } from "../support/log-lines.ts";
import { type HubOptions, MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { createTimer, scheduleTask, sendEvent } from "../support/worker-actions.ts";
import { steps } from "./kit/random-steps.ts";
import { RandomWorld } from "./kit/random-world.ts";

/** A hub, and who watches over it. */
async function watched(options: HubOptions = {}) {
  const figures = new Figures();
  const hub = await openHub({ ...options, started: { ...options.started, figures } });
  const { log, lines } = keptLog();
  const oversightNow = () =>
    new Oversight({
      hubs: hub.hubs,
      store: hub.store,
      hubClock: hub.clock,
      clock: hub.steady,
      log,
    });
  const oversight = oversightNow();
  oversight.start();
  return {
    hub,
    figures,
    lines,
    oversight,
    oversightNow,
    /** Long enough for a pass, and for looking again. */
    async minute() {
      await hub.pass(MINUTE);
      await hub.pass(1_000);
    },
    async [Symbol.asyncDispose]() {
      await oversight.close();
      await hub[Symbol.asyncDispose]();
    },
  };
}

function headOf(hub: TestHub, instanceId: string): Head {
  const head = hub.hub.scanned.peek(instanceId);
  if (head === undefined) throw new Error(`${instanceId} is not in memory`);
  return head;
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

const unviolated = { inbox: 0, lease: 0, terminal: 0, links: 0, index: 0, sequence: 0 };

function releasing(names: readonly string[]) {
  return {
    names,
    trees: [],
    pace: undefined,
    reason: undefined,
    requestedBy: "",
    ignoreFinished: false,
  };
}

const none = { turn: 0, activity: 0, batch: 0, mail: 0, timer: 0, ready_row: 0, due_row: 0 };

describe("a lost wake-up", () => {
  it("of a turn is found within a minute: the turn is handed out and counted", async () => {
    await using world = await watched();
    const { hub, figures, lines, minute } = world;
    await losingOffers("turn", async () => {
      await hub.start("a");
      await hub.settled();
    });
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await minute();
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(figures.stranded).toEqual({ ...none, turn: 1 });
    expect(lines).toContainEqual({
      level: "error",
      event: "instance.stranded",
      fields: { taskHub: "default", instanceId: "a", work: "turn" },
    });
    await worker.complete(await worker.turn("a"));
    await minute();
    expect(figures.stranded).toEqual({ ...none, turn: 1 });
  });

  it("of an activity is found too, and the others are not handed out twice", async () => {
    await using world = await watched();
    const { hub, figures, minute } = world;
    await hub.start("a");
    const worker = hub.worker();
    const turn = await worker.turn("a");
    await losingOffers("activity", () => worker.complete(turn, [scheduleTask(1), scheduleTask(2)]));
    expect(await worker.waiting()).toEqual([]);
    await minute();
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "activity a 2"]);
    expect(figures.stranded).toEqual({ ...none, activity: 2 });
  });

  it("of a turn that was forgotten without a trace is found", async () => {
    await using world = await watched();
    const { hub, figures, minute } = world;
    await hub.start("a");
    await hub.settled();
    headOf(hub, "a").turn = undefined;
    await minute();
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
    expect(figures.stranded).toEqual({ ...none, turn: 1 });
  });

  it("of mail is found: it arrives, once", async () => {
    await using world = await watched({ idleHeadBytesMax: 0 });
    const { hub, figures, minute } = world;
    const worker = hub.worker();
    for (const id of ["b", "a"]) await hub.start(id);
    await worker.complete(await worker.turn("b"));
    const turn = await worker.turn("a");
    // The event is on its way, and its receiver waits for the disk, when it is forgotten.
    hub.bytes.holdReads();
    await worker.complete(turn, [sendEvent(1, "b", "Hello")]);
    await hub.settled();
    const head = headOf(hub, "a");
    const lost = head.mailing;
    expect(lost).toBeDefined();
    head.mailing = undefined;
    expect(
      hub.hub.scanned
        .violations()
        .get("a")
        ?.map(({ stranded }) => stranded),
    ).toEqual(["mail"]);
    hub.steady.advance(MINUTE);
    await hub.settled();
    hub.bytes.releaseReads();
    await lost;
    await minute();
    expect(newEvents(await worker.turn("b")).slice(1)).toEqual(["eventRaised Hello"]);
    expect(figures.stranded).toEqual(none);
  });

  it("of a timer is found, also when it is the alarms that are lost", async () => {
    await using world = await watched();
    const { hub, figures, minute } = world;
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(5_000))]);
    await hub.settled();
    hub.clock.forgetAlarms();
    await hub.pass(10_000);
    expect(await worker.waiting()).toEqual([]);
    await minute();
    await minute();
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(figures.stranded).toEqual({ ...none, timer: 1 });
  });
});

describe("a row without anybody behind it", () => {
  it("of what is ready: the instance is loaded and goes on", async () => {
    await using world = await watched();
    const { hub, figures } = world;
    await hub.start("a");
    await hub.crash({ recovers: false });
    await scan(world);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
    expect(figures.stranded).toEqual({ ...none, ready_row: 1 });
  });

  it("of what is due: it fires", async () => {
    await using world = await watched();
    const { hub, figures } = world;
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(5_000))]);
    await hub.crash({ recovers: false });
    await hub.pass(MINUTE);
    await scan(world);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
    expect(figures.stranded).toEqual({ ...none, due_row: 1 });
  });

  it("is not there when the row goes before it is looked at again", async () => {
    await using world = await watched();
    const { hub, figures, oversightNow } = world;
    await hub.start("a");
    await hub.crash({ recovers: false });
    const oversight = oversightNow();
    const pass = oversight.scanner.scan();
    await hub.settled();
    await hub.terminate("a");
    await hub.settled();
    hub.steady.advance(1_000);
    await pass;
    expect(figures.stranded).toEqual(none);
  });
});

/** One pass over a hub that was started anew. */
async function scan({ hub, oversightNow }: Awaited<ReturnType<typeof watched>>): Promise<void> {
  const oversight = oversightNow();
  const pass = oversight.scanner.scan();
  await hub.settled();
  hub.steady.advance(1_000);
  await pass;
  await hub.settled();
}

describe("a state that cannot be", () => {
  it("is quarantined, said once with ids only, and released like every hold", async () => {
    await using world = await watched();
    const { hub, figures, lines, minute } = world;
    await hub.start("a", { input: '"secret"' });
    await hub.settled();
    const { state } = headOf(hub, "a");
    if (state === undefined) throw new Error("there is an instance");
    state.bufferedEvents += 1;
    await minute();
    await minute();
    expect(await hub.status("a")).toBe("SUSPENDED");
    expect(state.holds.map(({ name, requestedBy }) => [name, requestedBy])).toEqual([
      ["quarantine", "sidecar"],
    ]);
    expect(figures.violations).toEqual({ ...unviolated, inbox: 1 });
    expect(lines.filter(({ event }) => event === "instance.invariant_violated")).toEqual([
      {
        level: "error",
        event: "instance.invariant_violated",
        fields: {
          taskHub: "default",
          instanceId: "a",
          invariant: "inbox",
          what: "waiting events are not counted right",
        },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
    state.bufferedEvents -= 1;
    const names = ["quarantine"];
    await hub.hub.suspensions.release("a", releasing(names), noReply);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("is found also while the instance goes on", async () => {
    await using world = await watched();
    const { hub, figures } = world;
    await hub.start("a");
    await hub.settled();
    const { state } = headOf(hub, "a");
    if (state === undefined) throw new Error("there is an instance");
    state.bufferedEvents += 1;
    await hub.pass(MINUTE);
    await hub.raise("a", "Hello");
    await hub.pass(1_000);
    expect(figures.violations).toEqual({ ...unviolated, inbox: 1 });
    expect(await hub.status("a")).toBe("SUSPENDED");
  });

  it("that is over before it is looked at again is nobody's business", async () => {
    await using world = await watched();
    const { hub, figures } = world;
    await hub.start("a");
    await hub.settled();
    const { state } = headOf(hub, "a");
    if (state === undefined) throw new Error("there is an instance");
    state.bufferedEvents += 1;
    await hub.pass(MINUTE);
    state.bufferedEvents -= 1;
    await hub.pass(1_000);
    expect(figures.violations).toEqual(unviolated);
    expect(await hub.status("a")).toBe("PENDING");
  });
});

describe("what waits with good reason is left alone", () => {
  it("in whatever way it waits", async () => {
    await using world = await watched();
    const { hub, figures, lines, minute } = world;
    const worker = hub.worker();
    for (const id of ["queued", "suspended", "leased", "delayed", "timer", "idle"]) {
      await hub.start(id);
    }
    await hub.suspend("suspended");
    await worker.turn("leased");
    worker.abandon(await worker.turn("delayed"));
    await worker.complete(await worker.turn("timer"), [createTimer(1, hub.clock.in(MINUTE * 90))]);
    await worker.complete(await worker.turn("idle"), [scheduleTask(1)]);
    await worker.activity("idle");
    for (let passed = 0; passed < 4; passed += 1) await minute();
    expect(figures.stranded).toEqual(none);
    expect(figures.violations).toEqual(unviolated);
    expect(lines.filter(({ event }) => event.startsWith("instance."))).toEqual([]);
  });

  it("while random things happen", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        await using world = await watched();
        const { hub, figures, oversightNow } = world;
        const random = new RandomWorld(hub);
        for (const step of script) {
          await random.play(step);
          // Nothing is suspected, so nothing is looked at again: that would take time.
          const { scanner } = oversightNow();
          const pass = scanner.scan();
          await hub.settled();
          expect(scanner.passes).toBe(1);
          await pass;
        }
        expect(figures.stranded).toEqual(none);
        expect(figures.violations).toEqual(unviolated);
      }),
      { seed: 20_260_101, numRuns: 15 },
    );
  });

  it("a thousand sleeping instances are not loaded", async () => {
    await using world = await watched({ idleHeadBytesMax: 0 });
    const { hub, minute } = world;
    const ids = Array.from({ length: 1_000 }, (_, index) => `a${index}`);
    const at = hub.clock.in(MINUTE * 600);
    await Promise.all(ids.map((id) => hub.start(id, { at })));
    await hub.settled();
    const before = hub.bytes.calls;
    await minute();
    expect([...hub.hub.scanned.heads()]).toEqual([]);
    expect(hub.bytes.calls - before).toBeLessThan(20);
  });
});

describe("a report tells", () => {
  it("what does not progress though a worker would take it, and what waits for events", async () => {
    await using world = await watched();
    const { hub, oversight, minute } = world;
    const filters = { orchestrations: [{ name: "Main" }], activities: [] };
    const worker = hub.worker({ turns: 2, filters });
    await hub.start("idle");
    await worker.complete(await worker.turn("idle"));
    await hub.start("stuck");
    await hub.start("other", { name: "Other" });
    await hub.settled();
    await minute();
    const seen = () => oversight.scanner.progress.get("default");
    expect(seen()).toMatchObject({ notProgressing: 0 });
    expect(seen()?.waitingForEvents.count).toBe(1);
    // Its turn runs out and is handed out again, for ever.
    for (let passed = 0; passed < 6; passed += 1) await minute();
    expect(seen()).toMatchObject({ notProgressing: 1 });
    expect(seen()?.notProgressingOldestSeconds).toBeGreaterThan(300);
  });
});
