/** Nothing leaves before it is durable. */
import { describe, expect, it } from "vitest";
import { type Call, openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

/** What makes a head newer than the disk, and the call whose answer then has to wait. */
const answers: readonly {
  readonly what: string;
  readonly before?: (hub: TestHub) => Promise<unknown>;
  /** Decided while nothing becomes durable. */
  readonly pending?: (hub: TestHub) => Promise<unknown>;
  readonly call: (hub: TestHub) => Promise<unknown>;
  readonly refused?: string;
}[] = [
  { what: "the reply of a start", call: (hub) => hub.start("a") },
  {
    what: "the refusal of a start",
    pending: (hub) => hub.start("a"),
    call: (hub) => hub.start("a"),
    refused: "instance-exists",
  },
  {
    what: "a start that does nothing by its policy",
    pending: (hub) => hub.start("a"),
    call: (hub) => hub.start("a", { policy: { replaceableStatus: [6], legacyAction: 1 } }),
  },
  { what: "a read", pending: (hub) => hub.start("a"), call: (hub) => hub.status("a") },
  { what: "a history", pending: (hub) => hub.start("a"), call: (hub) => hub.history("a") },
  {
    what: "the reply of a raise",
    before: (hub) => hub.start("a"),
    call: (hub) => hub.raise("a", "E"),
  },
  {
    what: "the reply of a suspend",
    before: (hub) => hub.start("a"),
    call: (hub) => hub.suspend("a"),
  },
  {
    what: "the reply of a suspend that has nothing to do",
    before: (hub) => hub.start("a"),
    pending: (hub) => hub.suspend("a"),
    call: (hub) => hub.suspend("a"),
  },
  {
    what: "the reply of a resume",
    before: async (hub) => {
      await hub.start("a");
      await hub.suspend("a");
    },
    call: (hub) => hub.resume("a"),
  },
  {
    what: "the reply of a terminate",
    before: (hub) => hub.start("a"),
    call: (hub) => hub.terminate("a"),
  },
  {
    what: "a raise that a finished instance drops",
    before: (hub) => hub.start("a"),
    pending: (hub) => hub.terminate("a"),
    call: (hub) => hub.raise("a", "E"),
  },
  {
    what: "the reply of a purge",
    before: async (hub) => {
      await hub.start("a");
      await hub.terminate("a");
    },
    call: (hub) => hub.purge("a"),
  },
  {
    what: "“does not exist” of a purged instance",
    before: async (hub) => {
      await hub.start("a");
      await hub.terminate("a");
    },
    pending: (hub) => hub.purge("a"),
    call: (hub) => hub.status("a"),
  },
  {
    what: "the refusal to raise an event on a purged instance",
    before: async (hub) => {
      await hub.start("a");
      await hub.terminate("a");
    },
    pending: (hub) => hub.purge("a"),
    call: (hub) => hub.raise("a", "E"),
    refused: "instance-not-found",
  },
  { what: "the reply of creating a hub", call: (hub) => hub.hub.create() },
  {
    what: "the reply of creating a hub that a start has just created",
    pending: (hub) => hub.start("a"),
    call: (hub) => hub.hub.create(),
  },
  {
    what: "the reply of deleting a hub",
    before: (hub) => hub.start("a"),
    call: (hub) => hub.hub.delete(),
  },
  {
    what: "the reply of deleting a hub again",
    before: (hub) => hub.start("a"),
    pending: (hub) => hub.hub.delete(),
    call: (hub) => hub.hub.delete(),
  },
  {
    what: "“does not exist” in a deleted hub",
    before: (hub) => hub.start("a"),
    pending: (hub) => hub.hub.delete(),
    call: (hub) => hub.status("a"),
  },
];

describe("nothing leaves before it is durable:", () => {
  it.each(answers)("$what", async ({ before, pending, call, refused }) => {
    await using hub = await openHub();
    await before?.(hub);
    await hub.settled();
    hub.bytes.hold();
    const earlier = pending && watch(pending(hub));
    await hub.settled();
    const answer: Call<unknown> = watch(call(hub));
    await hub.settled();
    expect(answer.state).toBe("pending");
    expect(earlier?.state).not.toBe("done");
    hub.bytes.release();
    await hub.settled();
    if (refused === undefined) expect(answer).toMatchObject({ state: "done" });
    else expect(answer).toMatchObject({ state: "failed", error: { code: refused } });
  });

  it("a turn is not handed out before the start is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    hub.bytes.hold();
    const start = watch(hub.start("a"));
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(start.state).toBe("done");
  });

  it("an activity is not handed out before the turn that scheduled it is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.bytes.hold();
    const answer = watch(worker.complete(turn, [scheduleTask(1)]));
    expect(await worker.waiting()).toEqual([]);
    expect(answer.state).toBe("pending");
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["activity a 1"]);
    expect(answer.state).toBe("done");
  });

  it("a turn holds only events that are durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const raise = watch(hub.raise("a", "Late"));
    await hub.settled();
    const worker = hub.worker();
    const turn = await worker.turn("a");
    expect(turn.request.newEvents).toHaveLength(2);
    hub.bytes.release();
    await raise.promise;
    await worker.complete(turn);
    expect((await worker.turn("a")).request.newEvents).toHaveLength(2);
  });

  it("the next turn is not handed out before the one before it is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.raise("a", "E");
    hub.bytes.hold();
    void worker.complete(turn);
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("nor when something before that becomes durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.bytes.hold();
    void hub.raise("a", "E");
    await hub.settled();
    void worker.complete(turn);
    await hub.settled();
    hub.bytes.releaseOne();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("a turn is not handed out before the event that wakes it is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.bytes.hold();
    void worker.complete(turn);
    await hub.settled();
    void hub.raise("a", "E");
    await hub.settled();
    hub.bytes.releaseOne();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("the result of an activity has its answer only when it is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a");
    hub.bytes.hold();
    const answer = watch(worker.finish(activity));
    expect(await worker.waiting()).toEqual([]);
    expect(answer.state).toBe("pending");
    hub.bytes.release();
    expect(await worker.waiting()).toEqual(["turn a"]);
    expect(answer.state).toBe("done");
  });

  it("a stale completion has its answer only when what made it stale is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.bytes.hold();
    const first = watch(worker.complete(turn, [completed()]));
    const second = watch(worker.complete(turn, [completed()]));
    await hub.settled();
    expect([first.state, second.state]).toEqual(["pending", "pending"]);
    hub.bytes.release();
    await hub.settled();
    expect([first.state, second.state]).toEqual(["done", "done"]);
  });

  it("a waiter hears of the end only when it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = watch(hub.waitForEnd("a"));
    await hub.settled();
    hub.bytes.hold();
    void hub.terminate("a");
    await hub.settled();
    expect(waiting.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(waiting.state).toBe("done");
  });

  it("a waiter hears of the deletion of the hub only when it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const waiting = watch(hub.waitForEnd("a"));
    await hub.settled();
    hub.bytes.hold();
    const deletion = watch(hub.hub.delete());
    await hub.settled();
    expect(waiting.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(waiting).toMatchObject({ state: "failed", error: { code: "instance-not-found" } });
    expect(deletion.state).toBe("done");
  });
});
