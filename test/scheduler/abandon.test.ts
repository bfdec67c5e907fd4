/** Work that workers give back. */
import { describe, expect, it } from "vitest";
import { DeliveryOutcome } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { openHub, watch } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

describe("an abandoned item", () => {
  it("comes back after a delay that grows", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    for (const delay of [200, 400, 800, 1_600]) {
      worker.abandon(await worker.turn("a"));
      await hub.pass(delay - 1);
      expect(await worker.waiting()).toEqual([]);
      await hub.pass(1);
    }
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("is answered when it is durable that it was given back", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const { token } = await worker.turn("a");
    hub.bytes.hold();
    const abandoned = watch(hub.hub.abandon("turn", token));
    const again = watch(hub.hub.abandon("turn", token));
    await hub.settled();
    expect([abandoned.state, again.state]).toEqual(["pending", "done"]);
    hub.bytes.release();
    await hub.settled();
    expect(abandoned.state).toBe("done");
    await hub.crash();
    const deliveries = await hub.hub.read("a", (state) => state.turnDeliveries);
    expect(deliveries).toMatchObject([{ outcome: DeliveryOutcome.ABANDONED, count: 1 }]);
  });

  it("waits at most 30 s", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a");
    worker.abandon(activity);
    for (let count = 0; count < 12; count += 1) {
      await hub.pass(30_000);
      worker.abandon(await worker.activity("a"));
    }
    await hub.pass(30_000);
    expect(await worker.waiting()).toEqual(["activity a 1"]);
  });

  it("comes back in front of what waits and was never handed out", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 2 });
    await hub.start("a");
    const tasks = [1, 2, 3, 4, 5].map((id) => scheduleTask(id));
    await worker.complete(await worker.turn("a"), tasks);
    const [first, second] = [await worker.activity("a", 1), await worker.activity("a", 2)];
    worker.abandon(first);
    expect(await worker.waiting()).toEqual(["activity a 3"]);
    await hub.pass(200);
    await worker.finish(second);
    expect(await worker.waiting()).toEqual(["activity a 3", "activity a 1", "turn a"]);
  });

  it("that nobody accepts any more does not hold up what is new", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
    const other = hub.worker({ activities: 1, filters: { activities: [{ name: "Work" }] } });
    await hub.settled();
    worker.abandon(await worker.activity("a", 1));
    await hub.pass(200);
    expect([...(await worker.waiting()), ...(await other.waiting())].toSorted()).toEqual([
      "activity a 1",
      "activity a 2",
    ]);
  });

  it("goes to another stream if there is one that would take it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    const other = hub.worker();
    await hub.settled();
    worker.abandon(turn);
    await hub.pass(200);
    expect(await worker.waiting()).toEqual([]);
    expect(await other.waiting()).toEqual(["turn a"]);
  });

  it("comes back to its stream when the other one does not accept it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.worker({ filters: { orchestrations: [{ name: "Other" }] } });
    await hub.settled();
    worker.abandon(turn);
    await hub.pass(200);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("comes back to its stream when the other one does not read", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    const sleepy = hub.worker({ reads: false });
    void sleepy.pull();
    await hub.settled();
    await hub.start("b");
    await hub.settled();
    await hub.start("c");
    expect(await sleepy.waiting()).toEqual(["turn c"]);
    worker.abandon(turn);
    await hub.pass(200);
    expect(await worker.waiting()).toEqual(["turn b", "turn a"]);
  });

  it("comes back to its stream when the other one has no credit", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    const busy = hub.worker({ turns: 1 });
    await hub.settled();
    await hub.start("b");
    expect([...(await busy.waiting()), ...(await worker.waiting())]).toEqual(["turn b"]);
    await hub.start("c");
    await hub.settled();
    worker.abandon(turn);
    await hub.pass(200);
    expect([...(await worker.waiting())].at(-1)).toBe("turn a");
  });

  it("does not hold up what is behind it", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    const sleepy = hub.worker({ reads: false });
    void sleepy.pull();
    await hub.settled();
    await hub.start("b");
    await worker.turn("b");
    await hub.start("c");
    expect(await sleepy.waiting()).toEqual(["turn c"]);
    worker.abandon(turn);
    await hub.pass(200);
    await hub.start("d");
    expect(await worker.waiting()).toEqual(["turn a", "turn d"]);
  });

  it("that needs its history comes back at once", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.complete(turn, [completed()], { requiresHistory: true });
    const again = await worker.turn("a");
    expect(again.token).not.toBe(turn.token);
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("with an unknown token changes nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    worker.abandon({ ...turn, token: "unknown" });
    worker.abandon({ ...turn, token: "" });
    await hub.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
  });

  it("begins with a short delay again when one of its turns was answered", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    worker.abandon(await worker.turn("a"));
    await hub.pass(200);
    await worker.complete(await worker.turn("a"));
    await hub.raise("a", "E");
    worker.abandon(await worker.turn("a"));
    await hub.pass(200);
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});
