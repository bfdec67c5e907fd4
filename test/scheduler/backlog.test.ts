/** Ready instances that wait outside memory: none is forgotten, and none is overtaken for ever. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NumberQueue, NumberSet } from "../../sidecar/scheduler/number-queue.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

/** Nothing that waits for a worker has room in memory. */
const noRoom = { idleHeadBytesMax: 0, started: { readyBytesMax: 0 } };

/** How many heads are in memory. */
function inMemory(hub: TestHub): number {
  return [...hub.hub.scanned.heads()].length;
}

async function startMany(hub: TestHub, count: number, name = "Main"): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${name}${index}`);
  for (const id of ids) await hub.start(id, { name });
  await hub.settled();
  return ids;
}

describe("instances that wait for workers", () => {
  it("are not in memory, and run in their order when there is a worker", async () => {
    await using hub = await openHub(noRoom);
    const ids = await startMany(hub, 20);
    expect(inMemory(hub)).toBe(0);
    const worker = hub.worker({ turns: 1 });
    const seen: string[] = [];
    for (const _id of ids) {
      const turn = await worker.turn();
      seen.push(turn.instanceId);
      await worker.complete(turn, [completed()]);
    }
    expect(seen).toEqual(ids);
    expect(await worker.waiting()).toEqual([]);
  });

  it("are found again at a start, without being loaded", async () => {
    await using hub = await openHub(noRoom);
    const ids = await startMany(hub, 20);
    await hub.crash();
    expect(inMemory(hub)).toBe(0);
    const worker = hub.worker();
    expect((await worker.waiting()).toSorted()).toEqual(ids.map((id) => `turn ${id}`).toSorted());
  });

  it("that must send messages go on at a start all the same", async () => {
    await using hub = await openHub(noRoom);
    await hub.start("a");
    await hub.terminate("a");
    await hub.crash();
    expect(await hub.status("a")).toBe("TERMINATED");
  });

  it("wait in the order of their names: one that no worker takes stands in nobody's way", async () => {
    await using hub = await openHub(noRoom);
    await startMany(hub, 200, "Other");
    await startMany(hub, 3);
    await hub.crash();
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.pass(10_000);
    expect((await worker.waiting()).toSorted()).toEqual(["turn Main0", "turn Main1", "turn Main2"]);
  });

  it("get what a worker waits for at once", async () => {
    await using hub = await openHub(noRoom);
    await startMany(hub, 5, "Other");
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("a");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("take a turn that comes while they wait for another worker's activities", async () => {
    await using hub = await openHub(noRoom);
    await hub.start("a");
    const first = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await first.complete(await first.turn("a"), [scheduleTask(1)]);
    await first.close();
    await hub.settled();
    expect(inMemory(hub)).toBe(0);
    await hub.raise("a", "E");
    await hub.settled();
    expect(inMemory(hub)).toBe(0);
    const second = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    expect(await second.waiting()).toEqual(["turn a"]);
    const third = hub.worker({ filters: { activities: [{ name: "Work" }] } });
    expect(await third.waiting()).toEqual(["activity a 1"]);
  });

  it("that are suspended meanwhile wait for their release", async () => {
    await using hub = await openHub(noRoom);
    await startMany(hub, 2);
    await hub.suspend("Main0");
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn Main1"]);
    await hub.resume("Main0");
    expect((await worker.waiting()).toSorted()).toEqual(["turn Main0", "turn Main1"]);
  });

  it("that are purged, and whose id is used again, run once", async () => {
    await using hub = await openHub(noRoom);
    await hub.start("a");
    await hub.terminate("a");
    await hub.purge("a");
    await hub.start("a");
    await hub.settled();
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn a"]);
  });

  it("have room in memory up to the budget, and no more", async () => {
    const bytes = 20_000;
    await using hub = await openHub({ idleHeadBytesMax: 0, started: { readyBytesMax: bytes } });
    await startMany(hub, 100);
    expect(inMemory(hub)).toBeGreaterThan(2);
    expect(inMemory(hub)).toBeLessThan(10);
  });
});

describe("numbers", () => {
  it("leave their queue as they came, however many there are", () => {
    const queue = new NumberQueue();
    const numbers = Array.from({ length: 3_000 }, (_, index) => BigInt(index * 7));
    for (const number of numbers.slice(0, 2_000)) queue.push(number);
    const taken = numbers.slice(0, 1_500).map(() => queue.shift());
    for (const number of numbers.slice(2_000)) queue.push(number);
    expect(queue.size).toBe(1_500);
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) taken.push(next);
    expect(taken).toEqual(numbers);
    expect(queue.size).toBe(0);
  });

  it("are in their set exactly when they were put there", () => {
    const number = fc.oneof(fc.bigInt({ min: 0n, max: 5_000n }), fc.bigInt(0n, 2n ** 48n - 1n));
    const steps = fc.array(fc.tuple(fc.boolean(), number), { maxLength: 300 });
    const sameAsModel = fc.property(steps, (script) => {
      const set = new NumberSet();
      const model = new Set<bigint>();
      for (const [isAdded, each] of script) {
        if (isAdded) expect(set.add(each)).toBe(!model.has(each));
        else expect(set.delete(each)).toBe(model.has(each));
        if (isAdded) model.add(each);
        else model.delete(each);
        expect([set.has(each), set.size]).toEqual([model.has(each), model.size]);
      }
    });
    fc.assert(sameAsModel);
  });
});
