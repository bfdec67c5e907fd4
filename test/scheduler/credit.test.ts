/** Who gets how much work. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

async function startMany(hub: TestHub, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, at) => hub.start(`a${at}`)));
  await hub.settled();
}

describe("credit:", () => {
  it("a stream has at most as many turns as it asked for", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 2 });
    await startMany(hub, 5);
    expect(await worker.waiting()).toEqual(["turn a0", "turn a1"]);
  });

  it("a stream has at most as many activities as it asked for, and turns count apart", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1, activities: 2 });
    await hub.start("a");
    await worker.complete(
      await worker.turn(),
      [1, 2, 3].map((id) => scheduleTask(id)),
    );
    await hub.start("b");
    expect(await worker.waiting()).toEqual(["activity a 1", "activity a 2", "turn b"]);
  });

  it(`0 means the default of ${LIMITS.streamCreditDefault}`, async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await startMany(hub, LIMITS.streamCreditDefault + 1);
    expect(await worker.waiting()).toHaveLength(LIMITS.streamCreditDefault);
  });

  it("comes back with a completion", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    await worker.complete(await worker.turn("a0"), [completed()]);
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back with the result of an activity", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn(), [scheduleTask(1), scheduleTask(2)]);
    await worker.finish(await worker.activity("a", 1));
    expect(await worker.waiting()).toContain("activity a 2");
  });

  it("comes back with an abandon", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    worker.abandon(await worker.turn("a0"));
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back when a lease expires", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    await worker.turn("a0");
    await hub.pass(5 * 60_000);
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back when an expired turn ends in its termination", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    await worker.turn("a0");
    await hub.terminate("a0");
    await hub.pass(5 * 60_000);
    expect(await hub.status("a0")).toBe("TERMINATED");
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back when a turn is given back and ends in its termination", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    const turn = await worker.turn("a0");
    await hub.terminate("a0");
    worker.abandon(turn);
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back when a turn that needs its history ends in its termination", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    const turn = await worker.turn("a0");
    await hub.terminate("a0");
    await worker.complete(turn, [], { requiresHistory: true });
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });

  it("comes back when an activity is void because its instance was terminated", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    for (const id of ["a", "b"]) {
      await hub.start(id);
      await worker.complete(await worker.turn(id), [scheduleTask(1)]);
    }
    await worker.activity("a");
    await hub.terminate("a");
    expect(await worker.waiting()).toEqual(["activity b 1"]);
  });

  it("comes back when a turn is void because its instance was replaced", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await startMany(hub, 2);
    await worker.turn("a0");
    // PENDING and TERMINATED may be replaced.
    await hub.start("a0", { policy: { replaceableStatus: [6, 5], legacyAction: 0 } });
    expect(await worker.waiting()).toEqual(["turn a1"]);
  });
});

describe("a stream that does not read", () => {
  it("gets nothing, and others get its share", async () => {
    await using hub = await openHub();
    const sleepy = hub.worker({ reads: false });
    void sleepy.pull();
    await startMany(hub, 3);
    expect(await sleepy.waiting()).toEqual(["turn a0"]);
    const awake = hub.worker();
    expect(await awake.waiting()).toEqual(["turn a1", "turn a2"]);
  });

  it("gets what waits when it reads again", async () => {
    await using hub = await openHub();
    const sleepy = hub.worker({ reads: false });
    void sleepy.pull();
    await startMany(hub, 2);
    await sleepy.pull();
    expect(await sleepy.waiting()).toEqual(["turn a0", "turn a1"]);
  });
});

describe("fairness:", () => {
  it("turns and activities alternate on one stream", async () => {
    await using hub = await openHub();
    const first = hub.worker({ activities: 1 });
    await hub.start("a");
    await first.complete(
      await first.turn(),
      [1, 2, 3, 4].map((id) => scheduleTask(id)),
    );
    await first.activity("a", 1);
    await first.close();
    await startMany(hub, 3);
    const second = hub.worker();
    const kinds = (await second.waiting()).map((item) => item.split(" ")[0]);
    expect(kinds).toEqual(["turn", "activity", "turn", "activity", "turn", "activity"]);
  });

  it("new work goes to the streams in turn", async () => {
    await using hub = await openHub();
    const workers = [hub.worker(), hub.worker(), hub.worker()];
    await hub.settled();
    for (let at = 0; at < 6; at += 1) {
      await hub.start(`a${at}`);
      await hub.settled();
    }
    expect(workers.map(({ items }) => items.map(({ instanceId }) => instanceId))).toEqual([
      ["a0", "a3"],
      ["a1", "a4"],
      ["a2", "a5"],
    ]);
  });

  it("a flood of one name does not hold up another", async () => {
    await using hub = await openHub();
    await startMany(hub, 100);
    await hub.start("other", { name: "Other" });
    await hub.settled();
    const worker = hub.worker({ turns: 2 });
    expect(await worker.waiting()).toEqual(["turn a0", "turn other"]);
  });
});
