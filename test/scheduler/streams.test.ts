/** Worker streams: pings, ends, and who else they concern. */
import { describe, expect, it } from "vitest";
import { openHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const SILENCE = 30_000;

describe("a health ping", () => {
  it("comes after 30 s of silence and not before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await hub.pass(SILENCE - 1);
    expect(worker.pings).toBe(0);
    await hub.pass(1);
    expect(worker.pings).toBe(1);
  });

  it("comes again after each 30 s", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    for (let count = 1; count <= 3; count += 1) {
      await hub.pass(SILENCE - 1);
      expect(worker.pings).toBe(count - 1);
      await hub.pass(1);
      expect(worker.pings).toBe(count);
    }
  });

  it("is put off by work", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await hub.pass(SILENCE - 1);
    await hub.start("a");
    await worker.turn("a");
    await hub.pass(SILENCE - 1);
    expect(worker.pings).toBe(0);
    await hub.pass(1);
    expect(worker.pings).toBe(1);
  });

  it("comes though the stream has all the work it wants", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await hub.start("a");
    await worker.turn("a");
    await hub.pass(SILENCE);
    expect(worker.pings).toBe(1);
  });

  it("does not keep work from the stream", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await hub.pass(SILENCE);
    await hub.start("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("is not set for a stream that ended", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    expect(hub.steady.alarms).toBe(1);
    await worker.close();
    expect(hub.steady.alarms).toBe(0);
  });
});

describe("a stream", () => {
  it("ends with the reason of its call", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await worker.close();
    expect(worker.ended).toMatchObject({ message: "the worker closed its stream" });
  });

  it("gets nothing after its end", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    await worker.close();
    await hub.start("a");
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("that ends while an item is on its way to it loses the item to nobody", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ reads: false });
    await hub.start("a");
    await hub.settled();
    void worker.pull();
    await worker.close();
    await hub.pass(10_000);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });

  it("may open before anything exists, and gets what is started later", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.settled();
    expect(hub.hub.number).toBeUndefined();
    await hub.start("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("stays open when the hub is deleted, and gets what is started in the next one", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.turn("a");
    await hub.hub.delete();
    await hub.start("b");
    expect(await worker.waiting()).toEqual(["turn b"]);
    expect(worker.ended).toBeUndefined();
  });

  it("of a worker without credit for turns still gets activities", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1, activities: 1 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await worker.activity("a");
    await hub.start("b");
    await hub.start("c");
    const turn = await worker.turn("b");
    expect(await worker.waiting()).toEqual([]);
    await worker.complete(turn, [completed()]);
    expect(await worker.waiting()).toEqual(["turn c"]);
  });
});
