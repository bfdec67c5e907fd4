/** Loops of generations. */
import { describe, expect, it } from "vitest";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, continueAsNew, scheduleTask, sendEvent } from "../support/worker-actions.ts";

async function generationsOnDisk(hub: TestHub, last: number): Promise<number[]> {
  const number = (await hub.hub.read("a", (state) => state.number)) ?? 0n;
  const found: number[] = [];
  for (let generation = 1; generation <= last; generation += 1) {
    const log = await hub.store.readLog(number, generation, 0);
    if (log.length > 0) found.push(generation);
  }
  return found;
}

describe("a loop of 50 generations", () => {
  it("keeps going, delivers each event once and in order, and leaves only its last log", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { input: "0" });
    const raised: string[] = [];
    const delivered: string[] = [];
    for (let generation = 1; generation <= 50; generation += 1) {
      const turn = await worker.turn("a");
      delivered.push(...newEvents(turn).filter((name) => name.startsWith("eventRaised")));
      const [started] = turn.request.newEvents.slice(1);
      expect(started?.eventType).toMatchObject({ value: { input: `${generation - 1}` } });
      // Some come while the turn runs, some together with its answer.
      const names = [0, 1, 2].map((at) => `E${generation}.${at}`);
      raised.push(...names.map((name) => `eventRaised ${name}`));
      await hub.raise("a", names[0] ?? "");
      await Promise.all([
        hub.raise("a", names[1] ?? ""),
        worker.complete(turn, [continueAsNew(`${generation}`)]),
        hub.raise("a", names[2] ?? ""),
      ]);
    }
    const last = await worker.turn("a");
    delivered.push(...newEvents(last).filter((name) => name.startsWith("eventRaised")));
    expect(delivered).toEqual(raised);
    await worker.complete(last, [completed()]);
    await hub.settled();
    expect(await hub.status("a")).toBe("COMPLETED");
    expect(await generationsOnDisk(hub, 51)).toEqual([51]);
  });

  it("survives a crash in each of them", async () => {
    await using hub = await openHub();
    await hub.start("a", { input: "0" });
    for (let generation = 1; generation <= 50; generation += 1) {
      const worker = hub.worker();
      const turn = await worker.turn("a");
      await hub.raise("a", `E${generation}`);
      await worker.complete(turn, [continueAsNew(`${generation}`, [`C${generation}`])]);
      await hub.crash();
    }
    const turn = await hub.worker().turn("a");
    expect(newEvents(turn).slice(2)).toEqual(["eventRaised C50", "eventRaised E50"]);
  });
});

describe("a generation", () => {
  it("gets carried-over events, then its own, then what came meanwhile", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await hub.raise("a", "Meanwhile");
    const actions = [sendEvent(1, "a", "Own"), continueAsNew("1", ["Carried"])];
    await worker.complete(turn, actions);
    expect(newEvents(await worker.turn("a")).slice(1)).toEqual([
      "executionStarted",
      "eventRaised Carried",
      "eventRaised Own",
      "eventRaised Meanwhile",
    ]);
  });

  it("does not get results of activities of an earlier one", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const old = await worker.activity("a");
    await hub.raise("a", "E");
    await worker.complete(await worker.turn("a"), [continueAsNew("1")]);
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    await worker.finish(old, "old");
    expect(await worker.waiting()).toEqual(["activity a 1"]);
    await worker.finish(await worker.activity("a"), "new");
    const [, answer] = (await worker.turn("a")).request.newEvents;
    expect(answer?.eventType).toMatchObject({ value: { result: "new" } });
  });

  it("lets the other instances run in between", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    for (const id of ["a", "b"]) await hub.start(id);
    await worker.complete(await worker.turn("a"), [continueAsNew("1")]);
    expect(await worker.waiting()).toEqual(["turn b"]);
  });
});
